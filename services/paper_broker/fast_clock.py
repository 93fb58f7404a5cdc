"""The platform's own time, which may pass faster than that of the world.

Everything the platform says and does is in this time: prices, candles, expiries, sessions, `timeSync`. Where it started
is stored, so a restart finds it later, never earlier, whatever its speed is then; while the platform is down, time
passes as fast as it last did.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from libs.contracts.clock import Clock
from services.paper_broker.storage import Storage


class _Anchor(NamedTuple):
    platform: datetime
    world: datetime
    speed: int

    def at(self, world: datetime) -> datetime:
        return self.platform + max(world - self.world, timedelta()) * self.speed


class FastClock:
    def __init__(self, clock: Clock, anchor: _Anchor) -> None:
        self._clock = clock
        self._anchor = anchor
        self._latest = anchor.platform

    def now(self) -> datetime:
        """Never goes back, even if the clock of the machine is set back."""
        self._latest = max(self._latest, self._anchor.at(self._clock.now()))
        return self._latest

    def monotonic(self) -> float:
        return self._clock.monotonic() * self._anchor.speed


def platform_clock(storage: Storage, clock: Clock, speed: int) -> Clock:
    """The given one unless platform time is, or once was, faster than that."""
    now = clock.now()
    before = _stored(storage)
    if before is None and speed == 1:
        return clock
    anchor = _Anchor(now if before is None else before.at(now), now, speed)
    with storage.transaction():
        storage.change(
            "INSERT OR REPLACE INTO clock (id, platform, world, speed) VALUES (1, ?, ?, ?)",
            *(_microseconds(anchor.platform), _microseconds(anchor.world), speed),
        )
    return FastClock(clock, anchor)


def _stored(storage: Storage) -> _Anchor | None:
    row = storage.row("SELECT platform, world, speed FROM clock")
    return None if row is None else _Anchor(_time(row["platform"]), _time(row["world"]), row["speed"])


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _time(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
