"""The forms of an indicator agree: batch and streaming, all columns and the last ones, many series and one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.strategies.panel import Floats
from tests.unit.strategies.indicators.market import INDICATORS, Indicator, Market, grid_markets, random_market

LAST = {name: indicator for name, indicator in INDICATORS.items() if indicator.last is not None}


def same(ours: Floats, theirs: Floats) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def streamed(indicator: Indicator, market: Market) -> tuple[Floats, ...]:
    update = indicator.stream(market.series)
    columns = [update(*candle) for candle in zip(market.high.T, market.low.T, market.close.T, strict=True)]
    return tuple(np.array(figure).T for figure in zip(*columns, strict=True))


@pytest.mark.parametrize("name", INDICATORS)
@settings(max_examples=30)
@given(market=grid_markets())
def test_streaming_equals_batch(name: str, market: Market) -> None:
    for ours, theirs in zip(streamed(INDICATORS[name], market), INDICATORS[name].batch(market), strict=True):
        same(ours, theirs)


@pytest.mark.parametrize("name", INDICATORS)
def test_streaming_equals_batch_after_thousands_of_candles(name: str) -> None:
    market = random_market(9, 3, 5000).begun_at((0, 40, 2000))
    for ours, theirs in zip(streamed(INDICATORS[name], market), INDICATORS[name].batch(market), strict=True):
        same(ours, theirs)


@pytest.mark.parametrize("name", INDICATORS)
@settings(max_examples=30)
@given(market=grid_markets(), data=st.data())
def test_a_series_without_a_candle_this_time_stays_as_it_is(name: str, market: Market, data: st.DataObject) -> None:
    """Each series' candles come whenever they come: its figures are those of its own candles."""
    silent = data.draw(
        st.lists(
            st.lists(st.booleans(), min_size=market.length, max_size=market.length),
            min_size=market.series,
            max_size=market.series,
        )
    )
    quiet = np.array(silent)
    holes = Market(*(np.where(quiet, np.nan, prices) for prices in (market.high, market.low, market.close)))
    figures = streamed(INDICATORS[name], holes)
    for row in range(market.series):
        own = market.rows([row]).columns(slice(None))
        kept = ~np.isnan(holes.close[row])
        own = Market(own.high[:, kept], own.low[:, kept], own.close[:, kept])
        for ours, theirs in zip(figures, INDICATORS[name].batch(own), strict=True):
            same(ours[row, kept], theirs[0])
            assert np.isnan(ours[row, ~kept]).all()


@pytest.mark.parametrize("name", LAST)
@settings(max_examples=30)
@given(market=grid_markets(), last=st.integers(1, 4))
def test_the_last_columns_are_those_of_all(name: str, market: Market, last: int) -> None:
    indicator = LAST[name]
    assert indicator.last is not None
    for ours, theirs in zip(indicator.last(market, last), indicator.batch(market), strict=True):
        known = min(last, market.length)
        same(ours[:, last - known :], theirs[:, market.length - known :])


@pytest.mark.parametrize("name", INDICATORS)
@settings(max_examples=30)
@given(market=grid_markets())
def test_a_series_does_not_depend_on_its_neighbours(name: str, market: Market) -> None:
    together = INDICATORS[name].batch(market)
    for row in range(market.series):
        for ours, theirs in zip(INDICATORS[name].batch(market.rows([row])), together, strict=True):
            assert np.array_equal(ours[0], theirs[row], equal_nan=True)


@pytest.mark.parametrize("name", LAST)
def test_the_last_column_does_not_depend_on_neighbours_either(name: str) -> None:
    market, last = random_market(8, 40, 200), LAST[name].last
    assert last is not None
    for order in ([7], list(range(40))[::-1], [7, 3, 7]):
        for ours, theirs in zip(last(market.rows(order), 1), last(market, 1), strict=True):
            assert np.array_equal(ours, theirs[order])


@pytest.mark.parametrize("name", INDICATORS)
def test_a_window_forgets_what_came_before(name: str) -> None:
    """The first candle of the array is where it begins, NaN or not."""
    market = random_market(10, 2, 120)
    tail = market.columns(slice(50, None))
    for ours, theirs in zip(
        INDICATORS[name].batch(market.begun_at((50, 50))), INDICATORS[name].batch(tail), strict=True
    ):
        assert np.isnan(ours[:, :50]).all()
        assert np.array_equal(ours[:, 50:], theirs, equal_nan=True)
