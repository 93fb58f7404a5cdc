"""Bounded buffers between the reader, which never waits, and whoever iterates over events."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Generic, TypeVar

E = TypeVar("E")


class Conflated(Generic[E]):
    """Only the newest event per key is kept. More than `limit` keys wait: the oldest is dropped and counted."""

    def __init__(self, key: Callable[[E], Hashable], limit: int) -> None:
        self._key = key
        self._limit = limit
        self._waiting: OrderedDict[Hashable, E] = OrderedDict()
        self._filled = asyncio.Event()
        self.dropped = 0

    def push(self, event: E) -> None:
        self._waiting[self._key(event)] = event
        if len(self._waiting) > self._limit:
            self._waiting.popitem(last=False)
            self.dropped += 1
        self._filled.set()

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        _, event = self._waiting.popitem(last=False)
        return event


class Complete(Generic[E]):
    """Every event, in order. More than `limit` waiting: `overflow` is called and all of them are let go.

    `overflow` must bring about that their reader starts again from a list: no event is lost without anybody knowing.
    """

    def __init__(self, limit: int, overflow: Callable[[], None]) -> None:
        self._limit = limit
        self._overflow = overflow
        self._waiting: deque[E] = deque()
        self._filled = asyncio.Event()

    def push(self, event: E) -> None:
        self._waiting.append(event)
        if len(self._waiting) > self._limit:
            self._waiting.clear()
            self._overflow()
        self._filled.set()

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popleft()
