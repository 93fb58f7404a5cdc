"""Whether all that the platform is made of answers, and how fast: asked in the background, told at once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any, Literal

import structlog

from libs.bus import Bus, BusError, Consumer, Mirror
from libs.bus.rpc import Handler
from libs.contracts import admin_rpc as rpc
from libs.contracts.admin import NoQuery
from libs.contracts.admin_rows import PlatformHealth, ServiceState
from libs.contracts.bots import BotStatus
from libs.contracts.rpc import Endpoint, RpcError
from libs.service.probes import broker_answers
from libs.store import Database, StoreError
from libs.store.auth import Auth
from libs.store.figures import PlatformFigures

_PERIOD = 5.0
_TIMEOUT = 2.0

State = Literal["healthy", "unhealthy", "disconnected", "running", "stopped"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Probe:
    ask: Callable[[], Awaitable[bool]]
    """Whether it answers; an error counts as no, and so does an answer that is late."""
    well: State
    ill: State
    indispensable: bool = False


class Probes:
    def __init__(
        self, bus: Bus, database: Database, figures: PlatformFigures, bots: Mirror[BotStatus], ledger: Consumer
    ) -> None:
        """`ledger`: the consumer whose backlog is told."""
        self._bus = bus
        self._figures = figures
        self._bots = bots
        self._ledger = ledger
        self._started = bus.clock.monotonic()
        self._probes: Mapping[str, _Probe] = {
            "database": _Probe(database.reachable, "healthy", "unhealthy", indispensable=True),
            "nats": _Probe(self._round_trip, "healthy", "unhealthy", indispensable=True),
            "auth": _Probe(Auth(database).reachable, "healthy", "unhealthy"),
            "avalon": _Probe(lambda: broker_answers(bus, _TIMEOUT), "healthy", "disconnected"),
            "bot": _Probe(lambda: bus.ping("bots", _TIMEOUT), "running", "stopped"),
            "crm": _Probe(lambda: bus.ping("crm", _TIMEOUT), "healthy", "disconnected"),
        }
        self._seen: dict[str, ServiceState] = {}
        self._looked_at: dict[str, datetime] = {}
        self._looked = asyncio.Event()
        self._errors = 0
        self._backlog = 0

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return {rpc.HEALTH: self.answer}

    async def answer(self, _: NoQuery) -> PlatformHealth:
        """Of the last look; only in the first moments of the process it waits for one."""
        await self._looked.wait()
        return self.health

    @property
    def health(self) -> PlatformHealth:
        ill = [probe for name, probe in self._probes.items() if not self._well(name)]
        latencies = [seen.latency_ms for seen in self._seen.values() if seen.latency_ms is not None]
        return PlatformHealth(
            status="unhealthy" if any(probe.indispensable for probe in ill) else "degraded" if ill else "healthy",
            services=dict(self._seen),
            uptime=round(self._bus.clock.monotonic() - self._started, 3),
            active_bots=sum(entry.value.state.alive for _, entry in self._bots.items()),
            errors24h=self._errors,
            avg_latency_ms=round(fmean(latencies), 2) if latencies else 0.0,
            queue_depth=self._backlog,
        )

    def last(self, name: str) -> tuple[datetime, ServiceState] | None:
        """When one of them was looked at last, and how it was."""
        seen = self._seen.get(name)
        return None if seen is None else (self._looked_at[name], seen)

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.gather(*(self._look(name, probe) for name, probe in self._probes.items()))
            await self._count()
            self._looked.set()
            await asyncio.sleep(_PERIOD)

    async def _look(self, name: str, probe: _Probe) -> None:
        asked, answers = self._bus.clock.monotonic(), False
        try:
            async with asyncio.timeout(_TIMEOUT):
                answers = await probe.ask()
        except (TimeoutError, BusError, StoreError, RpcError) as error:
            log.warning("probe_failed", probe=name, error=repr(error))
        if not answers and self._well(name):
            log.warning("service_does_not_answer", name=name)
        latency = round(1000 * (self._bus.clock.monotonic() - asked), 2) if answers else None
        self._seen[name] = ServiceState(state=probe.well if answers else probe.ill, latency_ms=latency)
        self._looked_at[name] = self._bus.clock.now()

    async def _count(self) -> None:
        """What cannot be counted now stays as it was."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                self._backlog = await self._bus.backlog(self._ledger)
                self._errors = await self._figures.errors_of_day()
        except (TimeoutError, BusError, StoreError) as error:
            log.warning("not_counted", error=repr(error))

    def _well(self, name: str) -> bool:
        seen = self._seen.get(name)
        return seen is not None and seen.state == self._probes[name].well

    async def _round_trip(self) -> bool:
        await self._bus.ready()
        return True
