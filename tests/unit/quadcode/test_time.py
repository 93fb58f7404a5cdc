"""The broker's clock, and the patience of reconnecting."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from libs.quadcode.backoff import Backoff
from libs.quadcode.server_clock import ServerClock

LOCAL = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.elapsed = 100.0

    def now(self) -> datetime:
        return LOCAL + timedelta(seconds=self.elapsed - 100)

    def monotonic(self) -> float:
        return self.elapsed


def test_before_the_first_message_it_is_our_own_time() -> None:
    assert ServerClock(Hands()).now() == LOCAL


def test_between_two_messages_time_goes_on() -> None:
    hands = Hands()
    clock = ServerClock(hands)
    clock.sync(1_790_000_000_456)
    hands.elapsed += 2.5
    assert clock.now() == datetime.fromtimestamp(1_790_000_002, UTC) + timedelta(milliseconds=956)
    assert clock.silence == 2.5


def test_the_last_message_counts() -> None:
    hands = Hands()
    clock = ServerClock(hands)
    clock.sync(1_790_000_000_000)
    hands.elapsed += 60
    clock.sync(1_790_000_001_000)
    assert clock.now().timestamp() == 1_790_000_001


def test_a_new_connection_ends_the_silence_and_keeps_the_time() -> None:
    hands = Hands()
    clock = ServerClock(hands)
    clock.sync(1_790_000_000_000)
    hands.elapsed += 60
    clock.connected()
    assert clock.silence == 0
    hands.elapsed += 1
    assert clock.now().timestamp() == 1_790_000_061


def test_a_new_connection_knows_no_time_of_its_own() -> None:
    hands = Hands()
    clock = ServerClock(hands)
    hands.elapsed += 5
    clock.connected()
    assert clock.now() == hands.now()


@given(st.lists(st.floats(0, 0.999), min_size=1, max_size=20))
def test_waits_double_up_to_a_cap_and_never_come_together(chances: list[float]) -> None:
    left = list(chances)
    backoff = Backoff(first=0.1, cap=10.0, spread=1.0, jitter=lambda: left.pop(0))
    for attempt, chance in enumerate(chances):
        assert backoff.next() == min(0.1 * 2**attempt, 10.0) + chance


def test_success_makes_it_hopeful_again() -> None:
    backoff = Backoff(first=0.1, cap=10.0, spread=1.0, jitter=lambda: 0.0)
    assert [backoff.next(), backoff.next()] == [0.1, 0.2]
    backoff.reset()
    assert backoff.next() == 0.1
