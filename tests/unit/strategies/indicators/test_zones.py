import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.strategies.indicators.zones import Turns, TurnsState, Zones, turns, zones
from libs.strategies.panel import Floats
from tests.unit.strategies.indicators.market import Market, grid_markets

nan = np.nan


def peaks_of(highs: list[float], reach: int) -> list[float]:
    high = np.array([highs], dtype=float)
    return [float(level) for level in turns(high, high - 1, reach).peaks[0]]


def find(levels: list[float], price: float, width: float, touches: int = 2) -> Zones:
    known = np.array([levels])
    return zones(Turns(known, np.full_like(known, nan)), np.array([price]), np.array([width]), touches)


def numbers(found: Zones) -> list[float]:
    return [float(figure[0]) for figure in found]


def test_a_peak_is_told_when_the_last_candle_of_its_reach_confirms_it() -> None:
    assert peaks_of([1, 2, 5, 3, 2, 1], reach=2) == pytest.approx([nan, nan, nan, nan, 5, nan], nan_ok=True)
    assert peaks_of([1, 5, 3, 4], reach=1) == pytest.approx([nan, nan, 5, nan], nan_ok=True)


def test_equal_highs_in_a_row_are_one_peak_and_a_flat_market_has_none() -> None:
    assert peaks_of([1, 5, 5, 1, 1], reach=1) == pytest.approx([nan, nan, 5, nan, nan], nan_ok=True)
    assert np.isnan(peaks_of([3, 3, 3, 3, 3, 3], reach=2)).all()


def test_the_zone_nearest_above_and_below_with_enough_touches() -> None:
    levels = [10.0, 10.4, 12.0, 12.3, 15.0, 7.0, 6.8, 6.5, nan, 8.0]
    assert numbers(find(levels, price=9.0, width=0.5)) == [10.0, 10.4, 2, 6.5, 7.0, 3]
    assert numbers(find(levels, price=11.0, width=0.5)) == [12.0, 12.3, 2, 10.0, 10.4, 2]


def test_single_turns_and_turns_too_far_apart_are_no_zone() -> None:
    assert np.isnan(numbers(find([10.0, 10.6, nan], price=9.0, width=0.5))).all()
    assert np.isnan(numbers(find([nan, nan, nan], price=9.0, width=0.5))).all()
    assert numbers(find([10.0, nan], price=9.0, width=0.0, touches=1))[:3] == [10.0, 10.0, 1]


@pytest.mark.parametrize("columns", [0, 1, 4, 9])
def test_fewer_turns_than_touches_are_no_zone(columns: int) -> None:
    assert np.isnan(numbers(find([10.0] * columns, price=9.0, width=0.5, touches=20))).all()
    assert np.isnan(numbers(find([nan] * columns, price=9.0, width=0.5))).all()


def test_a_zone_around_the_price_is_neither_above_nor_below() -> None:
    assert np.isnan(numbers(find([10.0, 10.4], price=10.2, width=0.5))).all()


def test_peaks_and_troughs_make_a_zone_together() -> None:
    found = zones(Turns(np.array([[10.0]]), np.array([[10.25]])), np.array([9.0]), np.array([0.5]))
    assert numbers(found)[:3] == [10.0, 10.25, 2]


@settings(max_examples=50)
@given(grid_markets(), st.integers(1, 3))
def test_mirrored_prices_give_mirrored_turns(market: Market, reach: int) -> None:
    up, down = turns(market.high, market.low, reach), turns(-market.low, -market.high, reach)
    assert np.array_equal(up.peaks, -down.troughs, equal_nan=True)
    assert np.array_equal(up.troughs, -down.peaks, equal_nan=True)


def levels_of(row: Floats) -> list[float]:
    return sorted(float(level) for level in row if not np.isnan(level))


@settings(max_examples=50)
@given(grid_markets(), st.integers(1, 3), st.integers(1, 40))
def test_streaming_knows_the_same_turns(market: Market, reach: int, lookback: int) -> None:
    state = TurnsState(market.series, lookback, reach)
    batch = turns(market.high, market.low, reach)
    for column in range(market.length):
        streamed = state.update(market.high[:, column], market.low[:, column])
        seen = slice(max(column + 1 - lookback, 0), column + 1)
        for row in range(market.series):
            assert levels_of(streamed.peaks[row]) == levels_of(batch.peaks[row, seen])
            assert levels_of(streamed.troughs[row]) == levels_of(batch.troughs[row, seen])
