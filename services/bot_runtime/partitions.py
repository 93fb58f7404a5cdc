"""Who runs whose bots: users fall into a fixed number of partitions, and a lease on each says which process acts."""

import asyncio
import zlib
from collections.abc import Callable
from functools import partial
from typing import Protocol

import structlog
from prometheus_client import Gauge

from libs.bus import Bus, Lease

PARTITIONS = 8
"""The same for every process and for ever: changing it moves users while their old partition is still held."""

_RETRY = 1.0

log = structlog.get_logger()

_held = Gauge("pregao_bot_partitions", "Partitions of bots this process holds")


def partition_of(user: str) -> int:
    return zlib.crc32(user.encode()) % PARTITIONS


class Owner(Protocol):
    """Who acts for the users of a partition."""

    def take(self, partition: int, held: Callable[[], bool]) -> None: ...

    def drop(self, partition: int) -> None: ...


class Partitions:
    """Takes every partition that is free. A process that starts while all are held stands by to take over."""

    def __init__(self, bus: Bus, owner: Owner, lease_seconds: int) -> None:
        self._owner = owner
        self._leases = {number: bus.lease(f"bots.{number}", lease_seconds) for number in range(PARTITIONS)}
        self._taken: set[int] = set()

    async def acquire(self) -> None:
        """Try once for each that is not held here."""
        for number, lease in self._leases.items():
            if number not in self._taken and await lease.acquire():
                self._take(number, lease)

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_RETRY)
            await self.acquire()

    async def release(self) -> None:
        for number in list(self._taken):
            self._drop(number)
            await self._leases[number].release()

    def _take(self, number: int, lease: Lease) -> None:
        log.info("partition_taken", partition=number)
        self._taken.add(number)
        lease.on_lost = partial(self._drop, number)
        self._owner.take(number, lambda: lease.held)
        _held.set(len(self._taken))

    def _drop(self, number: int) -> None:
        self._taken.discard(number)
        self._owner.drop(number)
        _held.set(len(self._taken))
