"""When one active's price stood still because somebody stopped it, in ticks of market time."""

from typing import NamedTuple

from services.paper_broker.storage import Storage

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

    @property
    def latest(self) -> Freeze:
        """Of one at least."""
        return self._spans[-1]

    @property
    def endless(self) -> bool:
        """Whether the latest has no end yet."""
        return bool(self._spans) and self._spans[-1].until == FOREVER

    def begin(self, tick: int) -> bool:
        """The price that `tick` ticks have led to stays; whether it moved until now."""
        if self._spans and self._spans[-1].until > tick:
            return False
        self._spans.append(Freeze(tick))
        return True

    def end(self, tick: int) -> bool:
        """From the next tick on the price moves again; whether it stood still until now."""
        if not self.endless:
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


class KeptFreezes:
    """The freezes of all actives, which a restart does not undo."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def of(self, active_id: int) -> Freezes:
        rows = self._storage.rows("SELECT since, until FROM freezes WHERE active_id = ? ORDER BY since", active_id)
        return Freezes([Freeze(row["since"], row["until"]) for row in rows])

    def keep(self, active_id: int, freezes: Freezes) -> None:
        """What has just begun or ended."""
        with self._storage.transaction():
            self._storage.change(
                "INSERT OR REPLACE INTO freezes (active_id, since, until) VALUES (?, ?, ?)", active_id, *freezes.latest
            )
