"""When one active's price stood still because somebody stopped it, in ticks of market time."""

from typing import NamedTuple

FOREVER = 1 << 62


class Freeze(NamedTuple):
    since: int
    until: int = FOREVER


class Freezes:
    def __init__(self, spans: list[Freeze] | None = None) -> None:
        """Ascending, without overlaps."""
        self._spans = spans or []

    def __bool__(self) -> bool:
        return bool(self._spans)

    def begin(self, tick: int) -> bool:
        """The price that `tick` ticks have led to stays; whether it moved until now."""
        if self._spans and self._spans[-1].until > tick:
            return False
        self._spans.append(Freeze(tick))
        return True

    def end(self, tick: int) -> bool:
        """From the next tick on the price moves again; whether it stood still until now."""
        if not self._spans or self._spans[-1].until != FOREVER:
            return False
        self._spans[-1] = Freeze(self._spans[-1].since, max(tick, self._spans[-1].since))
        return True

    def held(self, tick: int) -> int:
        """After how many ticks the price was that is shown after `tick`."""
        for since, until in reversed(self._spans):
            if since < tick <= until:
                return self.held(since)
        return tick

    def within(self, begin: int, end: int) -> list[Freeze]:
        """The parts of [begin, end) in which the price stood still."""
        parts = (Freeze(max(since, begin), min(until, end)) for since, until in self._spans)
        return [part for part in parts if part.since < part.until]
