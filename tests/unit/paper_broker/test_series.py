"""What the platform shows of one active must agree with itself, wherever it is shown."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.market import CANDLE_SIZES
from services.paper_broker.bars import Bar
from services.paper_broker.candle_file import CandleFile
from services.paper_broker.epoch import TICKS_PER_SECOND, first_slot
from services.paper_broker.replay import Replay
from services.paper_broker.series import Series, Source
from services.paper_broker.walk import Walk
from tests.unit.paper_broker.candles_strategy import bar, columns, equal

NOW = 1_795_521_600
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


@pytest.mark.parametrize("size", [size for size in CANDLE_SIZES if size <= 14400])
def test_every_size_is_made_of_seconds(series: Series, size: int) -> None:
    slot = NOW // size
    assert equal(series.bars(1, slot * size, size).grouped(size), series.bars(size, slot, 1))


@given(st.sampled_from(sorted(SOURCES)), st.sampled_from(CANDLE_SIZES[:10]), st.integers(1, 60), st.data())
@settings(deadline=None)
def test_a_candle_is_the_same_whatever_range_is_asked(source: str, size: int, count: int, data: st.DataObject) -> None:
    first = NOW // size - data.draw(st.integers(0, 10**5))
    offset = data.draw(st.integers(0, count - 1))
    whole = a_series(source).bars(size, first, count)
    assert equal(a_series(source).bars(size, first + offset, 1), whole.part(offset, 1))


@pytest.mark.parametrize("size", CANDLE_SIZES)
def test_a_running_candle_ends_as_the_closed_one(series: Series, size: int) -> None:
    slot = NOW // size
    ended = series.running(slot * size, (slot + 1) * size * TICKS_PER_SECOND)
    assert ended == series.bars(size, slot, 1).whole()


@given(st.sampled_from(sorted(SOURCES)), st.sampled_from(CANDLE_SIZES), st.integers(1, 5000))
@settings(deadline=None)
def test_a_running_candle_is_made_of_its_ticks(source: str, size: int, ticks: int) -> None:
    series, start = a_series(source), NOW // size * size
    ticks = min(ticks, size * TICKS_PER_SECOND)
    begin = start * TICKS_PER_SECOND
    prices = [series.price(begin + tick) for tick in range(1, ticks + 1)]
    assert series.running(start, begin + ticks) == Bar(prices[0], max(prices), min(prices), prices[-1])


def test_the_price_at_a_second_is_the_close_of_the_candle_that_ends_there(series: Series) -> None:
    for second in range(NOW, NOW + 120):
        assert series.price(second * TICKS_PER_SECOND) == series.bars(1, second - 1, 1).close[0]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, Bar(1026582, 1026692, 1026525, 1026643)),
        (60, Bar(1026582, 1027810, 1026395, 1026436)),
        (3600, Bar(1026582, 1027810, 1025327, 1025839)),
        (2592000, Bar(1023901, 1038697, 999425, 1003916)),
    ],
)
def test_the_market_of_a_seed_never_changes(size: int, expected: Bar) -> None:
    """Positions that are open while a new version is installed are settled at prices that were already shown."""
    assert a_series("walk").bars(size, NOW // size, 1).whole() == expected


def test_the_walk_goes_on_where_the_second_before_ended() -> None:
    seconds = a_series("walk").bars(1, NOW, 600)
    assert (seconds.open[1:] == seconds.close[:-1]).all()


def test_the_first_candles_of_all_sizes_exist() -> None:
    series = a_series("walk")
    for size in CANDLE_SIZES:
        assert series.bars(size, first_slot(size), 1).length == 1


@given(st.lists(bar(10**6), min_size=2, max_size=40), st.sampled_from([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]))
@settings(deadline=None)
def test_every_row_of_a_file_comes_out_exactly(rows: list[Bar], speed: int) -> None:
    seconds = 60 // speed
    anchor = NOW // seconds
    file = CandleFile(columns(rows), 2, 60, tuple(range(len(rows))))
    series = Series(Replay(file, speed, anchor), seed=1, active_id=81)
    shown = series.bars(1, anchor * seconds, len(rows) * seconds).grouped(seconds)
    assert equal(shown, file.bars)
    ticks = [series.price(anchor * seconds * 4 + tick + 1) for tick in range(len(rows) * seconds * 4)]
    for index, row in enumerate(rows):
        prices = ticks[index * seconds * 4 : (index + 1) * seconds * 4]
        assert Bar(prices[0], max(prices), min(prices), prices[-1]) == row
