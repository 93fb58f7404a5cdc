import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.paper_broker.bars import Bar, Bars
from services.paper_broker.candle_file import CandleFile
from services.paper_broker.replay import BadSpeed, Replay, row_seconds
from tests.unit.paper_broker.candles_strategy import bars, columns, equal

ROWS = columns([Bar(10, 12, 9, 11), Bar(14, 15, 13, 13), Bar(13, 20, 2, 5)])


def a_replay(rows: Bars = ROWS, speed: int = 1, anchor: int = 1000) -> Replay:
    return Replay(CandleFile(rows, 2, 60, tuple(range(rows.length))), speed, anchor)


def test_rows_follow_each_other_from_the_anchor() -> None:
    assert equal(a_replay().bars(60, 1000, 3), ROWS)


def test_a_jump_over_a_gap_in_the_file_stays_visible() -> None:
    shown = a_replay().bars(60, 1000, 2)
    assert shown.close[0] == 11
    assert shown.open[1] == 14


def test_the_file_repeats_in_both_directions() -> None:
    replay = a_replay()
    assert equal(replay.bars(60, 1003, 3), ROWS)
    assert equal(replay.bars(60, 1000 - 3 * 7, 3), ROWS)


def test_with_speed_a_row_takes_less_time() -> None:
    assert a_replay(speed=6).base == 10
    assert equal(a_replay(speed=6).bars(10, 1000, 3), ROWS)


@given(bars(max_size=40), st.integers(0, 100), st.integers(1, 200), st.integers(1, 5))
@settings(deadline=None)
def test_larger_candles_are_made_of_rows(rows: Bars, first: int, length: int, count: int) -> None:
    replay = a_replay(rows, anchor=17)
    wanted = np.arange(first * length, (first + count) * length)
    one_by_one = replay.bars(60, int(wanted[0]), len(wanted))
    assert equal(replay.bars(60 * length, first, count), one_by_one.grouped(length))
    assert replay.span(first * length * 60, (first + count) * length * 60) == one_by_one.whole()


@pytest.mark.parametrize(
    ("period", "speed", "seconds"), [(60, 1, 60), (60, 60, 1), (60, 4, 15), (300, 60, 5), (1, 1, 1)]
)
def test_a_row_lasts_its_period_divided_by_the_speed(period: int, speed: int, seconds: int) -> None:
    assert row_seconds(period, speed) == seconds


@pytest.mark.parametrize(("period", "speed"), [(60, 7), (60, 120), (300, 1), (60, 61), (3600, 80)])
def test_a_speed_that_does_not_fit_the_clock_is_refused(period: int, speed: int) -> None:
    with pytest.raises(BadSpeed, match=f"speed {speed} "):
        row_seconds(period, speed)
