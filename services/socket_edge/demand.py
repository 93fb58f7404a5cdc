"""Which candles this process wants of the gateway: KV `feeds`, renewed while it wants any."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from libs.bus import Bus, BusError
from libs.bus.topology import FEEDS
from libs.contracts.market import Feed, FeedDemand

_RENEW = 3.0
_LAPSE = 10.0
"""Seconds after which the wish of a dead process is forgotten."""

log = structlog.get_logger()


class Demand:
    def __init__(self, bus: Bus, feeds: Callable[[], Iterable[Feed]]) -> None:
        """`feeds()`: what is wanted now."""
        self.changed = asyncio.Event()
        self._feeds = feeds
        self._told = False
        self._bucket = bus.bucket(FEEDS)
        self._key = f"edge.{bus.instance}"

    async def run(self) -> None:
        """Tell it at once when `changed` is set, and again every few seconds. Until cancelled."""
        while True:
            self.changed.clear()
            await self._tell()
            with suppress(TimeoutError):
                async with asyncio.timeout(_RENEW):
                    await self.changed.wait()

    async def withdraw(self) -> None:
        if self._told:
            with suppress(BusError):
                await self._bucket.delete(self._key)

    async def _tell(self) -> None:
        wanted = tuple(sorted(self._feeds()))
        if not wanted and not self._told:
            return
        try:
            await self._bucket.put(self._key, FeedDemand(feeds=wanted), ttl=_LAPSE)
            self._told = bool(wanted)
        except BusError as error:
            log.warning("demand_not_told", error=str(error))
