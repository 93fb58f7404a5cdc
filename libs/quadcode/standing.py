"""Requests that ask for events, as subscriptions do, and so must be made again on every connection (§3.10)."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

from libs.quadcode.backoff import Jitter
from libs.quadcode.declarations import Call
from libs.quadcode.errors import ConnectionLost, NotConnected, RequestFailed, UnexpectedReply
from libs.quadcode.frames import Result
from libs.quadcode.link import Link
from libs.quadcode.renewals import Renewals

B = TypeVar("B")
_Request = tuple[Call[Any, Result], object]

log = structlog.get_logger()


class Kept:
    """One holder's part in a standing request."""

    def __init__(self, standing: "Standing", call: Call[Any, Result], body: object) -> None:
        self._standing = standing
        self._request = (call, body)
        self._stopped = False

    async def stop(self) -> None:
        """It is not made again; the protocol has no way to take it back."""
        if not self._stopped:
            self._stopped = True
            self._standing.release(*self._request)


class Standing:
    def __init__(self, jitter: Jitter, late: Callable[[], None]) -> None:
        """`late` is told when one was renewed later than the others: what was pushed of it meanwhile is missed."""
        self.renewals: Renewals[_Request] = Renewals(_ask, jitter, late)
        self._holders: dict[_Request, int] = {}
        self._link: Link | None = None

    async def attach(self, link: Link) -> None:
        """Make them all. Raises NotConnected or ConnectionLost when the connection goes meanwhile."""
        self._link = link
        await self.renewals.begin(link, tuple(self._holders))

    def detach(self) -> None:
        self._link = None
        self.renewals.end()

    async def add(self, call: Call[B, Result], body: B) -> Kept:
        """The first of its kind is made now, if there is a connection. Raises RequestFailed; then it is not kept."""
        first = (call, body) not in self._holders
        self._holders[call, body] = self._holders.get((call, body), 0) + 1
        try:
            if first and self._link is not None:
                await _ask(self._link, (call, body))
        except (NotConnected, ConnectionLost):
            log.info("standing_request_waits", request=call.name)
        except (RequestFailed, asyncio.CancelledError):
            self.release(call, body)
            raise
        return Kept(self, call, body)

    def release(self, call: Call[Any, Result], body: object) -> None:
        self._holders[call, body] -= 1
        if not self._holders[call, body]:
            del self._holders[call, body]
            self.renewals.forget((call, body))


async def _ask(link: Link, request: _Request) -> None:
    call, body = request
    result = await link.call(call, body)
    if not result.success:
        raise UnexpectedReply(f"{call.name} did not succeed: {result.reason}")
