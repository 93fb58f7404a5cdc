"""Leases: the time-limited right to act, with a fencing token.

A lease is a key with a time to live, renewed by revision check. Written by raw publishes with a TTL: nats-py's
`update` drops it, and with delete markers a lapsed key could not be created again (crm-and-reliability §0.9).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
import structlog

from libs.bus.errors import BusError, BusUnavailable, RevisionConflict
from libs.bus.keyvalue import KeyValue
from libs.contracts.clock import Clock

log = structlog.get_logger()

_SAFETY = 0.25
"""Part of the time to live in which the holder no longer acts although nobody else can hold it yet."""


class Holder(msgspec.Struct, frozen=True):
    instance: str


class Lease:
    def __init__(self, leases: KeyValue, name: str, instance: str, clock: Clock, ttl: float) -> None:
        self._leases = leases
        self._name = name
        self._holder = Holder(instance)
        self._clock = clock
        self._ttl = ttl
        self._deadline = 0.0
        self._revision = 0
        self._renewer: asyncio.Task[None] | None = None
        self.token = 0
        """Grows with every new holder, so that a store which remembers the highest can refuse an older one."""
        self.on_lost: Callable[[], None] | None = None
        """Called once when the lease is lost; not when it is released."""

    @property
    def held(self) -> bool:
        """False before anybody else can hold it, also after this process was frozen."""
        return self.time_left > 0

    @property
    def time_left(self) -> float:
        """Seconds for which it is held even if it is never renewed again."""
        return max(0.0, self._deadline - self._clock.monotonic())

    async def acquire(self) -> bool:
        """One try. When it succeeds the lease is renewed until it is released or lost."""
        if self._renewer is not None:
            return self.held
        asked = self._clock.monotonic()
        try:
            self._revision = await self._leases.create(self._name, self._holder, ttl=self._ttl)
        except (RevisionConflict, BusUnavailable):
            return False
        self.token = self._revision
        self._extend(asked)
        self._renewer = asyncio.create_task(self._renew(), name=f"lease:{self._name}")
        return True

    async def release(self) -> None:
        """Let go at once, so that another need not wait for the time to live."""
        if self._renewer is None:
            return
        self._renewer.cancel()
        with suppress(asyncio.CancelledError):
            await self._renewer
        self._renewer, self._deadline = None, 0.0
        with suppress(BusError):
            await self._leases.delete(self._name, self._revision)

    async def _renew(self) -> None:
        try:
            while self.held:
                await asyncio.sleep(min(self._ttl / 4, max(0.0, self._deadline - self._clock.monotonic())))
                await self._renew_once()
        except RevisionConflict:
            log.warning("lease_taken", lease=self._name)
        except Exception:
            log.exception("lease_renewal_failed", lease=self._name)
        self._lost()

    async def _renew_once(self) -> None:
        asked = self._clock.monotonic()
        try:
            self._revision = await self._leases.update(self._name, self._holder, self._revision, ttl=self._ttl)
        except BusUnavailable as error:
            log.warning("lease_not_renewed", lease=self._name, error=str(error))
        else:
            self._extend(asked)

    def _extend(self, asked: float) -> None:
        """The server counts from when it stored the key, which is not before we asked."""
        self._deadline = asked + self._ttl * (1 - _SAFETY)

    def _lost(self) -> None:
        self._renewer, self._deadline = None, 0.0
        log.warning("lease_lost", lease=self._name)
        if self.on_lost is not None:
            self.on_lost()
