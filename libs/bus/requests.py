"""Asking on the bus, and waiting for the answer.

nats-py's own `request` costs twice the CPU, and an order needs several of them: it makes a random token for each, and
waits with `asyncio.wait_for`, which in Python 3.11 also loses a cancellation that comes with the answer.
"""

import asyncio
from collections.abc import Mapping
from itertools import count

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from libs.bus.cancellation import Cancellable

_MOST = 16_384
"""More requests in flight than that are a flood."""

_NO_RESPONDERS = "503"


class TooManyRequests(NatsError):
    """Nothing was sent."""


class Requests:
    """All answers come to one wildcard subscription; each names its request by a number that is never used again, so
    that a late one is nobody's."""

    def __init__(self, client: Client, most: int = _MOST) -> None:
        """While `most` requests are in flight, others are refused."""
        self._client = client
        self._most = most
        self._inbox = ""
        self._numbers = count()
        self._waiting: dict[str, asyncio.Future[Msg | None]] = {}

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    @property
    def in_flight(self) -> int:
        return len(self._waiting)

    async def open(self) -> None:
        """Once, when the client is connected; the client repeats it after each reconnect."""
        self._inbox = f"{self._client.new_inbox()}."
        await self._client.subscribe(f"{self._inbox}*", cb=self._answered)

    async def ask(self, subject: str, data: bytes, timeout: float, headers: Mapping[str, str] | None = None) -> Msg:
        """The answer. `timeout` in seconds.

        Raises NoRespondersError and TooManyRequests when nobody was asked, TimeoutError and other errors of nats-py
        when the outcome is not known.
        """
        return await self._ask(subject, f"{self._inbox}{next(self._numbers)}", data, timeout, headers)

    async def echo(self, timeout: float) -> None:
        """Ask ourselves: what was sent before has reached the server. Raises as `ask` does."""
        address = f"{self._inbox}{next(self._numbers)}"
        await self._ask(address, address, b"", timeout, None)

    async def _ask(
        self, subject: str, address: str, data: bytes, timeout: float, headers: Mapping[str, str] | None
    ) -> Msg:
        if len(self._waiting) >= self._most:
            raise TooManyRequests(f"{self._most} requests are in flight")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Msg | None] = loop.create_future()
        self._waiting[address] = answer
        timer = loop.call_later(timeout, _expire, answer)
        try:
            with Cancellable():  # `publish` swallows one that comes while it waits for the socket
                await self._client.publish(subject, data, address, dict(headers) if headers else None)
            message = await answer
        finally:
            timer.cancel()
            del self._waiting[address]
        if message is None:
            raise TimeoutError(f"no answer from {subject} in {timeout:g} s")
        if not message.data and message.headers and message.headers.get("Status") == _NO_RESPONDERS:
            raise NoRespondersError
        return message

    async def _answered(self, message: Msg) -> None:
        answer = self._waiting.get(message.subject)
        if answer is not None and not answer.done():
            answer.set_result(message)


def _expire(answer: asyncio.Future[Msg | None]) -> None:
    if not answer.done():
        answer.set_result(None)
