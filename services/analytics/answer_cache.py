"""Answers that cost something, kept for a moment. Whoever asks for what is being made waits for it instead of making it
again; what a trade has made stale is still told for a fraction of a second while it is made anew, and then no more: so
whoever asks a second after a trade is told of it. No answer is made twice at once, however slow it is."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Counter

from libs.bus.rpc import Dated, Handler
from libs.contracts.clock import Clock
from libs.contracts.codec import encode
from libs.contracts.rpc import Endpoint

Handlers = Mapping[Endpoint[Any, Any], Handler[Any, Any]]

_LATE = 0.6
"""Seconds for which an answer is told when it is stale."""
_PAUSE = 0.25
"""Seconds between two beginnings to make the same answer while the last one may still be told."""

log = structlog.get_logger()

_told = Counter("pregao_answers_total", "Answers that are kept, by where they came from", ["source"])


class _Making:
    """An answer that is, or was, made. Times are monotonic seconds."""

    def __init__(self, make: Callable[[], Awaitable[Any]], begun: float, at: datetime, keep: float) -> None:
        self.at = at
        self.begun = begun
        self.stale_since = begun + keep
        self.task: asyncio.Task[Any] = asyncio.create_task(_await(make))

    def touch(self, now: float) -> None:
        self.stale_since = min(self.stale_since, now)

    def may_be_told(self, now: float) -> bool:
        return now - self.stale_since < _LATE


class _Kept:
    def __init__(self, user: str | None) -> None:
        self.user = user
        """Whose trades it is about; None: everybody's."""
        self.made: _Making | None = None
        self.making: _Making | None = None


class AnswerCache:
    def __init__(self, clock: Clock, keep: float = 10.0, most: int = 128) -> None:
        """`keep`: seconds after which an answer is stale also without a trade, as time passes and rows are deleted;
        `most`: answers that are kept."""
        self._clock = clock
        self._keep = keep
        self._most = most
        self._answers: OrderedDict[tuple[str, bytes], _Kept] = OrderedDict()

    def around(self, handlers: Handlers) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        """The same, answering from here."""
        return {endpoint: self._kept(endpoint.name, handler) for endpoint, handler in handlers.items()}

    def touch(self, user: str) -> None:
        """A trade of this user was recorded: what was begun before does not know of it."""
        now = self._clock.monotonic()
        for kept in self._answers.values():
            if kept.user is None or kept.user == user:
                for making in (kept.made, kept.making):
                    if making is not None:
                        making.touch(now)

    def _kept(self, name: str, handler: Handler[Any, Any]) -> Handler[Any, Any]:
        async def answer(query: Any) -> Dated[Any]:
            return await self._answer((name, encode(query)), _user_of(query), lambda: handler(query))

        return answer

    async def _answer(self, key: tuple[str, bytes], user: str | None, make: Callable[[], Awaitable[Any]]) -> Dated[Any]:
        kept = self._of(key, user)
        while True:
            now = self._clock.monotonic()
            if (told := self._made(kept, make, now)) is not None:
                return told
            making = kept.making
            if making is None or making.may_be_told(now):
                break
            await asyncio.wait([making.task])  # it began too early; two at once would only be slower
        making = making or self._begin(kept, make, now)
        _told.labels("made").inc()
        return Dated(await asyncio.shield(making.task), making.at)

    def _made(self, kept: _Kept, make: Callable[[], Awaitable[Any]], now: float) -> Dated[Any] | None:
        """What was made before, if it may be told; a stale one is then made anew."""
        made = kept.made
        if made is None or not made.may_be_told(now):
            return None
        fresh = now < made.stale_since
        if not fresh and now - made.begun >= _PAUSE and kept.making is None:
            self._begin(kept, make, now)
        _told.labels("fresh" if fresh else "stale").inc()
        return Dated(made.task.result(), made.at)

    def _of(self, key: tuple[str, bytes], user: str | None) -> _Kept:
        kept = self._answers.get(key)
        if kept is None:
            kept = self._answers[key] = _Kept(user)
            if len(self._answers) > self._most:
                self._answers.popitem(last=False)
        else:
            self._answers.move_to_end(key)
        return kept

    def _begin(self, kept: _Kept, make: Callable[[], Awaitable[Any]], now: float) -> _Making:
        making = _Making(make, now, self._clock.now(), self._keep)

        def settle(task: asyncio.Task[Any]) -> None:
            kept.making = None
            if task.cancelled():
                return
            if (error := task.exception()) is not None:
                log.info("answer_not_made", error=str(error))  # whoever waits is told; maybe nobody does
            else:
                kept.made = making

        kept.making = making
        making.task.add_done_callback(settle)
        return making


def _user_of(query: Any) -> str | None:
    user = getattr(query, "user_id", None)
    return None if user is None else str(user)


async def _await(make: Callable[[], Awaitable[Any]]) -> Any:
    return await make()
