"""Which candles a part of this process wants of the gateway: KV `feeds`, renewed while it wants any."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from libs.bus import Bus, BusError
from libs.bus.topology import FEEDS
from libs.contracts.market import Feed, FeedDemand

_RENEW = 3.0
_SETTLE = 0.5
"""Seconds in which many changes become one."""
_LAPSE = 10.0
"""Seconds after which the wish of a dead process is forgotten."""

log = structlog.get_logger()


class Demand:
    def __init__(
        self,
        bus: Bus,
        part: str,
        wanted: Callable[[], frozenset[Feed]],
        watch: Callable[[frozenset[Feed]], None],
    ) -> None:
        """`wanted()`: what is needed now; `watch(feeds)` is told of every change of it."""
        self._bucket = bus.bucket(FEEDS)
        self._key = f"bots.{bus.instance}.{part}"
        self._wanted = wanted
        self._watch = watch
        self._feeds: frozenset[Feed] = frozenset()

    async def run(self, changed: asyncio.Event) -> None:
        """Look again when `changed` is set, and every few seconds: trading hours begin and end. Until cancelled."""
        while True:
            changed.clear()
            await self.renew()
            await asyncio.sleep(_SETTLE)
            with suppress(TimeoutError):
                async with asyncio.timeout(_RENEW):
                    await changed.wait()

    async def renew(self) -> None:
        wanted = self._wanted()
        if wanted != self._feeds:
            self._watch(wanted)
        elif not wanted:
            return
        self._feeds = wanted
        try:
            await self._bucket.put(self._key, FeedDemand(feeds=tuple(sorted(wanted))), ttl=_LAPSE)
        except BusError as error:
            log.warning("demand_not_renewed", error=str(error))

    async def withdraw(self) -> None:
        if self._feeds:
            with suppress(BusError):
                await self._bucket.delete(self._key)
