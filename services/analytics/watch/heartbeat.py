"""Whether NATS stores: without that no alarm can be raised, so who is told of alerts is told of this without it."""

import asyncio
from collections.abc import Sequence

import structlog

from libs.bus import Bus, BusError
from libs.bus.topology import ALARMS
from libs.contracts import subjects
from libs.contracts.alerts import Alert, Severity
from libs.contracts.codec import Message
from libs.contracts.ids import new_id
from services.analytics.sinks.sink import NotTaken, Sink

_PERIOD = 2.0
_TIMEOUT = 3.0

log = structlog.get_logger()


class Beat(Message, frozen=True, kw_only=True):
    """Written to see whether it is stored (KV `alarms`)."""

    instance: str
    room: str = " " * 4096
    """A page of the disk: what is smaller may still find room in one that is full."""


class Heartbeat:
    """Of each process."""

    def __init__(self, bus: Bus, sinks: Sequence[Sink], patience: float) -> None:
        """`patience`: seconds in which NATS may store nothing."""
        self._bus = bus
        self._sinks = sinks
        self._patience = max(patience, _PERIOD + 2 * _TIMEOUT)
        self._stored_at = bus.clock.monotonic()
        self._alert: Alert | None = None
        self._untold: list[Sink] = []

    def storing(self) -> bool:
        """Whether it has stored anything lately: told by readiness."""
        return self._bus.clock.monotonic() - self._stored_at < self._patience

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                bucket = self._bus.bucket(ALARMS, timeout=_TIMEOUT)
                await bucket.put(f"probe.{self._bus.instance}", Beat(instance=self._bus.instance), ttl=60.0)
                self._stored_at = self._bus.clock.monotonic()
                await self._end()
            except BusError as error:
                if not self.storing():
                    await self._raise(error)
            await asyncio.sleep(_PERIOD)

    async def _raise(self, error: BusError) -> None:
        if self._alert is None:
            log.error("nats_stores_nothing", error=str(error), what="no alarm can be raised; see operations.md")
            self._alert = Alert(
                id=new_id(),
                at=self._bus.clock.now(),
                severity=Severity.CRITICAL,
                service="analytics",
                kind="nats_stores_nothing",
                message=f"NATS stores nothing: bots decide nothing, and no other alarm can be raised ({error})",
            )
            self._untold = list(self._sinks)
        for sink in tuple(self._untold):
            try:
                await sink.send([self._alert])
                self._untold.remove(sink)
            except NotTaken as refused:
                log.warning("alerts_not_taken", sink=sink.name, number=1, error=str(refused))

    async def _end(self) -> None:
        """Now it can be stored, and with it its end; sinks know by its id what they have taken. Raises BusError."""
        if self._alert is None:
            return
        alert = self._alert
        over = Alert(
            id=f"{alert.id}.over",
            at=self._bus.clock.now(),
            severity=Severity.INFO,
            service=alert.service,
            kind=alert.kind,
            message="Over: NATS stores again",
            ends=alert.id,
        )
        for each in (alert, over):
            await self._bus.append(subjects.alert(each.severity), each, id=each.id)
        log.warning("nats_stores_again")
        self._alert, self._untold = None, []
