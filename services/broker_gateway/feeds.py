"""The candle feeds that somebody wants, subscribed at the broker once each, however many want them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog
from prometheus_client import Gauge, Histogram

from libs.bus import BusError
from libs.contracts.market import Candle, Feed
from services.broker_gateway.broker import BrokerUnavailable, Market
from services.broker_gateway.closing import Closing
from services.broker_gateway.repairs import Repairs
from services.broker_gateway.tape import Tape

log = structlog.get_logger()

_feeds = Gauge("pregao_feeds", "Candle feeds subscribed at the broker")
_silence = Gauge("pregao_feed_silence_seconds", "Since the newest update of any subscribed feed")
_lag = Histogram(
    "pregao_feed_lag_seconds",
    "From the broker's time of a candle update to its publication",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class Feeds:
    """Fits what is subscribed to what is wanted, and turns updates into what is published.

    Running candles conflate: while one waits to be published, a newer one of the same feed takes its place.
    """

    def __init__(self, market: Market, tape: Tape, wanted: Callable[[], frozenset[Feed]]) -> None:
        self._market = market
        self._tape = tape
        self._wanted = wanted
        self._followed: dict[Feed, Closing] = {}
        self._newest: dict[Feed, Candle] = {}
        self._fresh = asyncio.Event()
        self._repairs = Repairs(market, tape.store)
        self._heard = market.now()

    async def run(self, changed: asyncio.Event) -> None:
        """Until cancelled. `changed` is set when somebody's wishes did; lapsed ones are noticed within a second."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._publish(), name="feeds:publish")
                group.create_task(self._repairs.run(), name="feeds:repairs")
                await self._keep(changed)
        finally:
            _feeds.set(0)
            _silence.set(0)

    async def _keep(self, changed: asyncio.Event) -> None:
        while True:
            changed.clear()
            await self._fit()
            _silence.set((self._market.now() - self._heard).total_seconds() if self._followed else 0)
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await changed.wait()

    async def _fit(self) -> None:
        wanted = self._wanted()
        for feed in [feed for feed in self._followed if feed not in wanted]:
            del self._followed[feed]
            await self._market.unsubscribe(feed)
        for feed in [feed for feed in wanted if feed not in self._followed]:
            self._followed[feed] = Closing(await self._stored(feed))
            try:
                await self._market.subscribe(feed, partial(self._update, feed))
            except BrokerUnavailable as error:
                del self._followed[feed]
                log.warning("feed_not_subscribed", active_id=feed.active_id, size=feed.size, error=str(error))
        _feeds.set(len(self._followed))

    async def _stored(self, feed: Feed) -> int | None:
        try:
            candle = await self._tape.last_closed(feed)
        except BusError as error:
            log.warning("feed_not_resumed", active_id=feed.active_id, size=feed.size, error=str(error))
            return None
        return None if candle is None else candle.id

    def _update(self, feed: Feed, candle: Candle) -> None:
        closing = self._followed.get(feed)
        if closing is None:
            return
        self._heard = self._market.now()
        step = closing.update(candle)
        if step.missing is not None:
            self._repairs.ask(feed, step.missing)
        if step.closed is not None:
            self._tape.close(step.closed)
        if step.running is not None:
            self._newest[feed] = step.running
            self._fresh.set()

    async def _publish(self) -> None:
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            newest, self._newest = self._newest, {}
            for candle in newest.values():
                if await self._tape.show(candle):
                    _lag.observe(max(0.0, (self._market.now() - candle.at).total_seconds()))
