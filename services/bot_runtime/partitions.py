"""Who runs whose bots: users fall into a fixed number of partitions, and a lease on each says which process acts.

The partitions are shared out among the live processes. Each falls to one of them, which takes it as soon as it is free;
if that one does not, the next does. When a process joins, what falls to it is handed over.
"""

import asyncio
import zlib
from contextlib import suppress
from functools import partial
from typing import Protocol

import structlog
from prometheus_client import Gauge

from libs.bus import Bus, Lease, Members, Mirror
from libs.bus.lease import Holder
from libs.bus.topology import LEASES

PARTITIONS = 16
"""The same for every process and for ever: changing it moves users while their old partition is still held."""

_LOOK = 0.25
_TURN = 0.5
"""Seconds that a free partition is left to each process it falls to before this one."""

log = structlog.get_logger()

_held = Gauge("pregao_bot_partitions", "Partitions of bots this process holds")


def partition_of(user: str) -> int:
    return zlib.crc32(user.encode()) % PARTITIONS


class Owner(Protocol):
    """Who acts for the users of a partition."""

    def take(self, partition: int, lease: Lease) -> None:
        """Act from now on, while the lease is held."""
        ...

    def drop(self, partition: int) -> None: ...


class Partitions:
    def __init__(self, bus: Bus, owner: Owner, lease_seconds: int) -> None:
        self._bus = bus
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._leases = {number: bus.lease(_name(number), lease_seconds) for number in range(PARTITIONS)}
        self._taken: dict[int, int] = {}
        """With how many processes that it falls to before this one, which did not take it."""
        self._members = Members(bus, "bots", self._regroup)
        self._regrouped = asyncio.Event()
        self._holders: Mirror[Holder] | None = None
        self._free_since: dict[int, float] = {}
        """Monotonic seconds."""

    async def start(self) -> None:
        """Returns when it is known who else there is, and what is free has been taken. Raises BusError."""
        await self._members.start()
        self._holders = await self._bus.mirror(LEASES, _name("*"), Holder)
        await self._fit()

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._regrouped.wait()
            self._regrouped.clear()
            await self._fit()

    async def release(self) -> None:
        await self._members.stop()
        for number in list(self._taken):
            await self._give_up(number)

    def _regroup(self) -> None:
        self._regrouped.set()

    async def _fit(self) -> None:
        now = self._bus.clock.monotonic()
        for number, lease in self._leases.items():
            rank = self._members.rank(_name(number))
            if number in self._taken:
                if rank > self._taken[number]:
                    await self._give_up(number)
                else:
                    self._taken[number] = rank
            elif self._free(number, now, rank) and await lease.acquire():
                self._take(number, lease, rank)

    def _free(self, number: int, now: float, rank: int) -> bool:
        """For so long that it is this process's turn."""
        holder = self._holders.entry(_name(number)) if self._holders is not None else None
        if holder is not None and now - holder.received < self._lease_seconds:
            self._free_since.pop(number, None)
            return False
        return now - self._free_since.setdefault(number, now) >= rank * _TURN

    async def _give_up(self, number: int) -> None:
        self._drop(number)
        await self._leases[number].release()

    def _take(self, number: int, lease: Lease, rank: int) -> None:
        log.info("partition_taken", partition=number)
        self._taken[number] = rank
        lease.on_lost = partial(self._drop, number)
        self._owner.take(number, lease)
        _held.set(len(self._taken))

    def _drop(self, number: int) -> None:
        log.info("partition_dropped", partition=number)
        self._taken.pop(number, None)
        self._owner.drop(number)
        _held.set(len(self._taken))


def _name(number: int | str) -> str:
    return f"bots.{number}"
