"""The candles of one active and size, complete and up to date over every reconnect (quadcode-protocol §11.5)."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from itertools import pairwise
from types import TracebackType
from typing import Self

import structlog

from libs.quadcode.background import run_beside
from libs.quadcode.candle_repairs import WIDEST, Repairs
from libs.quadcode.candles import MOST, Candle, CandleGenerated, Candles, GetCandles
from libs.quadcode.declarations import Channel, Listener
from libs.quadcode.epoch import seconds
from libs.quadcode.errors import ConnectionLost, NotConnected, RequestFailed, RequestRefused

log = structlog.get_logger()

LIMIT = 10_000
_FIRST_RETRY = 1.0
_LAST_RETRY = 60.0
"""Seconds until a request that was not answered is made again."""
_NO_SUCH_TIME = 4220


class CandleSeries:
    """`async with client.series(active_id, size, listener) as series`; `candles` are ascending, none is there twice.

    `listener` hears each candle that is new or changed: the running one as it runs, and those that were missing when
    they were found. Where ids are not consecutive there is a hole; it is asked for until the broker has filled it.
    """

    def __init__(
        self,
        channel: Channel,
        candles: Candles,
        repairs: Repairs,
        active_id: int,
        size: int,
        listener: Listener[Candle],
        limit: int = LIMIT,
    ) -> None:
        """`size` in seconds; more than `limit` candles: the oldest are let go."""
        self.active_id = active_id
        self.size = size
        self.given_up = 0
        """Holes the broker did not fill."""
        self._channel = channel
        self._history = candles
        self._repairs = repairs
        self._listener = listener
        self._limit = limit
        self._ids: list[int] = []
        """Ascending."""
        self._by_id: dict[int, Candle] = {}
        self._holes: dict[tuple[int, int], None] = {}
        """First and last id of each, both known; the first to be found is the first to be filled."""
        self._first = 0
        """Epoch second at which the oldest candle of the broker starts, as far as that is known."""
        self._complete_from: int | None = None
        """Epoch second from which on candles were asked for."""
        self._behind = False
        self._wake = asyncio.Event()
        self._resources = AsyncExitStack()

    @property
    def candles(self) -> Sequence[Candle]:
        return tuple(self._by_id[id_] for id_ in self._ids)

    @property
    def whole(self) -> bool:
        """Whether no hole is known that could still be filled."""
        return not self._holes and not self._behind

    async def __aenter__(self) -> Self:
        """Follows from here on; older ones are there when they were loaded. Raises NotConnected or RequestFailed."""
        async with AsyncExitStack() as stack:
            stack.callback(self._channel.when_connected(self._reconnected))
            self._first = await self._oldest()
            live = await self._history.watch(self.active_id, self.size, self._live)
            stack.push_async_callback(live.stop)
            run_beside(stack, self._keep(), f"quadcode:candles:{self.active_id}:{self.size}")
            self._resources = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def load(self, since: int) -> Sequence[Candle]:
        """Those that start at epoch second `since` or later, at most the newest `limit` of them.

        Raises NotConnected or RequestFailed.
        """
        since = max(since, self._first)
        if self._complete_from is None or since < self._complete_from:
            end = self._now() if self._complete_from is None else self._complete_from - 1
            await self._fetch(since, end)
            self._complete_from = since
        return [candle for candle in self.candles if candle.start >= since]

    async def load_before(self, count: int = MOST) -> Sequence[Candle]:
        """Up to 1,000 candles before the oldest one there is. Raises NotConnected or RequestFailed."""
        to = self._by_id[self._ids[0]].start - 1 if self._ids else self._now()
        found = await self._history.history(
            GetCandles(active_id=self.active_id, size=self.size, to=to, count=min(count, MOST))
        )
        self._merge(found)
        if found:
            self._complete_from = found[0].start
        return found

    def _now(self) -> int:
        return seconds(self._channel.clock.now())

    async def _oldest(self) -> int:
        try:
            oldest = (await self._history.first(self.active_id)).get(self.size)
        except (ConnectionLost, NotConnected):
            raise
        except RequestFailed as problem:
            log.info("first_candle_unknown", active_id=self.active_id, problem=str(problem))
            return 0
        return oldest.start if oldest is not None else 0

    def _reconnected(self) -> None:
        self._behind = bool(self._ids)
        self._wake.set()

    def _live(self, update: CandleGenerated) -> None:
        candle = Candle(
            update.id, update.start, update.end, update.open, update.close, update.min, update.max,
            update.volume, update.at,
        )  # fmt: skip
        if not self._ids or candle.id >= self._ids[-1]:
            self._merge([candle])

    def _merge(self, candles: Iterable[Candle]) -> None:
        """Newer knowledge of a candle replaces older; holes beside new ones are noted."""
        inserted: list[int] = []
        for candle in candles:
            known = self._by_id.get(candle.id)
            if known is None:
                inserted.append(candle.id)
            elif candle == known or _told_at(candle) < _told_at(known):
                continue
            self._by_id[candle.id] = candle
            self._tell(candle)
        if inserted:
            self._ids.extend(inserted)
            self._ids.sort()
            self._look_for_holes(inserted)
            self._let_go(len(self._ids) - self._limit)

    def _look_for_holes(self, inserted: Iterable[int]) -> None:
        for id_ in inserted:
            place = bisect_left(self._ids, id_)
            for before, after in pairwise(self._ids[max(place - 1, 0) : place + 2]):
                if after - before > 1 or not self._by_id[before].ended:
                    self._holes[before, after] = None
                    self._wake.set()

    def _let_go(self, surplus: int) -> None:
        if surplus > 0:
            for id_ in self._ids[:surplus]:
                del self._by_id[id_]
            del self._ids[:surplus]
            self._complete_from = self._by_id[self._ids[0]].start

    def _tell(self, candle: Candle) -> None:
        try:
            self._listener(candle)
        except Exception:
            log.exception("listener_failed", active_id=self.active_id, size=self.size)

    async def _keep(self) -> None:
        pause: float | None = None
        retry = _FIRST_RETRY
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()
            pause = None
            try:
                if self._behind:
                    await self._catch_up()
                while self._holes:
                    await self._fill(*next(iter(self._holes)))
                retry = _FIRST_RETRY
            except (NotConnected, ConnectionLost):
                continue  # the next connection wakes
            except RequestFailed as problem:
                log.info("candles_not_caught_up", active_id=self.active_id, size=self.size, problem=str(problem))
                pause, retry = retry, min(retry * 2, _LAST_RETRY)

    async def _catch_up(self) -> None:
        self._behind = False
        last = self._by_id[self._ids[-1]]
        try:
            await self._fetch(last.end if last.ended else last.start, self._now())
        except RequestRefused as refusal:
            if refusal.status != _NO_SUCH_TIME:
                self._behind = True
                raise
            await self._newest()
        except (NotConnected, RequestFailed):
            self._behind = True
            raise

    async def _newest(self) -> None:
        query = GetCandles(active_id=self.active_id, size=self.size, to=self._now(), count=MOST)
        self._merge(await self._history.history(query))

    async def _fetch(self, start: int, end: int) -> None:
        """Page by page, without what is older than `limit` candles; merged together, lest a page look like a hole."""
        start = max(start, self._now() - self._limit * self.size)
        pages: list[Candle] = []
        while start <= end:
            query = GetCandles(active_id=self.active_id, size=self.size, from_=start, to=end)
            found = await self._history.history(query)
            pages.extend(found)
            if len(found) < MOST or found[-1].start < start:
                break
            start = found[-1].start + 1
        self._merge(pages)

    async def _fill(self, first: int, last: int) -> None:
        """The newest part of a wide hole first."""
        if self._filled(first, last):
            del self._holes[first, last]
            return
        begin = max(first, last - WIDEST)
        found = await self._repairs.run(self.active_id, self.size, begin, last)
        if found is None:
            self.given_up += 1
        else:
            self._merge(found)
            if begin > first:
                self._holes[first, begin] = None
        del self._holes[first, last]

    def _filled(self, first: int, last: int) -> bool:
        """Also when it is older than what is kept."""
        known = bisect_left(self._ids, last) - bisect_left(self._ids, first)
        return first not in self._by_id or (known == last - first and self._by_id[first].ended)


def _told_at(candle: Candle) -> float:
    """Epoch nanoseconds at which it was so; a candle of history that has ended is never outdated."""
    return float("inf") if candle.at is None else candle.at
