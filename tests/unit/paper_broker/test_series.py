"""What the platform shows of one active must agree with itself, wherever it is shown."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.market import CANDLE_SIZES
from services.paper_broker.bars import Bar
from services.paper_broker.candle_file import CandleFile
from services.paper_broker.epoch import BEGINNING, TICKS_PER_SECOND
from services.paper_broker.grid import Grid
from services.paper_broker.hours import Place, hours
from services.paper_broker.replay import Replay
from services.paper_broker.series import Series, Source
from services.paper_broker.walk import Walk
from tests.unit.paper_broker.candles_strategy import bar, columns, equal

NOW = 1_795_521_600 - BEGINNING
"""Market time."""
ROWS = columns([Bar(100 + row, 110 + row, 90 - row, 105 - row % 7) for row in range(50)])


def walk() -> Source:
    return Walk(seed=1, active_id=76, price=1_084_200, volatility=0.0055)


def replay(speed: int) -> Source:
    return Replay(CandleFile(ROWS, 2, 60, tuple(range(0, 3000, 60))), speed, anchor=NOW // (60 // speed))


SOURCES: dict[str, Callable[[], Source]] = {
    "walk": walk,
    "replay": lambda: replay(1),
    "replay × 5": lambda: replay(5),
    "replay × 6": lambda: replay(6),
    "replay × 60": lambda: replay(60),
}


@pytest.fixture(params=SOURCES)
def series(request: pytest.FixtureRequest) -> Series:
    return a_series(request.param)


def a_series(source: str) -> Series:
    return Series(SOURCES[source](), seed=1, active_id=76)


def whole(prices: list[int]) -> Bar:
    return Bar(prices[0], max(prices), min(prices), prices[-1])


@pytest.mark.parametrize("size", [size for size in CANDLE_SIZES if size <= 14400])
def test_every_size_is_made_of_seconds(series: Series, size: int) -> None:
    number = NOW // size + 1
    assert equal(series.bars(1, (number - 1) * size + 1, size).grouped(size), series.bars(size, number, 1))


@given(st.sampled_from(sorted(SOURCES)), st.sampled_from(CANDLE_SIZES[:10]), st.integers(1, 60), st.data())
@settings(deadline=None)
def test_a_candle_is_the_same_whatever_range_is_asked(source: str, size: int, count: int, data: st.DataObject) -> None:
    first = NOW // size - data.draw(st.integers(0, 10**5))
    offset = data.draw(st.integers(0, count - 1))
    whole = a_series(source).bars(size, first, count)
    assert equal(a_series(source).bars(size, first + offset, 1), whole.part(offset, 1))


@pytest.mark.parametrize("size", CANDLE_SIZES)
def test_a_running_candle_ends_as_the_closed_one(series: Series, size: int) -> None:
    number = NOW // size + 1
    ended = series.running(size, number, number * size * TICKS_PER_SECOND)
    assert ended == series.bars(size, number, 1).whole()


@given(st.sampled_from(sorted(SOURCES)), st.sampled_from(CANDLE_SIZES), st.integers(1, 5000))
@settings(deadline=None)
def test_a_running_candle_is_made_of_its_ticks(source: str, size: int, ticks: int) -> None:
    series, start = a_series(source), NOW // size * size
    ticks = min(ticks, size * TICKS_PER_SECOND)
    begin = start * TICKS_PER_SECOND
    prices = [series.price(begin + tick) for tick in range(1, ticks + 1)]
    assert series.running(size, start // size + 1, begin + ticks) == whole(prices)


@given(st.sampled_from(CANDLE_SIZES), st.lists(st.integers(1, 60), min_size=1, max_size=30))
@settings(deadline=None, max_examples=30)
def test_a_running_candle_is_the_same_however_often_it_was_looked_at(size: int, steps: list[int]) -> None:
    watched, tick = a_series("walk"), NOW // size * size * TICKS_PER_SECOND
    for step in steps:
        tick += step
        number = (tick - 1) // (size * TICKS_PER_SECOND) + 1
        assert watched.running(size, number, tick) == a_series("walk").running(size, number, tick)


def test_the_price_at_a_second_is_the_close_of_the_candle_that_ends_there(series: Series) -> None:
    for second in range(NOW, NOW + 120):
        assert series.price(second * TICKS_PER_SECOND) == series.bars(1, second, 1).close[0]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, Bar(1160430, 1160438, 1160425, 1160427)),
        (60, Bar(1160430, 1160455, 1160361, 1160438)),
        (3600, Bar(1160430, 1161122, 1159965, 1161121)),
        (2592000, Bar(1141765, 1194311, 1139217, 1159262)),
    ],
)
def test_the_market_of_a_seed_never_changes(size: int, expected: Bar) -> None:
    """Positions that are open while a new version is installed are settled at prices that were already shown."""
    assert a_series("walk").bars(size, NOW // size + 1, 1).whole() == expected


def test_the_walk_goes_on_where_the_second_before_ended() -> None:
    seconds = a_series("walk").bars(1, NOW + 1, 600)
    assert (seconds.open[1:] == seconds.close[:-1]).all()


def test_the_first_candles_of_all_sizes_exist() -> None:
    series = a_series("walk")
    for size in CANDLE_SIZES:
        assert series.bars(size, 1, 1).length == 1


@given(st.lists(bar(10**6), min_size=2, max_size=40), st.sampled_from([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]))
@settings(deadline=None)
def test_every_row_of_a_file_comes_out_exactly(rows: list[Bar], speed: int) -> None:
    seconds = 60 // speed
    anchor = NOW // seconds
    file = CandleFile(columns(rows), 2, 60, tuple(range(len(rows))))
    series = Series(Replay(file, speed, anchor), seed=1, active_id=81)
    shown = series.bars(1, anchor * seconds + 1, len(rows) * seconds).grouped(seconds)
    assert equal(shown, file.bars)
    ticks = [series.price(anchor * seconds * 4 + tick + 1) for tick in range(len(rows) * seconds * 4)]
    for index, row in enumerate(rows):
        prices = ticks[index * seconds * 4 : (index + 1) * seconds * 4]
        assert whole(prices) == row


@pytest.mark.parametrize("place", [Place.FOREX, Place.US, Place.EUROPE, Place.ASIA])
@pytest.mark.parametrize("size", [size for size in CANDLE_SIZES if size >= 3600])
def test_candles_that_closings_cut_short_are_made_of_the_half_hours_that_exist(place: Place, size: int) -> None:
    series = Series(Walk(1, 5, 1_271_000, 0.0055, hours(place).length), seed=1, active_id=5, place=place)
    coarse, fine = Grid(place, size), Grid(place, 1800)
    last = coarse.before(BEGINNING + NOW)
    for number in range(last - 6, last + 1):
        start = coarse.start(number)
        first, until = fine.before(start) + 1, fine.before(start + size)
        assert series.bars(1800, first, until - first + 1).whole() == series.bars(size, number, 1).whole()


freezes = st.lists(st.integers(1, 900), min_size=2, max_size=6, unique=True).map(sorted)


@given(st.sampled_from(CANDLE_SIZES), freezes)
@settings(deadline=None)
def test_a_frozen_price_is_the_same_in_ticks_running_and_closed_candles(size: int, changes: list[int]) -> None:
    series, begin = a_series("walk"), NOW * TICKS_PER_SECOND
    for index, change in enumerate(changes):
        (series.thaw if index % 2 else series.freeze)(begin + change)
    first, number = begin + 1, NOW // size + 1
    if NOW % size == 0:
        ticks = min(size * TICKS_PER_SECOND, 1200)
        assert series.running(size, number, begin + ticks) == whole(
            [series.price(tick) for tick in range(first, first + ticks)]
        )
    if size <= 60:
        for closed in range(number, number + 300 // size):
            start = (closed - 1) * size * TICKS_PER_SECOND
            prices = [series.price(tick) for tick in range(start + 1, start + size * TICKS_PER_SECOND + 1)]
            assert series.bars(size, closed, 1).whole() == whole(prices)
    frozen = changes[:2]
    assert len({series.price(begin + tick) for tick in range(frozen[0], frozen[1] + 1)}) == 1
    assert series.price(begin + changes[0] - 1) == a_series("walk").price(begin + changes[0] - 1)


def test_after_a_thaw_the_price_is_what_it_would_have_been() -> None:
    series, begin = a_series("walk"), NOW * TICKS_PER_SECOND
    assert series.freeze(begin + 10)
    assert not series.freeze(begin + 20)
    assert series.price(begin + 5000) == a_series("walk").price(begin + 10)
    assert series.thaw(begin + 100)
    assert not series.thaw(begin + 110)
    assert series.price(begin + 101) == a_series("walk").price(begin + 101)
