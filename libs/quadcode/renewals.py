"""What is held over reconnects is asked for on each new connection, and what fails then, again while it lives."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

from libs.quadcode.backoff import Backoff, Jitter
from libs.quadcode.errors import ConnectionLost, NotConnected
from libs.quadcode.link import Link

K = TypeVar("K", bound=Hashable)

log = structlog.get_logger()

_FIRST = 0.5
_LAST = 60.0
"""Seconds until what failed is asked for again."""


class Renewals(Generic[K]):
    def __init__(self, ask: Callable[[Link, K], Awaitable[None]], jitter: Jitter, late: Callable[[], None]) -> None:
        """`late` is told when something was renewed after all: what was pushed meanwhile is missed."""
        self.failures = 0
        """How often the broker refused or did not answer, on all connections."""
        self._ask = ask
        self._jitter = jitter
        self._late = late
        self._missing: dict[K, None] = {}
        self._retrying: asyncio.Task[None] | None = None

    async def begin(self, link: Link, wanted: Sequence[K]) -> None:
        """Raises NotConnected or ConnectionLost when the connection goes meanwhile; nothing else is fatal."""
        self._missing = dict.fromkeys(wanted)
        await self._ask_for_missing(link)
        if self._missing:
            self._retrying = asyncio.create_task(self._retry(link), name="quadcode:renewals")

    def end(self) -> None:
        """The connection is over."""
        self._missing = {}
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None

    def forget(self, key: K) -> None:
        """It is not wanted any more."""
        self._missing.pop(key, None)

    async def _retry(self, link: Link) -> None:
        backoff = Backoff(first=_FIRST, cap=_LAST, spread=_FIRST, jitter=self._jitter)
        with suppress(NotConnected, ConnectionLost):
            while self._missing:
                await asyncio.sleep(backoff.next())
                if await self._ask_for_missing(link):
                    self._late()

    async def _ask_for_missing(self, link: Link) -> bool:
        """Whether one was renewed."""
        keys = tuple(self._missing)
        results = await asyncio.gather(*(self._ask(link, key) for key in keys), return_exceptions=True)
        renewed = False
        for key, problem in zip(keys, results, strict=True):
            if isinstance(problem, NotConnected | ConnectionLost):
                raise problem
            if isinstance(problem, Exception):
                self.failures += 1
                log.warning("not_renewed", failures=self.failures, problem=str(problem))
                continue
            self.forget(key)
            renewed = renewed or problem is None
        return renewed
