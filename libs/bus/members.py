"""The live instances of a service, and which of them something falls to.

Rendezvous hashing (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998): each member comes
first for its part of all keys, and one that joins or leaves moves only its part. It says who tries first, no more: what
only one may do is done under a lease.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b

import msgspec
import structlog

from libs.bus.connection import Bus
from libs.bus.errors import BusError
from libs.bus.mirror import Mirror
from libs.bus.topology import LEASES

log = structlog.get_logger()

_RENEW = 1.0
_LAPSE = 4.0
"""Seconds without news after which a member is taken for gone: less than a lease lasts."""
_FORGOTTEN = 10.0
"""Seconds after which NATS forgets its key."""


class Member(msgspec.Struct, frozen=True):
    instance: str


class Members:
    def __init__(self, bus: Bus, group: str, on_change: Callable[[], None]) -> None:
        """`on_change` is called when a member has joined or gone."""
        self._bus = bus
        self._prefix = f"member.{group}"
        self._leases = bus.bucket(LEASES)
        self._on_change = on_change
        self._live = frozenset({bus.instance})
        self._mirror: Mirror[Member] | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the others are known, and this one is to them. Raises BusError."""
        await self._announce()
        self._mirror = await self._bus.mirror(LEASES, f"{self._prefix}.*", Member, lambda _key, _entry: self._look())
        self._look()
        self._renewing = asyncio.create_task(self._renew(), name=f"members:{self._prefix}")

    async def stop(self) -> None:
        """The others need not wait until it lapses."""
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing
            with suppress(BusError):
                await self._leases.delete(f"{self._prefix}.{self._bus.instance}")

    def rank(self, key: str) -> int:
        """How many live members come before this one for a key; 0: it falls to this one."""
        return ranking(self._live, key).index(self._bus.instance)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW)
            try:
                await self._announce()
            except BusError as error:
                log.warning("membership_not_renewed", error=str(error))
            self._look()

    async def _announce(self) -> None:
        await self._leases.put(f"{self._prefix}.{self._bus.instance}", Member(self._bus.instance), ttl=_FORGOTTEN)

    def _look(self) -> None:
        if self._mirror is None:
            return
        since = self._bus.clock.monotonic() - _LAPSE
        entries = [entry for _, entry in self._mirror.items()]
        # Of one that died before this one started, the last word is new to us: but it is older than that of the living.
        newest = max((entry.stored for entry in entries), default=0.0)
        heard = {entry.value.instance for entry in entries if entry.received > since and entry.stored > newest - _LAPSE}
        live = frozenset(heard | {self._bus.instance})
        if live != self._live:
            log.info("members_changed", joined=sorted(live - self._live), gone=sorted(self._live - live))
            self._live = live
            self._on_change()


def ranking(members: Iterable[str], key: str) -> list[str]:
    """Whom `key` falls to first, and to whom if that one is gone, and so on; the same to everybody who asks."""
    return sorted(members, key=lambda member: blake2b(f"{member}/{key}".encode(), digest_size=8).digest())
