import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.market import Candle
from libs.strategies.panel import Panel
from services.bot_runtime.scanner.folding import Bar, fold
from services.bot_runtime.scanner.sizes import SIZES
from tests.unit.bot_runtime.scanner.markets import START, candles, larger

SLOTS = st.lists(st.integers(0, 400), min_size=1, unique=True).map(sorted)


def a_row(base: list[Candle]) -> Panel:
    panel = Panel(10, len(base) + 3)
    panel.load(1, base)
    return panel


def bar(candle: Candle) -> Bar:
    return Bar(candle.end, candle.open, candle.high, candle.low, candle.close)


@given(SLOTS, st.sampled_from(SIZES), st.integers(0, 40))
def test_every_complete_candle_is_made_of_what_lies_in_it(slots: list[int], size: int, skipped: int) -> None:
    base = candles(slots)
    after = START + skipped * size
    expected = [bar(candle) for candle in larger(base, size) if after < candle.end <= base[-1].end]
    assert fold(a_row(base), 0, size, after) == expected


@pytest.mark.parametrize("size", SIZES)
def test_a_candle_that_may_still_get_prices_is_not_complete(size: int) -> None:
    whole = range(size // 10)
    assert len(fold(a_row(candles(whole)), 0, size, START)) == 1
    if size > 10:
        assert fold(a_row(candles(whole[:-1])), 0, size, START) == []


def test_a_candle_without_a_last_price_is_complete_when_a_later_one_is() -> None:
    quiet_end = candles([0, 1, 2, 3, 4, 6])
    assert [made.end for made in fold(a_row(quiet_end), 0, 60, START)] == [START + 60]


def test_a_candle_without_any_price_does_not_exist() -> None:
    ends = [made.end for made in fold(a_row(candles([0, 14, 17])), 0, 60, START)]
    assert ends == [START + 60, START + 180]


def test_an_empty_row_has_none() -> None:
    panel = a_row(candles([0]))
    panel.clear(1)
    assert fold(panel, 0, 10, 0) == []
