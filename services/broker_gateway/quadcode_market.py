"""Market data and the catalogue of a Quadcode-platform broker, fitted to the gateway's port."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from msgspec import UNSET

from libs.contracts.market import Active, Candle, Feed, TradingHours
from libs.quadcode.candles import Candle as PastCandle
from libs.quadcode.candles import CandleGenerated, GetCandles
from libs.quadcode.client import Client, ConnectionState
from libs.quadcode.declarations import Subscription
from libs.quadcode.epoch import from_nanoseconds, from_seconds, seconds
from libs.quadcode.errors import QuadcodeError, TranslationsUnavailable
from libs.quadcode.option_actives import BlitzActive
from libs.quadcode.translations import translations
from services.broker_gateway.broker import BrokerUnavailable
from services.broker_gateway.quadcode import Credentials, Dial, start

log = structlog.get_logger()

_AT_ONCE = 8
_CATEGORIES = {"commodity": "commodities", "index": "indices", "indice": "indices", "stock": "stocks", "pair": "pairs"}
"""Singular forms of the words clients know (api-contract §11); other words are passed on."""


class QuadcodeMarket:
    def __init__(self, dial: Dial, credentials: Credentials, translations_host: str) -> None:
        self._client: Client = dial(credentials, self._state_changed)
        self._credentials = credentials
        self._refused = asyncio.Event()
        self._host = translations_host
        self._categories: dict[int, str] = {}
        self._subscriptions: dict[Feed, Subscription] = {}

    async def open(self) -> None:
        await start(self._client)
        self._credentials.use(self._session_renewed)

    async def close(self) -> None:
        self._credentials.leave(self._session_renewed)
        await self._client.close()

    def now(self) -> datetime:
        return self._client.clock.now()

    async def refused(self) -> None:
        await self._refused.wait()

    def _session_renewed(self) -> None:
        self._client.reset("the session id was renewed")

    def _state_changed(self, state: ConnectionState) -> None:
        if state is ConnectionState.AUTHENTICATION_FAILED:
            self._refused.set()

    async def actives(self) -> tuple[Active, ...]:
        try:
            offered = (await self._client.options.offers()).blitz.all()
            await self._learn_categories([active.id for active in offered if active.id not in self._categories])
        except QuadcodeError as error:
            raise BrokerUnavailable(str(error)) from error
        names = await self._names()
        return tuple(
            _active(active, self._categories, names) for active in sorted(offered, key=lambda active: active.id)
        )

    async def candles(self, feed: Feed, *, count: int = 0, ids: tuple[int, int] | None = None) -> list[Candle]:
        query = GetCandles(
            active_id=feed.active_id,
            size=feed.size,
            from_id=ids[0] if ids else UNSET,
            to_id=ids[1] if ids else UNSET,
            to=seconds(self.now()) if not ids else UNSET,
            count=count if not ids else UNSET,
        )
        try:
            candles = await self._client.candles.history(query)
        except QuadcodeError as error:
            raise BrokerUnavailable(str(error)) from error
        return [_past(feed, candle) for candle in candles]

    async def subscribe(self, feed: Feed, receive: Callable[[Candle], None]) -> None:
        def heard(candle: CandleGenerated) -> None:
            receive(_running(candle))

        try:
            self._subscriptions[feed] = await self._client.candles.watch(feed.active_id, feed.size, heard)
        except QuadcodeError as error:
            raise BrokerUnavailable(str(error)) from error

    async def unsubscribe(self, feed: Feed) -> None:
        subscription = self._subscriptions.pop(feed, None)
        if subscription is None:
            return
        try:
            await subscription.stop()
        except QuadcodeError as error:
            log.info("unsubscribe_failed", active_id=feed.active_id, size=feed.size, error=str(error))

    async def _learn_categories(self, active_ids: list[int]) -> None:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def learn(active_id: int) -> None:
            async with limit:
                kind = (await self._client.actives.get(active_id)).type.lower()
            self._categories[active_id] = _CATEGORIES.get(kind, kind or "other")

        await asyncio.gather(*(learn(active_id) for active_id in active_ids))

    async def _names(self) -> Mapping[str, str]:
        try:
            return await translations(self._host)
        except TranslationsUnavailable as error:
            log.warning("names_not_available", error=str(error))
            return {}


def _active(active: BlitzActive, categories: Mapping[int, str], names: Mapping[str, str]) -> Active:
    return Active(
        id=active.id,
        ticker=active.ticker,
        name=names.get(active.name, active.ticker),
        category=categories[active.id],
        suspended=active.is_suspended,
        hours=tuple(TradingHours(opens, closes) for opens, closes in active.schedule),
        durations=tuple(sorted(active.option.expiration_times)),
        payout=active.option.profit.percent,
    )


def _running(candle: CandleGenerated) -> Candle:
    return Candle(
        active_id=candle.active_id,
        size=candle.size,
        id=candle.id,
        start=candle.start,
        end=candle.end,
        open=candle.open,
        high=candle.max,
        low=candle.min,
        close=candle.close,
        volume=candle.volume,
        at=from_nanoseconds(candle.at),
    )


def _past(feed: Feed, candle: PastCandle) -> Candle:
    """A closed candle of history has no `at` (§11.1)."""
    at: datetime = from_seconds(candle.end) if candle.at is None else from_nanoseconds(candle.at)
    return Candle(
        active_id=feed.active_id,
        size=feed.size,
        id=candle.id,
        start=candle.start,
        end=candle.end,
        open=candle.open,
        high=candle.max,
        low=candle.min,
        close=candle.close,
        volume=candle.volume,
        at=at,
    )
