"""Candles are numbered over closings without holes, alike for whoever counts (quadcode-protocol §11.4)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.market import CANDLE_SIZES
from services.paper_broker.epoch import BEGINNING, DAY
from services.paper_broker.grid import Grid
from services.paper_broker.hours import Place, is_open, market_time

PLACES = st.sampled_from(Place)
SIZES = st.sampled_from(CANDLE_SIZES)
MOMENTS = st.integers(BEGINNING, 1_900_000_000)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@given(PLACES, SIZES, st.integers(1, 10**5))
@settings(deadline=None)
def test_a_candle_is_counted_from_its_first_second_on(place: Place, size: int, number: int) -> None:
    grid = Grid(place, size)
    start = grid.start(number)
    assert grid.before(start) == number - 1
    assert grid.before(start + 1) == number


@given(PLACES, SIZES, st.integers(1, 10**5))
@settings(deadline=None)
def test_one_begins_in_market_time_where_the_one_before_ends(place: Place, size: int, number: int) -> None:
    """So every second the market is open lies in exactly one candle."""
    grid = Grid(place, size)
    assert grid.start(number) + size <= grid.start(number + 1)
    assert grid.opens(number) < grid.opens(number + 1)
    assert market_time(place, grid.start(number) + size) == grid.opens(number + 1)


@given(PLACES, SIZES, MOMENTS)
@settings(deadline=None)
def test_a_candle_exists_exactly_where_the_market_is_open_at_some_time_of_it(
    place: Place, size: int, moment: int
) -> None:
    grid = Grid(place, size)
    start = BEGINNING + (moment - BEGINNING) // size * size
    exists = market_time(place, start + size) > market_time(place, start)
    assert (grid.before(start + 1) - grid.before(start) == 1) is exists


@given(PLACES, MOMENTS)
def test_market_time_passes_while_the_market_is_open_and_only_then(place: Place, second: int) -> None:
    passed = market_time(place, second + 1) - market_time(place, second)
    assert passed == (is_open(place, second) and is_open(place, second + 1))
    assert market_time(place, second * 4 + 1, 4) - market_time(place, second * 4, 4) == passed


@pytest.mark.parametrize("size", CANDLE_SIZES)
@pytest.mark.parametrize("place", Place)
def test_history_begins_on_the_first_monday(place: Place, size: int) -> None:
    assert BEGINNING <= Grid(place, size).start(1) < BEGINNING + DAY


def test_after_friday_evening_comes_monday() -> None:
    grid = Grid(Place.FOREX, 3600)
    last = grid.before(at("2026-11-27T22:00"))
    assert grid.start(last) == at("2026-11-27T21:00")
    assert grid.start(last + 1) == at("2026-11-30T00:00")


def test_a_candle_may_be_cut_short_by_a_closing() -> None:
    grid = Grid(Place.US, 3600)
    starts = [grid.start(grid.before(at("2026-11-27T00:00")) + number) for number in range(1, 9)]
    assert starts == [at(f"2026-11-27T{hour}:00") for hour in range(14, 21)] + [at("2026-11-30T14:00")]


def test_weeks_start_on_mondays_and_months_are_thirty_days() -> None:
    for place in Place:
        assert Grid(place, 604800).start(1) == Grid(place, 2592000).start(1) == BEGINNING
        assert datetime.fromtimestamp(Grid(place, 604800).start(600), UTC).strftime("%a %H:%M") == "Mon 00:00"
