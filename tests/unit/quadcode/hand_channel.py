"""A connection whose every event and answer comes when the test says so, in whatever order."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from libs.quadcode.declarations import Call, Filters, Listener, Topic
from libs.quadcode.errors import ConnectionLost, NotConnected, RequestTimeout
from libs.quadcode.server_clock import ServerClock
from tests.unit.quadcode.virtual_time import clock

USER_ID = 5150
_LONG = 200
"""Seconds."""


@dataclass
class _Asked:
    """A request, and what the broker has worked out to say, as late as it may be sent."""

    reply: object
    future: asyncio.Future[Any]


class HandChannel:
    """`answer` is the broker: it is asked at the moment a request is sent, and its reply comes by `reply_to_one`."""

    def __init__(self, answer: Callable[[Call[Any, Any], Any], object], seed: int) -> None:
        self.clock = ServerClock(clock())
        self.user_id = USER_ID
        self.connected = True
        self._answer = answer
        self._random = random.Random(seed)
        self._asked: list[_Asked] = []
        self._listeners: list[tuple[Topic[Any], Filters, Listener[Any]]] = []
        self._callbacks: list[Callable[[], None]] = []
        self._events: list[tuple[Topic[Any], Any]] = []

    def available(self, _: str) -> bool:
        return True

    async def request(self, call: Call[Any, Any], body: Any, _: float | None = None) -> Any:
        if not self.connected:
            raise NotConnected("down")
        asked = _Asked(self._answer(call, body), asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        return await asked.future

    async def subscribe(self, topic: Topic[Any], filters: Filters, listener: Listener[Any]) -> "HandChannel":
        self._listeners.append((topic, filters, listener))
        return self

    async def keep(self, _: Call[Any, Any], __: Any) -> "HandChannel":
        return self

    async def stop(self) -> None:
        """As a Subscription."""

    def when_connected(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def reset(self, _: str) -> None:
        self.drop()

    def push(self, topic: Topic[Any], event: Any) -> None:
        """On its way, unless there is no connection."""
        if self.connected:
            self._events.append((topic, event))

    def deliver_one(self, *, again: bool = False) -> None:
        """Any one of the events that are on their way; `again`: it will come once more."""
        if self._events:
            index = self._random.randrange(len(self._events))
            topic, event = self._events[index] if again else self._events.pop(index)
            for known, filters, listener in self._listeners:
                if known == topic and filters == tuple(getattr(event, name) for name in topic.filters):
                    listener(event)

    def lose_one(self) -> None:
        if self._events:
            self._events.pop(self._random.randrange(len(self._events)))

    def fail_one(self) -> None:
        """The oldest request is never answered."""
        if self._asked:
            asked = self._asked.pop(0)
            if not asked.future.done():
                asked.future.set_exception(RequestTimeout("too late"))

    def reply_to_one(self) -> None:
        """The oldest request."""
        if self._asked:
            asked = self._asked.pop(0)
            if not asked.future.done():
                asked.future.set_result(asked.reply)

    def drop(self) -> None:
        self.connected = False
        self._events.clear()
        for asked in self._asked:
            if not asked.future.done():
                asked.future.set_exception(ConnectionLost("down"))
        self._asked.clear()

    def connect(self) -> None:
        if not self.connected:
            self.connected = True
            self.clock.connected()
            for callback in tuple(self._callbacks):
                callback()

    def tell_time(self) -> None:
        """Never before what was pushed earlier."""
        if self.connected and not self._events:
            self.clock.sync(clock().now().timestamp() * 1000)

    async def settle(self) -> None:
        """Connected, with everything delivered and answered at once, for as long as anybody might wait."""
        self.connect()
        for _ in range(_LONG):
            while self._events:
                self.deliver_one()
            while self._asked:
                self.reply_to_one()
                await asyncio.sleep(0)
            self.tell_time()
            await asyncio.sleep(1)
