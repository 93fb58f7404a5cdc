"""Candles that nobody saw close, read from the broker's history and published late."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from libs.contracts.market import Candle, Feed
from libs.quadcode.backoff import Backoff
from services.broker_gateway.broker import BrokerUnavailable, Market

log = structlog.get_logger()

PIECE = 1000
"""Most candles that are asked for at once (quadcode-protocol §11.1)."""
_AT_ONCE = 4
_TRIES = 8
_FIRST, _LONGEST = 0.5, 16.0
"""Seconds between two tries, doubled each time: all of them take most of a minute, plus what the broker takes."""
_FEEDS = 4096
"""With gaps at a time; more cannot exist (actives × sizes in use)."""
_GAPS = 64
"""Of one feed at a time."""


class Repairs:
    """Of one feed one gap after the other, in order; different feeds beside each other.

    Candles that close meanwhile do not wait for them. What history does not give stays a gap, which readers see by
    the numbers.
    """

    def __init__(self, market: Market, store: Callable[[Candle], Awaitable[None]]) -> None:
        self._market = market
        self._store = store
        self._gaps: dict[Feed, deque[tuple[int, int]]] = {}
        self._found: asyncio.Queue[Feed] = asyncio.Queue(_FEEDS)
        self._places = asyncio.Semaphore(_AT_ONCE)

    def ask(self, feed: Feed, missing: tuple[int, int]) -> None:
        """`missing`: an inclusive range of ids."""
        gaps = self._gaps.get(feed)
        if gaps is None and len(self._gaps) < _FEEDS:
            self._gaps[feed] = deque([missing])
            self._found.put_nowait(feed)
        elif gaps is not None and len(gaps) < _GAPS:
            gaps.append(missing)
        else:
            _leave(feed, missing, "too many gaps")

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._repair(await self._found.get()), name="feeds:repair")

    async def _repair(self, feed: Feed) -> None:
        gaps = self._gaps[feed]
        while gaps:
            first, last = gaps.popleft()
            for begin in range(first, last + 1, PIECE):
                await self._fill(feed, begin, min(begin + PIECE - 1, last))
        del self._gaps[feed]

    async def _fill(self, feed: Feed, first: int, last: int) -> None:
        backoff = Backoff(first=_FIRST, cap=_LONGEST, spread=0.0, jitter=lambda: 0.0)
        for tries_left in reversed(range(_TRIES)):
            async with self._places:
                if await self._try(feed, first, last, final=not tries_left):
                    return
            if tries_left:
                await asyncio.sleep(backoff.next())

    async def _try(self, feed: Feed, first: int, last: int, *, final: bool) -> bool:
        """Whether nothing is left to be done. The last try makes do with what there is."""
        try:
            found = [each for each in await self._market.candles(feed, ids=(first, last)) if _ended(each)]
            problem = "" if _whole(found, first, last) else f"history has {len(found)} of {last - first + 1}"
        except BrokerUnavailable as error:
            found, problem = [], str(error)
        if problem and not final:
            log.info("gap_not_repaired_yet", active_id=feed.active_id, size=feed.size, problem=problem)
            return False
        for candle in found:
            await self._store(candle)
        if problem:
            _leave(feed, (first, last), problem)
        return True


def _ended(candle: Candle) -> bool:
    return candle.at.timestamp() >= candle.end


def _whole(found: Sequence[Candle], first: int, last: int) -> bool:
    return [candle.id for candle in found] == list(range(first, last + 1))


def _leave(feed: Feed, missing: tuple[int, int], problem: str) -> None:
    log.warning("gap_left", active_id=feed.active_id, size=feed.size, missing=missing, problem=problem)
