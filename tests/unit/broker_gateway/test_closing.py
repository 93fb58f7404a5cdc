"""Every candle is told closed exactly once, whatever the broker's updates leave out."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.market import Candle
from services.broker_gateway.closing import RESUMED, Closing, Step
from tests.messages import a_candle

SIZE = 60


def update(number: int, second: int, close: float = 1.1) -> Candle:
    """The candle `number`, as it is `second` seconds after its start."""
    start = number * SIZE
    at = datetime.fromtimestamp(start + second, UTC)
    return a_candle(id=number, size=SIZE, start=start, end=start + SIZE, at=at, close=close)


def closed(steps: list[Step]) -> list[int]:
    """Ids in the order in which they were told closed."""
    ids: list[int] = []
    for step in steps:
        if step.missing is not None:
            ids += range(step.missing[0], step.missing[1] + 1)
        if step.closed is not None:
            ids.append(step.closed.id)
    return ids


def follow(*updates: Candle) -> list[Step]:
    closing = Closing()
    return [closing.update(candle) for candle in updates]


def test_a_candle_closes_with_its_last_update() -> None:
    steps = follow(update(7, 10), update(7, 60, close=1.2), update(8, 1))
    assert [step.closed and step.closed.close for step in steps] == [None, 1.2, None]
    assert all(step.missing is None for step in steps)


def test_a_candle_whose_last_update_did_not_come_is_missing() -> None:
    steps = follow(update(7, 10), update(8, 1))
    assert steps[1].missing == (7, 7)


def test_candles_that_never_came_are_missing() -> None:
    steps = follow(update(7, 60), update(11, 5))
    assert steps[1].missing == (8, 10)


def test_what_is_older_than_what_was_seen_is_ignored() -> None:
    steps = follow(update(8, 5), update(7, 60), update(8, 60), update(8, 60), update(8, 59))
    assert [step.running is not None for step in steps] == [True, False, True, False, False]
    assert closed(steps) == [8]


def test_candles_from_before_the_first_update_are_history_not_missing() -> None:
    assert closed(follow(update(100, 1))) == []


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, SIZE)), min_size=1, max_size=80))
def test_every_candle_that_ended_is_told_closed_once_and_in_order(moments: list[tuple[int, int]]) -> None:
    steps = follow(*(update(number, second) for number, second in moments))
    ids = closed(steps)
    first, last = moments[0][0], max(number for number, _ in moments)
    newest = max(moments)
    expected = list(range(first, last)) + ([last] if newest[1] == SIZE and last >= first else [])
    assert ids == expected


def test_a_running_candle_is_shown_as_it_came() -> None:
    first = update(7, 10)
    assert follow(first)[0].running == first
    assert first.at + timedelta(seconds=50) == update(7, 60).at


def test_a_feed_that_changes_hands_goes_on_where_it_was_left() -> None:
    assert Closing(stored=7).update(update(11, 5)).missing == (8, 10)
    assert Closing(stored=10).update(update(11, 5)).missing is None


def test_what_nobody_wanted_for_long_or_what_cannot_be_is_not_made_up_for() -> None:
    for stored in (11, 12, 9 - RESUMED):
        assert Closing(stored=stored).update(update(11, 5)).missing is None, stored
