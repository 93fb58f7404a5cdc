"""Which candle decides a signal."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.market import CANDLE_SIZES, Candle, offered_size
from services.analytics.verdicts import price_at
from tests.messages import a_candle

END = 1_789_999_200


def candles(*ends: int, size: int = 60) -> list[Candle]:
    """Each closed at a price that tells it apart."""
    return [candle(end, end, size) for end in ends]


def candle(end: int, updated: int, size: int = 60) -> Candle:
    at = datetime.fromtimestamp(updated, UTC)
    return a_candle(size=size, start=end - size, end=end, close=float(end), at=at)


def test_it_is_the_one_that_ended_then() -> None:
    assert price_at(candles(END - 60, END, END + 60), END, 60) == END


def test_neither_the_one_before_nor_the_running_one_takes_its_place() -> None:
    assert price_at(candles(END - 60, END + 60), END, 60) is None
    assert price_at([], END, 60) is None


def test_a_candle_that_is_still_running_decides_nothing() -> None:
    assert price_at([*candles(END - 60), candle(END, END - 1)], END, 60) is None
    assert price_at([*candles(END - 60), candle(END, END - 1)], END, 180) is None


def test_the_last_minute_of_three_may_still_come() -> None:
    assert price_at(candles(END - 120, END - 60), END, 180) is None
    assert price_at([*candles(END - 120, END - 60), candle(END + 60, END + 1)], END, 180) == END - 60


def test_three_minutes_end_with_their_last_minute_that_exists() -> None:
    assert price_at(candles(END - 180, END - 60, END, END + 60), END, 180) == END
    assert price_at(candles(END - 180, END - 120, END + 60), END, 180) == END - 120
    assert price_at(candles(END - 180, END + 60), END, 180) is None


@given(st.sets(st.integers(-50, 50)), st.sampled_from([10, 60, 180, 3600]))
def test_a_price_is_of_within_the_candle_and_the_last_of_it(slots: set[int], size: int) -> None:
    source = offered_size(size)
    known = candles(*(END + slot * source for slot in sorted({*slots, 51})), size=source)
    inside = [candle.close for candle in known if candle.start >= END - size and candle.end <= END]
    assert price_at(known, END, size) == (inside[-1] if inside else None)


def test_of_sizes_that_the_broker_offers_its_own_candles_decide() -> None:
    assert [offered_size(size) for size in CANDLE_SIZES] == list(CANDLE_SIZES)
    assert offered_size(180) == 60
