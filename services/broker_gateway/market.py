"""Market data for everybody: one gateway holds the lease and reads it with the system session."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from libs.bus import Bus, BusError, Entry, KeyValue
from libs.bus.topology import CATALOGUE, FEEDS
from libs.contracts.alerts import Severity
from libs.contracts.market import CANDLE_SIZES, Active, Catalogue, Feed, FeedDemand
from libs.contracts.rpc import CANDLES, CandlePage, CandleQuery, ErrorCode, RpcError
from libs.service.together import until_one_ends
from services.broker_gateway.alarms import try_alarm
from services.broker_gateway.broker import AuthenticationRefused, BrokerUnavailable, Market
from services.broker_gateway.demand import wanted
from services.broker_gateway.feeds import Feeds
from services.broker_gateway.tape import Tape
from services.broker_gateway.tenure import Right

log = structlog.get_logger()

CATALOGUE_KEY = "actives"
_REFRESH = 60.0
"""Seconds between two looks at what is offered: of most of its changes the broker does not tell (§12.1)."""
_RETRY = 2.0
_FAILURES = 3
"""Failed tries in a row until an operator is told."""


class MarketDesk:
    def __init__(self, bus: Bus, connect: Callable[[], Market]) -> None:
        self._bus = bus
        self._connect = connect
        self._catalogue: KeyValue = bus.bucket(CATALOGUE)
        self._actives: dict[int, Active] = {}
        self._changed = asyncio.Event()
        self._failures = 0

    async def run(self) -> None:
        """Hold the market whenever nobody else does; until cancelled."""
        demands = await self._bus.mirror(FEEDS, ">", FeedDemand, self._demand_changed)

        def feeds() -> frozenset[Feed]:
            return wanted((entry for _, entry in demands.items()), self._bus.clock.monotonic())

        while True:
            lease = self._bus.lease("market")
            if await lease.acquire():
                lost = asyncio.Event()
                lease.on_lost = lost.set
                try:
                    await self._hold(feeds, lease, lost)
                except (BrokerUnavailable, AuthenticationRefused, BusError) as error:
                    await self._failed(str(error))
                finally:
                    await lease.release()
            await asyncio.sleep(_RETRY)

    async def _failed(self, problem: str) -> None:
        log.warning("market_not_available", error=problem)
        self._failures += 1
        if self._failures == _FAILURES:
            message = f"there is no market data: the system session failed {_FAILURES} times in a row: {problem}"
            await try_alarm(self._bus, Severity.CRITICAL, "market_not_available", message)

    async def candles(self, market: Market, query: CandleQuery) -> CandlePage:
        """Answers `rpc.gateway.candles`."""
        if query.size not in CANDLE_SIZES:
            raise RpcError(ErrorCode.INVALID_REQUEST, f"`size` must be one of {', '.join(map(str, CANDLE_SIZES))}")
        if query.active_id not in self._actives:
            raise RpcError(ErrorCode.ASSET_NOT_FOUND, f"the broker has no active {query.active_id}")
        try:
            candles = await market.candles(Feed(query.active_id, query.size), count=query.count)
        except BrokerUnavailable as error:
            raise RpcError(ErrorCode.BROKER_UNREACHABLE, str(error)) from error
        return CandlePage(candles=tuple(candles))

    async def _hold(self, feeds: Callable[[], frozenset[Feed]], right: Right, lost: asyncio.Event) -> None:
        market = self._connect()
        await market.open()
        served = None
        try:
            await self._refresh(market)
            served = await self._bus.serve("gateway-market", {CANDLES: lambda query: self.candles(market, query)})
            self._failures = 0
            log.info("market_held", actives=len(self._actives))
            await self._work(market, Tape(self._bus, right), feeds, lost)
        finally:
            if served is not None:
                await served.stop()
            await market.close()

    async def _work(
        self, market: Market, tape: Tape, feeds: Callable[[], frozenset[Feed]], lost: asyncio.Event
    ) -> None:
        await until_one_ends(
            tape=tape.run(),
            feeds=Feeds(market, tape, feeds).run(self._changed),
            catalogue=self._refreshing(market),
            refused=market.refused(),
            lost=lost.wait(),
        )

    async def _refreshing(self, market: Market) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH):
                    await market.offers_changed()
            try:
                await self._refresh(market)
            except (BrokerUnavailable, BusError) as error:
                log.warning("catalogue_not_refreshed", error=str(error))

    async def _refresh(self, market: Market) -> None:
        actives = await market.actives()
        self._actives = {active.id: active for active in actives}
        known = await self._catalogue.get(CATALOGUE_KEY, Catalogue)
        if known is None or known.value.actives != actives:
            catalogue = Catalogue(at=self._bus.clock.now(), actives=actives)
            await self._catalogue.put(CATALOGUE_KEY, catalogue)
            log.info("catalogue_published", actives=len(actives))

    def _demand_changed(self, _key: str, _entry: Entry[FeedDemand] | None) -> None:
        self._changed.set()
