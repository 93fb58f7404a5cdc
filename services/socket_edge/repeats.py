"""Requests that come again word for word, as the polls of every open page do: answered without being read again.

What follows from the bytes alone (the route, the token, what is asked, the headers of the answer) was found out when
they came first. What may be otherwise by now is looked at every time: whether the token is still good, how its user
stands, how often they ask, and the answer itself. Where that takes more than a look, and for every refusal, the request
goes the long way.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from prometheus_client import Histogram

from libs.contracts.ids import new_id
from services.socket_edge import wire

MOST = 5_000
"""Requests remembered; the oldest is forgotten."""
_LONGEST = 4096
"""Bytes of one of them."""
_NEW_EACH_TIME = frozenset({"content-length", "date", "x-request-id"})


@dataclass(frozen=True, slots=True)
class Again:
    """How to answer a request that was answered, once more."""

    admitted: Callable[[], bool]
    """Whether it would be let in now. False where only waiting tells."""
    answer: Callable[[], bytes]
    measure: Histogram
    """Of its route."""


AGAIN = web.RequestKey("again", Again)
"""Set by who has answered a request that may be answered like this."""


class Repeats:
    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], tuple[bytes, Again]] = {}
        """By whom it comes from and what they said: the head of the answer, and the rest of it."""

    def answer(self, remote: str, said: bytes) -> bytes | None:
        """The whole response. None: read what was said."""
        known = self._known.get((remote, said))
        if known is None:
            return None
        since = perf_counter()
        head, again = known
        try:
            body = again.answer() if again.admitted() else b""
        except Exception:  # noqa: BLE001 - the long way comes to the same, and can say so
            return None
        if not body or len(body) >= wire.WORTH_COMPRESSING:
            return None
        again.measure.observe(perf_counter() - since)
        return b"%bX-Request-Id: %b\r\nDate: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            head, new_id().encode(), rfc822_formatted_time().encode(), len(body), body,
        )  # fmt: skip

    def remember(self, remote: str, said: bytes, request: web.Request, response: web.StreamResponse) -> None:
        """That `said` was this request, and how it was answered; if it may be answered again."""
        again = request.get(AGAIN)
        if again is None or len(said) > _LONGEST or not _is_plain(request, response):
            return
        self._known[remote, said] = (_head(response), again)
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]


class Replies:
    """Written when all that was said in this turn of the event loop has been answered: a client that is woken for one
    answer sleeps again before the next, and waking it costs more than the answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: list[tuple[asyncio.Transport, bytes]] = []

    def add(self, transport: asyncio.Transport, reply: bytes) -> None:
        if not self._ready:
            self._loop.call_soon(self._write)
        self._ready.append((transport, reply))

    def _write(self) -> None:
        ready, self._ready = self._ready, []
        for transport, reply in ready:
            transport.write(reply)


def _is_plain(request: web.Request, response: web.StreamResponse) -> bool:
    """Nothing in it is for this time only."""
    return (
        response.status == 200
        and request.version == (1, 1)
        and bool(response.keep_alive)
        and "X-Request-Id" not in request.headers
        and hdrs.CONTENT_LENGTH in response.headers
        and hdrs.CONTENT_ENCODING not in response.headers
        and hdrs.SET_COOKIE not in response.headers
    )


def _head(response: web.StreamResponse) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in response.headers.items() if name.lower() not in _NEW_EACH_TIME]
    return "".join(("HTTP/1.1 200 OK\r\n", *lines)).encode()


def whole(said: bytes, message: Any, payload: Any) -> bool:
    """Of what aiohttp has read as one request, whether it ends where that ends: then nothing is left in its parser, and
    what comes next begins a request."""
    if not payload.is_eof() or hdrs.CONTENT_ENCODING in message.headers or message.chunked or message.upgrade:
        return False
    length: int = said.find(b"\r\n\r\n") + 4 + payload.total_bytes
    return length == len(said)
