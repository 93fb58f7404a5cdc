"""Who was here, and from when to when: told to analytics about every minute.

An edge that dies takes with it what it saw since it told last. What is told is about a time that has passed, so there
is no end of a visit that could get lost.
"""

import asyncio
from datetime import datetime

import structlog

from libs.bus import Bus, BusError
from libs.contracts import subjects
from libs.contracts.ids import new_id
from libs.contracts.visits import Seen, UsersSeen

_AT_ONCE = 500
"""Users in one message."""
_MOST = 100_000
"""Users that are remembered while the bus is away."""

log = structlog.get_logger()


class Visits:
    def __init__(self, bus: Bus, interval: float) -> None:
        """`interval`: seconds between two messages."""
        self._bus = bus
        self._interval = interval
        self._seen: dict[str, tuple[datetime, datetime]] = {}

    def seen(self, user: str) -> None:
        """Is here now."""
        now = self._bus.clock.now()
        known = self._seen.get(user)
        if known is not None or len(self._seen) < _MOST:
            self._seen[user] = (known[0] if known is not None else now, now)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.tell()

    async def tell(self) -> None:
        """What was not told yet. If that cannot be stored now it is told next time."""
        seen, self._seen = self._seen, {}
        told = [Seen(user=user, first=first, last=last) for user, (first, last) in seen.items()]
        for start in range(0, len(told), _AT_ONCE):
            some = tuple(told[start : start + _AT_ONCE])
            message = UsersSeen(id=new_id(), at=self._bus.clock.now(), seen=some)
            try:
                await self._bus.append(subjects.VISITS, message, id=message.id)
            except BusError as error:
                log.warning("visits_not_told", users=len(some), error=str(error))
                self._keep(some)

    def _keep(self, seen: tuple[Seen, ...]) -> None:
        for one in seen:
            later = self._seen.get(one.user)
            self._seen[one.user] = (one.first, later[1] if later is not None else one.last)
