"""Turns are apart, whoever asks when."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.crm.sending.pace import Pace
from tests.unit.socket_edge.hand_clock import HandClock


@given(st.floats(0.1, 100), st.lists(st.floats(0, 3), max_size=60))
def test_turns_are_apart(per_second: float, pauses: list[float]) -> None:
    clock = HandClock()
    pace, turns = Pace(per_second, clock), []
    for pause in pauses:
        clock.advance(pause)
        turn = pace.turn(2.0)
        if turn is not None:
            assert 0 <= turn <= 2.0
            turns.append(clock.monotonic() + turn)
    assert all(later - earlier >= 1 / per_second - 1e-6 for earlier, later in pairwise(turns))


def test_without_a_limit_nobody_waits() -> None:
    pace = Pace(0, HandClock())
    assert [pace.turn(0) for _ in range(3)] == [0, 0, 0]
