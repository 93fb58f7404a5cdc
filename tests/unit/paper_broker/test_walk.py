import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.paper_broker.epoch import BEGINNING, DAY, HALF_HOUR
from services.paper_broker.walk import Walk
from tests.unit.paper_broker.candles_strategy import equal

NOW = 1_795_521_600 - BEGINNING
"""2026-11-24T12:00:00Z in the market time of what is always open."""
LARGE_SIZES = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 604800, 2592000)

WALK = Walk(seed=1, active_id=76, price=1_084_200, volatility=0.0055)


def a_walk(seed: int = 1, active_id: int = 76, volatility: float = 0.0055) -> Walk:
    return Walk(seed, active_id, 1_084_200, volatility)


@given(st.sampled_from(LARGE_SIZES), st.integers(0, 10**6), st.integers(1, 40), st.integers(0, 39))
@settings(deadline=None)
def test_a_candle_is_the_same_whatever_range_is_asked(size: int, back: int, count: int, offset: int) -> None:
    first = max(NOW // size - back, 0)
    offset %= count
    whole = WALK.bars(size, first, count)
    assert equal(a_walk().bars(size, first + offset, 1), whole.part(offset, 1))


@pytest.mark.parametrize(
    ("size", "smaller"), [(size, smaller) for size in LARGE_SIZES for smaller in LARGE_SIZES if size % smaller == 0]
)
def test_every_size_is_made_of_the_smaller_ones(size: int, smaller: int) -> None:
    first, parts = NOW // size - 3, size // smaller
    assert equal(WALK.bars(smaller, first * parts, 3 * parts).grouped(parts), WALK.bars(size, first, 3))


@pytest.mark.parametrize("size", LARGE_SIZES)
def test_each_candle_opens_where_the_one_before_closed(size: int) -> None:
    candles = WALK.bars(size, NOW // size - 100, 100)
    assert (candles.open[1:] == candles.close[:-1]).all()


@given(st.integers(0, NOW // 60), st.integers(1, 5000), st.sampled_from([DAY, 22 * 3600, 13 * HALF_HOUR]))
@settings(deadline=None)
def test_a_span_is_the_candle_over_its_minutes(start: int, minutes: int, session: int) -> None:
    walk = Walk(1, 76, 1_084_200, 0.0055, session)
    expected = walk.bars(60, start, minutes).whole()
    assert walk.span(start * 60, (start + minutes) * 60) == expected


def test_history_begins_in_2013_at_the_middle() -> None:
    assert WALK.bars(DAY, 0, 1).open[0] == 1_084_200


def test_the_same_seed_makes_the_same_market_and_another_one_another() -> None:
    hours = NOW // 3600 - 100, 100
    same, other_seed, other_active = a_walk(), a_walk(seed=2), a_walk(active_id=81)
    assert equal(same.bars(3600, *hours), WALK.bars(3600, *hours))
    assert not equal(other_seed.bars(3600, *hours), WALK.bars(3600, *hours))
    assert not equal(other_active.bars(3600, *hours), WALK.bars(3600, *hours))


@pytest.mark.parametrize("volatility", [0.0055, 0.035])
def test_prices_stay_positive_and_near_the_middle_for_decades(volatility: float) -> None:
    days = a_walk(volatility=volatility).bars(DAY, 0, 10_000)
    assert days.low.min() > 0
    middle = np.exp(np.log(days.close / 1_084_200).mean())
    assert abs(np.log(middle)) < 20 * volatility
    assert np.log(days.close / 1_084_200).std() == pytest.approx(10 * volatility, rel=0.5)


@pytest.mark.parametrize("size", [60, 3600, DAY])
def test_returns_are_as_wide_as_the_volatility_says_at_every_scale(size: int) -> None:
    """Over years: single days are calmer or wilder."""
    count, apart = 40, NOW // size // 101
    days = [WALK.bars(size, part * apart, count) for part in range(100)]
    returns = np.concatenate([np.log(candles.close / candles.open) for candles in days])
    assert returns.std() == pytest.approx(0.0055 * (size / DAY) ** 0.5, rel=0.3)
