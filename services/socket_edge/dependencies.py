"""Whether the broker and the database answer, asked in the background so that nobody waits to be told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog

from libs.bus import Bus, BusUnavailable
from libs.service.probes import broker_answers
from services.socket_edge.payloads import HealthChange
from services.socket_edge.responses import Connections

log = structlog.get_logger()

_PERIOD = 5.0
_TIMEOUT = 3.0

Link = Literal["connected", "disconnected"]
Service = Literal["avalon", "database", "nats", "bot", "analytics"]


class Dependencies:
    def __init__(
        self, bus: Bus, database: Callable[[], Awaitable[bool]], changed: Callable[[HealthChange], None]
    ) -> None:
        """`database()`: whether a query comes back; `changed` is told of what came and went."""
        self._bus = bus
        self._database = database
        self._changed = changed
        self._states: dict[Service, str] = {}
        self._last = Connections(avalon="disconnected", supabase="disconnected")

    def connections(self) -> Connections:
        """As of the last look, at most some seconds ago."""
        return self._last

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            broker, database = await asyncio.gather(broker_answers(self._bus, _TIMEOUT), self._answers())
            bots, analytics = await asyncio.gather(self._serves("bots"), self._serves("analytics"))
            found = Connections(avalon=_link(broker), supabase=_link(database))
            if found != self._last:
                log.info("dependencies_changed", avalon=found.avalon, supabase=found.supabase)
            self._last = found
            self._see("avalon", broker, "disconnected")
            self._see("database", database, "unhealthy")
            self._see("nats", self._bus.connected, "unhealthy")
            self._see("bot", bots, "stopped", "running")
            self._see("analytics", analytics, "disconnected")
            await asyncio.sleep(_PERIOD)

    async def _serves(self, service: str) -> bool:
        try:
            return await self._bus.ping(service, _TIMEOUT)
        except BusUnavailable:
            return False

    def _see(self, service: Service, answers: bool, otherwise: str, well: str = "healthy") -> None:
        """The first look is no change."""
        before, now = self._states.get(service), well if answers else otherwise
        self._states[service] = now
        if before is not None and before != now:
            self._changed(HealthChange(service=service, before=before, now=now, timestamp=self._bus.clock.now()))

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await self._database()
        except TimeoutError:
            return False


def _link(answers: bool) -> Link:
    return "connected" if answers else "disconnected"
