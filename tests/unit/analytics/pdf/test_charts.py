"""Numbers along the edges of drawings."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.figures import WeekdayCell
from services.analytics.pdf import fonts
from services.analytics.pdf.charts import (
    GAIN,
    LOSS,
    asset_bars,
    compact,
    hour_map,
    label_places,
    line_chart,
    nice_ticks,
)
from services.analytics.pdf.report import AssetBar


@given(st.floats(-1e9, 0), st.floats(0.01, 1e9))
def test_ticks_are_few_round_and_contain_everything(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low + 1e-6 * (high - low)
    assert ticks[-1] >= high - 1e-6 * (high - low)
    assert 2 <= len(ticks) <= 7
    step = ticks[1] - ticks[0]
    assert f"{step:.3e}"[0] in "125"
    assert f"{step:.3e}"[2:5] == "000"


def test_ticks_of_nothing() -> None:
    assert nice_ticks(0, 0) == [0, 1]
    assert nice_ticks(0, 5e-324) == [0, 1], "too little for a step"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (12_345, "12k"), (1_500_000, "1.5M"), (2 * 10**9, "2.0G")],
)
def test_large_numbers_are_short(number: int, text: str) -> None:
    assert compact(number) == text


def test_the_first_and_the_last_day_are_named() -> None:
    assert label_places(3, 6) == [0, 1, 2]
    places = label_places(365, 6)
    assert (places[0], places[-1], len(places)) == (0, 364, 6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_any_line_can_be_drawn(values: list[float]) -> None:
    fonts.register()
    days = [date(2026, 1, 1) + timedelta(days=at) for at in range(len(values))]
    assert line_chart(days, values, 400, 100, GAIN).contents


@pytest.mark.parametrize("break_even", [None, 54.2])
def test_rates_that_are_extreme_or_unknown_can_be_drawn(break_even: float | None) -> None:
    fonts.register()
    bars = [AssetBar(asset="A" * 40, trades=1, win_rate=rate, pnl=Decimal(0)) for rate in (0.0, 100.0)]
    assert asset_bars(bars, break_even, 400).contents
    cells = [
        WeekdayCell(weekday=1, hour=hour, trades=1, wins=0, losses=0, win_rate=rate, pnl=Decimal(0))
        for hour, rate in enumerate((None, 0.0, 100.0))
    ]
    assert hour_map(cells, break_even, 400).contents
    assert GAIN != LOSS
