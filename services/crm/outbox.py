"""What must be told after a commit is read from the database, published, and marked; in this order, so that a process
that dies in between repeats it under the same id, which the stream stores once."""

import asyncio

import msgspec
import structlog
from prometheus_client import Counter, Gauge

from libs.bus import Bus, BusError
from libs.store import StoreError
from libs.store.crm.outbox import OutboxRows, Waiting

log = structlog.get_logger()

_MOST = 500
"""Rows in one claim."""
_LEASE = 5.0
"""Seconds until another process publishes what this one has claimed and not marked; below the streams' window for
duplicates."""
_IDLE, _AFTER_A_FAILURE = 0.25, 1.0
"""Seconds between two looks."""
_KEPT = 86400.0
_PRUNED_EVERY = 600.0
_TOO_OLD = 60.0
"""Seconds a message may wait before the process says that something is wrong."""

_published = Counter("pregao_crm_published_total", "Messages published from the outbox")
_age = Gauge("pregao_crm_outbox_age_seconds", "How long the oldest unpublished message has waited")


class Outbox:
    """The relay. Any number of them may run: a row is one's at a time."""

    def __init__(self, bus: Bus, rows: OutboxRows) -> None:
        self._bus = bus
        self._rows = rows
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Something was just committed: do not wait for the next look."""
        self._nudged.set()

    async def run(self) -> None:
        """Until cancelled."""
        pruned = self._bus.clock.monotonic()
        while True:
            wait = _IDLE
            try:
                while await self._relay():
                    pass
                if self._bus.clock.monotonic() - pruned > _PRUNED_EVERY:
                    await self._rows.prune(_KEPT)
                    pruned = self._bus.clock.monotonic()
            except (StoreError, BusError) as error:
                log.warning("outbox_waits", error=str(error))
                wait = _AFTER_A_FAILURE
            try:
                async with asyncio.timeout(wait):
                    await self._nudged.wait()
            except TimeoutError:
                pass
            self._nudged.clear()

    async def flowing(self) -> bool:
        """Whether nothing has waited for long; for the health check. Without the database nobody knows: that is told by
        a check of its own."""
        try:
            age = await self._rows.age()
        except StoreError:
            return True
        _age.set(age)
        return age < _TOO_OLD

    async def _relay(self) -> bool:
        """Whether there may be more."""
        rows = await self._rows.claim(_MOST, _LEASE)
        outcomes = await asyncio.gather(*map(self._publish, rows), return_exceptions=True)
        done = [row.id for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
        if done:
            await self._rows.mark(done)
            _published.inc(len(done))
        failures = [outcome for outcome in outcomes if outcome is not None]
        for failure in failures:
            if not isinstance(failure, BusError):
                raise failure
        if failures:
            raise failures[0]
        return len(rows) == _MOST

    async def _publish(self, row: Waiting) -> None:
        message = msgspec.Raw(msgspec.json.encode(row.payload))
        await self._bus.append(row.subject, message, id=str(row.id), timeout=_LEASE / 2, fields=row.headers)
