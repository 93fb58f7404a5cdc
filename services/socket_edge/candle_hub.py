"""Which socket shows which feed. However many sockets show one, upstream it is wanted once."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from libs.bus import Bus, BusError, Subscription
from libs.contracts import subjects
from libs.contracts.market import Candle, Feed
from libs.contracts.rpc import CANDLES, CandleQuery
from services.socket_edge.candle_stream import CandleStream, Watch, history
from services.socket_edge.demand import Demand
from services.socket_edge.fanout import Fanout
from services.socket_edge.responses import CandleOut

log = structlog.get_logger()

HISTORY = 200
"""Candles a chart begins with."""


@dataclass(frozen=True, slots=True)
class _Upstream:
    stream: CandleStream
    subscribing: asyncio.Task[Subscription]


class CandleHub:
    """A socket has one chart, and watches of further feeds. What is replaced or left ends at once: nothing of the old
    feed is sent afterwards."""

    def __init__(self, bus: Bus, fanout: Fanout) -> None:
        self.demand = Demand(bus, self.feeds)
        self._bus = bus
        self._fanout = fanout
        self._watches: dict[str, dict[Feed | None, Watch]] = {}
        self._upstreams: dict[Feed, _Upstream] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def feeds(self) -> Iterable[Feed]:
        return self._upstreams.keys()

    def replace(self, sid: str) -> Watch:
        """A new chart in the place of the socket's old one."""
        return self._put(None, Watch(sid))

    def add(self, sid: str, feed: Feed, asset: str) -> Watch:
        """A further feed; in the place of an older watch of the same one."""
        return self._put(feed, Watch(sid, asset))

    def watched(self, sid: str) -> set[Feed]:
        """Besides the chart."""
        return {feed for feed in self._watches.get(sid, ()) if feed is not None}

    def leave(self, sid: str, feed: Feed | None = None) -> None:
        """The chart, or that watch."""
        watches = self._watches.get(sid, {})
        watch = watches.pop(feed, None)
        if not watches:
            self._watches.pop(sid, None)
        if watch is not None and watch.feed is not None:
            upstream = self._upstreams[watch.feed]
            upstream.stream.watches.discard(watch)
            if not upstream.stream.watches:
                self._close(watch.feed)

    def leave_all(self, sid: str) -> None:
        for feed in list(self._watches.get(sid, ())):
            self.leave(sid, feed)

    def current(self, watch: Watch) -> bool:
        """Whether nothing took its place."""
        return watch in self._watches.get(watch.sid, {}).values()

    def _put(self, feed: Feed | None, watch: Watch) -> Watch:
        self.leave(watch.sid, feed)
        self._watches.setdefault(watch.sid, {})[feed] = watch
        return watch

    async def join(self, watch: Watch, feed: Feed) -> list[CandleOut]:
        """Past candles of the feed; updates are held back until `begin`. Raises RpcError and BusError.

        For a current watch; whether it still is one must be looked at again afterwards.
        """
        upstream = self._upstreams.get(feed) or self._open(feed)
        upstream.stream.watches.add(watch)
        watch.feed = feed
        await asyncio.shield(upstream.subscribing)
        page = await self._bus.call(CANDLES, CandleQuery(active_id=feed.active_id, size=feed.size, count=HISTORY))
        return history(page.candles)

    def seq(self, watch: Watch) -> int:
        """Lower than the number of any update that it will get."""
        return 0 if watch.feed is None else max(0, self._upstreams[watch.feed].stream.version - 1)

    def begin(self, watch: Watch, until: int) -> None:
        """History was sent, up to `until` (epoch seconds): updates may follow."""
        if watch.feed is not None:
            self._upstreams[watch.feed].stream.begin(watch, until)

    def _open(self, feed: Feed) -> _Upstream:
        stream = CandleStream(self._fanout, asyncio.get_running_loop().call_later)
        subscribing = self._bus.subscribe(subjects.candle(feed), Candle, stream.receive, limit=1024)
        upstream = _Upstream(stream, asyncio.create_task(subscribing, name=f"subscribe:{feed}"))
        self._upstreams[feed] = upstream
        self.demand.changed.set()
        return upstream

    def _close(self, feed: Feed) -> None:
        upstream = self._upstreams.pop(feed)
        self.demand.changed.set()
        task = asyncio.create_task(_unsubscribe(upstream), name=f"unsubscribe:{feed}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _unsubscribe(upstream: _Upstream) -> None:
    try:
        subscription = await upstream.subscribing
        await subscription.stop()
    except BusError as error:
        log.warning("feed_not_unsubscribed", error=str(error))
