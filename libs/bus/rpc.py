"""Typed request/reply over the NATS micro-service API (ADR-32)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from nats import micro
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import Error as NatsError
from nats.micro.request import ERROR_CODE_HEADER, ERROR_HEADER, Request
from nats.micro.service import Service
from prometheus_client import Histogram

from libs.bus import tracing
from libs.bus.context import REQUEST_ID_HEADER, headers, request_id
from libs.bus.draining import drain
from libs.bus.requests import Requests, TooManyRequests
from libs.contracts.codec import decode, encode
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.contracts.subjects import rpc as rpc_subject

Q = TypeVar("Q", bound=msgspec.Struct)
A = TypeVar("A", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Dated(Generic[A]):
    """An answer that a handler had made before; or what was asked for, with when it was made."""

    answer: A
    made_at: datetime | None
    """None: for this request."""


Handler = Callable[[Q], Awaitable[A | Dated[A]]]

log = structlog.get_logger()

_CONCURRENCY = 256
"""Requests one endpoint works on at once; beyond it a caller is told UNAVAILABLE at once."""

_MADE_AT = "Pregao-Made-At"
"""Header of an answer that was made before: ISO 8601."""

_duration = Histogram("pregao_rpc_seconds", "Time to answer a request", ["endpoint", "outcome"])


async def call(
    requests: Requests, endpoint: Endpoint[Q, A], request: Q, subject: str | None, timeout: float | None
) -> Dated[A]:
    """Raises RpcError: UNAVAILABLE when nobody serves it (nothing was done), TIMEOUT when the outcome is unknown."""
    where = subject or rpc_subject(endpoint.service, endpoint.name)
    if not requests.connected:
        # nats-py would keep the request, and send it when nobody waits for it any more.
        raise RpcError(ErrorCode.UNAVAILABLE, "the message bus is not connected")
    try:
        with tracing.span(f"call {endpoint.service}.{endpoint.name}"):
            reply = await requests.ask(where, encode(request), timeout or endpoint.timeout, headers())
    except NoRespondersError as error:
        raise RpcError(ErrorCode.UNAVAILABLE, f"nobody answers {where}") from error
    except ConnectionClosedError as error:
        raise RpcError(ErrorCode.UNAVAILABLE, "the message bus is closed") from error
    except TooManyRequests as error:
        raise RpcError(ErrorCode.UNAVAILABLE, f"{where} was not asked: {error}") from error
    except (NatsError, TimeoutError) as error:
        raise RpcError(ErrorCode.TIMEOUT, f"no answer from {where} in time") from error
    if reply.headers and (code := reply.headers.get(ERROR_CODE_HEADER)) is not None:
        raise RpcError(ErrorCode(code), reply.headers.get(ERROR_HEADER, ""))
    made_at = (reply.headers or {}).get(_MADE_AT)
    return Dated(decode(reply.data, endpoint.response), datetime.fromisoformat(made_at) if made_at else None)


class Server:
    """Answers one endpoint: decodes, handles concurrently, and turns every failure into a coded answer."""

    def __init__(self, endpoint: Endpoint[Any, Any], handler: Handler[Any, Any]) -> None:
        self._endpoint = endpoint
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()

    async def receive(self, message: Msg) -> None:
        """Returns at once: nats-py runs one callback at a time, and a slow request must not hold up the others."""
        if len(self._tasks) >= _CONCURRENCY:
            await _refuse(message, RpcError(ErrorCode.UNAVAILABLE, "too many requests at once"))
            return
        task = asyncio.create_task(self._answer(message), name=f"rpc:{self._endpoint.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, timeout: float = 5.0) -> None:
        """Wait for requests in hand; what is not done by then is cancelled (its caller sees TIMEOUT)."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout)
            for task in late:
                task.cancel()

    async def _answer(self, message: Msg) -> None:
        request_id.set((message.headers or {}).get(REQUEST_ID_HEADER, ""))
        started = asyncio.get_running_loop().time()
        outcome = "OK"
        try:
            with tracing.received(f"answer {self._endpoint.service}.{self._endpoint.name}", message.headers):
                response = await self._handle(message.data)
        except RpcError as error:
            outcome = error.code
            await _refuse(message, error)
        else:
            await _publish(message, response)
        elapsed = asyncio.get_running_loop().time() - started
        _duration.labels(f"{self._endpoint.service}.{self._endpoint.name}", outcome).observe(elapsed)

    async def _handle(self, data: bytes) -> msgspec.Struct | Dated[Any]:
        try:
            request = decode(data, self._endpoint.request)
        except msgspec.DecodeError as error:
            raise RpcError(ErrorCode.INVALID_REQUEST, str(error)) from error
        try:
            response: msgspec.Struct | Dated[Any] = await self._handler(request)
        except RpcError:
            raise
        except Exception as error:
            log.exception("rpc_failed", endpoint=self._endpoint.name)
            raise RpcError(ErrorCode.INTERNAL, "the request failed; its details are in the log") from error
        return response


async def _publish(message: Msg, response: msgspec.Struct | Dated[Any]) -> None:
    fields = None
    if isinstance(response, Dated):
        fields = {_MADE_AT: response.made_at.isoformat()} if response.made_at is not None else None
        response = response.answer
    await message._client.publish(message.reply, encode(response), headers=fields)


async def _refuse(message: Msg, error: RpcError) -> None:
    await message._client.publish(
        message.reply, headers={ERROR_CODE_HEADER: error.code, ERROR_HEADER: _one_line(error.message)}
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


class Served:
    """A set of endpoints being served."""

    def __init__(self, service: Service, servers: list[Server], barrier: Callable[[], Awaitable[None]]) -> None:
        self._service = service
        self._servers = servers
        self._barrier = barrier

    async def stop(self) -> None:
        """Whatever has been sent here is answered."""
        subscriptions = (endpoint._subscription for endpoint in self._service._endpoints)
        await drain([each for each in subscriptions if each is not None], self._barrier)
        await self._service.stop()
        for server in self._servers:
            await server.drain()


async def serve(
    client: Client,
    name: str,
    handlers: Mapping[Endpoint[Any, Any], Handler[Any, Any]],
    barrier: Callable[[], Awaitable[None]],
) -> Served:
    service = await micro.add_service(client, name=name, version="1.0.0", description=f"Pregão {name}")
    servers = []
    for endpoint, handler in handlers.items():
        server = Server(endpoint, handler)
        servers.append(server)

        async def receive(request: Request, server: Server = server) -> None:
            await server.receive(request._msg)

        await service.add_endpoint(
            name=endpoint.name, subject=rpc_subject(endpoint.service, endpoint.name), handler=receive
        )
    return Served(service, servers, barrier)
