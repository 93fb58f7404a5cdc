"""aiohttp's server, with what it lacks: what is no HTTP is answered as every other mistake and not logged word by word,
and nobody waits for who takes for ever to say what they want."""

from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from libs.contracts.ids import new_id
from services.socket_edge import wire
from services.socket_edge.errors import ApiError, internal, invalid
from services.socket_edge.middleware import PRECAUTIONS, REQUEST_ID
from services.socket_edge.wire import JSON

log = structlog.get_logger()

_SHUTDOWN = 5.0
"""Seconds that requests have to end in."""


class _Connection(RequestHandler):
    __slots__ = ()

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
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    __slots__ = ()

    def __init__(self, app: web.Application, idle: float) -> None:
        """`idle`: seconds after which a connection is closed on which no request came, or only the beginning of one."""
        super().__init__(app, access_log=None, shutdown_timeout=_SHUTDOWN, keepalive_timeout=idle)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        arguments: dict[str, Any] = self._kwargs
        return _Server(made.request_handler, request_factory=made.request_factory, **arguments)
