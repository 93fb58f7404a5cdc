"""Market data and the catalogue of a Quadcode-platform broker, fitted to the gateway's port."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog
from msgspec import UNSET

from libs.contracts.market import Active, Candle, Feed
from libs.quadcode.candles import Candle as PastCandle
from libs.quadcode.candles import CandleGenerated, GetCandles
from libs.quadcode.client import Client, ConnectionState
from libs.quadcode.declarations import Subscription
from libs.quadcode.epoch import from_nanoseconds, from_seconds, seconds
from libs.quadcode.errors import QuadcodeError
from services.broker_gateway.broker import BrokerUnavailable
from services.broker_gateway.quadcode import Credentials, Dial, start
from services.broker_gateway.quadcode_catalogue import QuadcodeCatalogue

log = structlog.get_logger()


class QuadcodeMarket:
    def __init__(self, dial: Dial, credentials: Credentials, translations_host: str) -> None:
        self._client: Client = dial(credentials, self._state_changed)
        self._credentials = credentials
        self._refused = asyncio.Event()
        self._catalogue = QuadcodeCatalogue(self._client, translations_host)
        self._offers_changed = asyncio.Event()
        self._subscriptions: dict[Feed, Subscription] = {}

    async def open(self) -> None:
        await start(self._client, self._credentials.broker_user_id)
        try:
            await self._client.digital.watch_underlyings(lambda _: self._offers_changed.set())
        except QuadcodeError as error:
            log.warning("offers_not_watched", error=str(error))
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
        return await self._catalogue.read()

    async def offers_changed(self) -> None:
        if await self._catalogue.learn():
            return
        await self._offers_changed.wait()
        self._offers_changed.clear()

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
