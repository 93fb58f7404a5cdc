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
    """One watch per socket. `replace` and `leave` take effect at once: nothing of the old feed is sent afterwards."""

    def __init__(self, bus: Bus, fanout: Fanout) -> None:
        self.demand = Demand(bus, self.feeds)
        self._bus = bus
        self._fanout = fanout
        self._watches: dict[str, Watch] = {}
        self._upstreams: dict[Feed, _Upstream] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def feeds(self) -> Iterable[Feed]:
        return self._upstreams.keys()

    def replace(self, sid: str) -> Watch:
        """A new watch in the place of the socket's old one."""
        self.leave(sid)
        watch = self._watches[sid] = Watch(sid)
        return watch

    def leave(self, sid: str) -> None:
        watch = self._watches.pop(sid, None)
        if watch is not None and watch.feed is not None:
            upstream = self._upstreams[watch.feed]
            upstream.stream.watches.discard(watch)
            if not upstream.stream.watches:
                self._close(watch.feed)

    def current(self, watch: Watch) -> bool:
        """Whether nothing took its place."""
        return self._watches.get(watch.sid) is watch

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
