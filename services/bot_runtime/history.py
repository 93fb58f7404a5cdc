"""Past candles, asked of the gateway until they come."""

import asyncio
from collections.abc import Callable

import structlog

from libs.bus import Bus
from libs.contracts.market import Candle, Feed
from libs.contracts.rpc import CANDLES, CandleQuery, RpcError

_AT_ONCE = 8
_RETRY = 2.0

log = structlog.get_logger()


class History:
    """`ask` queues a feed once; a few are fetched at a time, and again after a failure while they are wanted."""

    def __init__(
        self,
        bus: Bus,
        count: Callable[[Feed], int],
        wanted: Callable[[Feed], bool],
        loaded: Callable[[Feed, tuple[Candle, ...]], None],
    ) -> None:
        self._bus = bus
        self._count = count
        self._wanted = wanted
        self._loaded = loaded
        self._asked: set[Feed] = set()
        self._queue: asyncio.Queue[Feed] = asyncio.Queue()
        """Bounded by the number of feeds there are: each is in it once."""

    def ask(self, feed: Feed) -> None:
        if feed not in self._asked:
            self._asked.add(feed)
            self._queue.put_nowait(feed)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(_AT_ONCE):
                group.create_task(self._work(), name=f"history:{number}")

    async def _work(self) -> None:
        while True:
            feed = await self._queue.get()
            if not self._wanted(feed):
                self._asked.discard(feed)
                continue
            query = CandleQuery(active_id=feed.active_id, size=feed.size, count=self._count(feed))
            try:
                page = await self._bus.call(CANDLES, query)
            except RpcError as error:
                log.warning("history_failed", active_id=feed.active_id, size=feed.size, code=error.code)
                asyncio.get_running_loop().call_later(_RETRY, self._queue.put_nowait, feed)
                continue
            self._asked.discard(feed)
            self._loaded(feed, page.candles)
