"""aiohttp's server, with what it lacks: what is no HTTP is answered as every other mistake and not logged word by word,
nobody waits for who takes for ever to say what they want, and what was said before is not read again."""

import asyncio
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from libs.contracts.ids import new_id
from services.socket_edge import wire
from services.socket_edge.errors import ApiError, internal, invalid
from services.socket_edge.middleware import PRECAUTIONS, REQUEST_ID
from services.socket_edge.repeats import Repeats, Replies, whole
from services.socket_edge.wire import JSON

log = structlog.get_logger()

_NOTHING: tuple[object, bytes] = (None, b"")
_SHUTDOWN = 5.0
"""Seconds that requests have to end in."""


class _Connection(RequestHandler):
    """Knows of every chunk whether it is one whole request. After anything else what comes is aiohttp's alone: there is
    no telling what a chunk is that comes when the one before did not end."""

    __slots__ = ("_between", "_remote", "_repeats", "_replies", "_said")

    def __init__(self, repeats: Repeats, replies: Replies, manager: web.Server, **options: Any) -> None:
        super().__init__(manager, **options)
        self._repeats = repeats
        self._replies = replies
        self._remote = ""
        self._between = True
        """Requests: nothing that was said is unread."""
        self._said = _NOTHING
        """What was read last, and as which message; until that is answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._remote = str(peer[0]) if isinstance(peer, tuple) else ""

    def data_received(self, data: bytes) -> None:
        if not self._between:
            super().data_received(data)
            return
        transport = self.transport
        if transport is not None and self._waits() and (answer := self._repeats.answer(self._remote, data)) is not None:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            self._replies.add(transport, answer)
            return
        count = self._request_count
        super().data_received(data)
        if self._request_count == count + 1 and self._messages:
            message, payload = self._messages[-1]
            self._between = isinstance(message, RawRequestMessage) and whole(data, message, payload)
            self._said = (message, data) if self._between else _NOTHING
        elif data or self._request_count != count:  # aiohttp itself calls with nothing when a body was read
            self._between = False

    def _waits(self) -> bool:
        """For a request, with nothing to do; and the client takes what is written."""
        waiter = self._waiter
        return (
            waiter is not None
            and not waiter.done()
            and not self._messages
            and not self._paused
            and not self._buffer_paused
            and not self._force_close
            and not self._close
        )

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        message, said = self._said
        if message is request._message:
            self._said = _NOTHING
            if self._between and isinstance(request, web.Request):
                self._repeats.remember(self._remote, said, request, resp)
        return finished

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's signature
    ) -> web.StreamResponse:
        """Of what came to no route: its text may hold anything, tokens too, and is repeated nowhere."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        if status >= 500:
            refusal = internal()
            log.error("request_failed", method=request.method, path=request.path, exc_info=exc)
        else:
            refusal = invalid("This is no HTTP request")
            log.info("request_not_understood", kind=type(exc).__name__)
        return _answer(refusal)


def _answer(refusal: ApiError) -> web.Response:
    request_id = new_id()
    headers = {**PRECAUTIONS, REQUEST_ID: request_id}
    body = wire.encode(refusal.body(request_id))
    response = web.Response(status=refusal.status, body=body, content_type=JSON, headers=headers)
    response.force_close()
    return response


class _Server(web.Server):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._repeats = Repeats()
        self._replies = Replies(self._loop)

    def __call__(self) -> RequestHandler:
        return _Connection(self._repeats, self._replies, self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    __slots__ = ()

    def __init__(self, app: web.Application, idle: float) -> None:
        """`idle`: seconds after which a connection is closed on which no request came, or only the beginning of one."""
        super().__init__(app, access_log=None, shutdown_timeout=_SHUTDOWN, keepalive_timeout=idle)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        arguments: dict[str, Any] = self._kwargs
        return _Server(made.request_handler, request_factory=made.request_factory, **arguments)
