"""When to evaluate: once per candle size and candle end, as soon as the candles that will come have come."""

from collections.abc import Callable

PATIENCE = 0.3
"""Seconds to wait for the other actives after the first one's candle has closed."""

Later = Callable[[float, Callable[[], None]], object]
"""`loop.call_later`."""


class Rounds:
    """The rounds of one candle size.

    A round is due when every active that closed in the round before (and is still wanted) has closed in this one, or
    when the patience is over. An active that falls silent thus delays one round only, and one that comes late is
    expected again next time. A round never follows a later one.
    """

    def __init__(self, size: int, due: Callable[[int], None], later: Later) -> None:
        self._size = size
        self._due = due
        self._later = later
        self._wanted: set[int] = set()
        self._closed: dict[int, set[int]] = {}
        self._last_due = 0

    def want(self, actives: set[int]) -> None:
        self._wanted = actives

    def closed(self, active_id: int, end: int) -> None:
        """A candle of an active has closed at `end` (epoch seconds)."""
        if active_id not in self._wanted:
            return
        first = end not in self._closed
        closed = self._closed.setdefault(end, set())
        closed.add(active_id)
        if end <= self._last_due:
            return
        if first:
            self._later(PATIENCE, lambda: self._make_due(end))
        expected = self._closed.get(end - self._size, self._wanted) & self._wanted
        if closed >= expected:
            self._make_due(end)

    def _make_due(self, end: int) -> None:
        if end > self._last_due:
            self._last_due = end
            self._closed = {known: actives for known, actives in self._closed.items() if known >= end - self._size}
            self._due(end)
