from collections.abc import Callable

from services.bot_runtime.rounds import PATIENCE, Rounds

SIZE = 10


class Scene:
    """Rounds whose timers the test fires."""

    def __init__(self, *wanted: int) -> None:
        self.due: list[int] = []
        self.timers: list[Callable[[], None]] = []
        self.rounds = Rounds(SIZE, self.due.append, self._later)
        self.rounds.want(set(wanted))

    def _later(self, delay: float, callback: Callable[[], None]) -> None:
        assert delay == PATIENCE
        self.timers.append(callback)

    def close(self, end: int, *actives: int) -> None:
        for active_id in actives:
            self.rounds.closed(active_id, end)

    def run_out_of_patience(self) -> None:
        timers, self.timers = self.timers, []
        for timer in timers:
            timer()


def test_a_round_is_due_when_all_have_closed() -> None:
    scene = Scene(1, 2, 3)
    scene.close(100, 1, 2)
    assert scene.due == []
    scene.close(100, 3)
    assert scene.due == [100]


def test_a_single_active_does_not_wait() -> None:
    scene = Scene(1)
    scene.close(100, 1)
    scene.close(110, 1)
    assert scene.due == [100, 110]


def test_a_round_is_due_when_patience_is_over() -> None:
    scene = Scene(1, 2)
    scene.close(100, 1)
    scene.run_out_of_patience()
    assert scene.due == [100]


def test_a_round_is_due_once() -> None:
    scene = Scene(1, 2)
    scene.close(100, 1, 2, 1, 2)
    scene.run_out_of_patience()
    assert scene.due == [100]


def test_an_active_that_fell_silent_is_not_waited_for_again() -> None:
    scene = Scene(1, 2, 3)
    scene.close(100, 1, 2)
    scene.run_out_of_patience()
    scene.close(110, 1, 2)
    assert scene.due == [100, 110]


def test_an_active_that_came_late_is_waited_for_again() -> None:
    scene = Scene(1, 2)
    scene.close(100, 1)
    scene.run_out_of_patience()
    scene.close(100, 2)
    scene.close(110, 1)
    assert scene.due == [100]
    scene.close(110, 2)
    assert scene.due == [100, 110]


def test_after_a_pause_of_the_market_all_are_waited_for() -> None:
    scene = Scene(1, 2)
    scene.close(100, 1, 2)
    scene.close(500, 1)
    assert scene.due == [100]
    scene.close(500, 2)
    assert scene.due == [100, 500]


def test_an_active_that_is_no_longer_wanted_is_not_waited_for() -> None:
    scene = Scene(1, 2)
    scene.close(100, 1, 2)
    scene.rounds.want({1})
    scene.close(110, 1)
    assert scene.due == [100, 110]


def test_an_active_that_is_not_wanted_makes_no_round() -> None:
    scene = Scene(1)
    scene.close(100, 2)
    assert scene.due == []
    assert scene.timers == []


def test_a_round_never_follows_a_later_one() -> None:
    scene = Scene(1, 2)
    scene.close(110, 1, 2)
    scene.close(100, 1, 2)
    scene.run_out_of_patience()
    assert scene.due == [110]


def test_rounds_of_the_past_are_forgotten() -> None:
    scene = Scene(1)
    for end in range(100, 10_000, SIZE):
        scene.close(end, 1)
    assert len(scene.rounds._closed) <= 2
