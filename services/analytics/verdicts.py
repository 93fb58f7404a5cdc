"""Signals whose close was never told, decided by the broker's history: by the candle that ended at their expiry."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import structlog

from libs.bus import Bus
from libs.contracts.market import Candle, Feed, offered_size
from libs.contracts.rpc import CANDLES, CandleQuery, ErrorCode, RpcError
from libs.store.scanner import Close, Overdue, Signals
from services.analytics.signals import decided

log = structlog.get_logger()

GRACE = timedelta(seconds=15)
"""After the expiry: the scanner tells most closes within a second, one without a last price with the next candle."""
_MOST = 1000
"""Candles the gateway answers at once."""
_TRIES = 3
"""Feeds whose history may fail before the others wait for the next turn."""


class Verdicts:
    def __init__(self, bus: Bus, signals: Signals) -> None:
        self._bus = bus
        self._signals = signals
        self._failures: Counter[Feed] = Counter()
        """One after the other, by feed: what fails again and again holds up no other."""

    async def catch_up(self) -> None:
        """Decide what is overdue, as far as it can be known. Raises StoreError."""
        tries = _TRIES
        due = await self._signals.overdue(self._bus.clock.now() - GRACE)
        for feed, overdue in sorted(((_feed(one), one) for one in due), key=lambda one: self._failures[one[0]]):
            try:
                closes = await self._closes(feed, overdue)
            except RpcError as error:
                log.warning("verdicts_wait", active_id=feed.active_id, size=feed.size, code=error.code)
                self._failures[feed] += 1
                tries -= 1
                if not tries:
                    return
                continue
            del self._failures[feed]
            if closes:
                decided(await self._signals.decide(closes), "history")

    async def _closes(self, feed: Feed, overdue: Overdue) -> list[Close]:
        now = self._bus.clock.now().timestamp()
        candles = await self._history(feed, now - overdue.expiries[0])
        closes = [Close(feed, expiry, price_at(candles, expiry, feed.size)) for expiry in overdue.expiries]
        # A candle that is not in the history yet can still come, for as long as the next one has not ended.
        settled = now - feed.size - GRACE.total_seconds()
        return [close for close in closes if close.price is not None or close.end < settled]

    async def _history(self, feed: Feed, age: float) -> Sequence[Candle]:
        """Of that many seconds; none of an active that the broker no longer has."""
        size = offered_size(feed.size)
        count = min(int((age + feed.size) // size) + 3, _MOST)
        try:
            page = await self._bus.call(CANDLES, CandleQuery(active_id=feed.active_id, size=size, count=count))
        except RpcError as error:
            if error.code is ErrorCode.ASSET_NOT_FOUND:
                return ()
            raise
        return page.candles


def _feed(overdue: Overdue) -> Feed:
    return Feed(overdue.active_id, overdue.timeframe)


def price_at(candles: Sequence[Candle], end: int, size: int) -> float | None:
    """The close of the candle of `size` seconds that ended then, of candles (ascending) that it is made of; None if
    there is none, or its last part is still running or can still come."""
    last = next((candle for candle in reversed(candles) if end - size < candle.end <= end), None)
    if last is None or last.at.timestamp() < last.end:
        return None
    return last.close if last.end == end or candles[-1].end > end else None
