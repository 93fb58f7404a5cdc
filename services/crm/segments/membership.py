"""Who is in dynamic segments. What happens to a contact lets it be looked at again, in the segments that mention what
changed; from time to time each segment is built anew, because time passes, and because nothing is perfect."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from libs.bus import Bus, BusError, Consumer, Delivery, Poison, Unavailable
from libs.bus.topology import CRM
from libs.contracts.crm.events import CrmEvent, EventType
from libs.store import StoreError, StoreRefused, StoreUnavailable
from libs.store.crm.segments import Check, Segments

log = structlog.get_logger()

CONSUMER = Consumer(CRM.name, "crm-segments", batch=200, linger=0.05)
_REBUILT_EVERY = 600.0
"""Seconds."""
_LOOK = 2.0
"""Seconds between two looks for segments that are to be built."""
_PUT_OFF = 30.0
"""Seconds until one that could not be built is tried again."""
_EVERYTHING = frozenset({EventType.CONTACT_CREATED, EventType.CONTACT_MERGED})
_PLAIN = {
    EventType.TAG_ADDED: "tags",
    EventType.TAG_REMOVED: "tags",
    EventType.SCORE_CHANGED: "score",
    EventType.CONSENT_CHANGED: "consent",
    EventType.SIGNED_UP: "user_id",
}

_moved = Counter("pregao_crm_segment_moves_total", "Contacts that entered or left a segment", ["by"])
_seconds = Histogram("pregao_crm_segment_rebuild_seconds", "Time to build a segment anew")


def names_of(event: CrmEvent) -> tuple[str, ...]:
    """Under which rules may mention what happened."""
    if event.type in _EVERYTHING:
        return ("*",)
    names = {f"activity.{event.type}", _PLAIN.get(EventType(event.type), "")} if event.type in set(EventType) else set()
    if event.type == EventType.CONTACT_UPDATED:
        names |= {str(name) for name in event.data.get("fields", ())}
    elif event.type in (EventType.SEGMENT_ENTERED, EventType.SEGMENT_LEFT):
        names.add(f"segment.{event.data.get('segment', '')}")
    return tuple(sorted(names - {""}))


class Membership:
    def __init__(self, bus: Bus, segments: Segments, told: Callable[[], None]) -> None:
        """`told()`: there is something to publish."""
        self._bus = bus
        self._segments = segments
        self._told = told
        self._due = asyncio.Event()
        self._put_off: dict[UUID, float] = {}
        """Until when, by the monotonic clock."""

    def changed(self) -> None:
        """A segment is to be built now."""
        self._due.set()

    async def follow(self, batch: list[Delivery]) -> None:
        """What is looked at is how things are now, so that an event may come twice, or late."""
        events = [delivery.decode(CrmEvent) for delivery in batch]
        wanted = [event for event in events if event.type != EventType.CONTACT_DELETED]
        checks = [Check(event.contact_id, names) for event in wanted if (names := names_of(event))]
        if not checks:
            return
        try:
            moved = await self._segments.recheck(checks)
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error
        if moved:
            _moved.labels("event").inc(moved)
            self._told()

    async def run(self) -> None:
        """Until cancelled; of all processes one builds."""
        lease = self._bus.lease("crm.segments")
        try:
            while True:
                try:
                    if lease.held or await lease.acquire():
                        await self._build()
                except (StoreError, BusError) as error:
                    log.warning("segments_wait", error=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK):
                        await self._due.wait()
                self._due.clear()
        finally:
            await lease.release()

    async def _build(self) -> None:
        """One that cannot be built now does not hold up the others, nor those that are looked at meanwhile."""
        for segment in await self._segments.due(_REBUILT_EVERY):
            if self._put_off.get(segment, float("-inf")) > self._bus.clock.monotonic():
                continue
            try:
                with _seconds.time():
                    moved = await self._segments.rebuild(segment)
            except StoreError as error:
                log.warning("segment_not_built", segment=str(segment), error=str(error))
                self._put_off[segment] = self._bus.clock.monotonic() + _PUT_OFF
                continue
            self._put_off.pop(segment, None)
            if moved:
                _moved.labels("rebuild").inc(moved)
                self._told()
