"""One WebSocket connection: requests and their replies, and whatever the server says unasked."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.protocol import State

from libs.quadcode.declarations import Call
from libs.quadcode.errors import NotConnected, RequestTimeout
from libs.quadcode.frames import (
    MALFORMED,
    Authenticate,
    Message,
    Outer,
    Result,
    SetOptions,
    Subscribe,
    decode_envelope,
    decode_result,
    encode,
)
from libs.quadcode.incoming import Incoming
from libs.quadcode.replies import Decode, Pending, Replies

B = TypeVar("B")
R = TypeVar("R")

_USER_AGENT = "quadcode-client-sdk-js/1.3.26"
_CLOSE_TIMEOUT = 1.0
_MAX_FRAME = 32 * 1024 * 1024
"""Bytes; the initialization data of a large broker are several MiB."""
_MAX_UNREAD = (4096, 1024)
"""Frames that wait for the reader before the socket is no longer read, and when it is read again."""
_MAX_UNSENT = 256 * 1024
"""Bytes in our own buffer; with more of them the broker has stopped reading, and nothing new is sent."""

_decoders: dict[type[Any], Decode] = {}


class Link:
    """Made by `Link.open`; ends when the socket does, and is not used again."""

    def __init__(self, socket: ClientConnection, ids: Iterator[int], timeout: float, incoming: Incoming) -> None:
        self._socket = socket
        self._ids = ids
        self._timeout = timeout
        self._incoming = incoming
        self._replies = Replies()
        self.reason = ""
        """Why it ended."""
        self.lost = asyncio.Event()
        """Set when the connection has ended and whoever waited for a reply was told."""
        self._reader = asyncio.create_task(self._read(), name="quadcode:reader")

    @classmethod
    async def open(cls, url: str, platform: int, ids: Iterator[int], timeout: float, incoming: Incoming) -> Self:
        """Raises NotConnected."""
        try:
            socket = await connect(
                url,
                additional_headers={"Cookie": f"platform={platform}"},
                user_agent_header=_USER_AGENT,
                compression=None,
                proxy=None,
                open_timeout=timeout,
                close_timeout=_CLOSE_TIMEOUT,
                max_size=_MAX_FRAME,
                max_queue=_MAX_UNREAD,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            raise NotConnected(f"cannot connect to {url}: {error}") from error
        return cls(socket, ids, timeout, incoming)

    async def call(self, call: Call[B, R], body: B, timeout: float | None = None) -> R:
        """Sent before anything is awaited. Raises NotConnected (nothing was sent) or RequestFailed."""
        message = Message(call.name, call.version, body)
        if call.confirmed:
            reply: R = await self._ask(Outer.SEND_MESSAGE, message, call.name, decode_result, True, timeout)
        else:
            reply = await self._ask(Outer.SEND_MESSAGE, message, call.name, _decoder(call.reply), False, timeout)
        return reply

    async def authenticate(self, session_id: str) -> bool:
        """Whether the broker accepts it."""
        message = Authenticate(session_id)
        accepted: bool = await self._ask(Outer.AUTHENTICATE, message, "authenticate", _decoder(bool), False)
        return accepted

    async def set_options(self) -> Result:
        result: Result | None = await self._ask(Outer.SET_OPTIONS, SetOptions(), "setOptions", decode_result, True)
        return result or Result()

    async def subscribe(self, subscribe: Subscribe) -> None:
        await self._ask(Outer.SUBSCRIBE, subscribe, f"subscribe {subscribe.name}", decode_result, True)

    async def unsubscribe(self, subscribe: Subscribe) -> None:
        await self._ask(Outer.UNSUBSCRIBE, subscribe, f"unsubscribe {subscribe.name}", decode_result, True)

    async def close(self, grace: float) -> None:
        """Wait up to `grace` seconds for the answers that are still to come, then close."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._replies.none_pending.wait()
        self.reason = self.reason or "closed by this client"
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._socket.close()
        except TimeoutError:
            # A peer that does not read would be waited for until a ping fails.
            self._socket.transport.abort()
        await self.lost.wait()

    def abort(self, reason: str) -> None:
        """End it at once, without the closing handshake."""
        self.reason = self.reason or reason
        self._socket.transport.abort()

    async def _ask(
        self, outer: Outer, msg: object, label: str, decode: Decode, confirmed: bool, timeout: float | None = None
    ) -> Any:
        request_id = str(next(self._ids))
        self._send(encode(outer, request_id, msg))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._replies.expect(request_id, Pending(label, outer, decode, confirmed, future))
        try:
            async with asyncio.timeout(self._timeout if timeout is None else timeout):
                return await future
        except TimeoutError as error:
            raise RequestTimeout(f"{label} was not answered in time") from error
        finally:
            self._replies.forget(request_id)

    def _send(self, data: bytes) -> None:
        """Without awaiting: what a caller checked just before still holds when the frame is written."""
        socket = self._socket
        if self.lost.is_set() or socket.protocol.state is not State.OPEN or socket.transport.is_closing():
            raise NotConnected("the connection is closed")
        if socket.transport.get_write_buffer_size() > _MAX_UNSENT:
            raise NotConnected("the broker does not read what is sent")
        socket.protocol.send_text(data)
        socket.send_data()

    async def _read(self) -> None:
        try:
            while True:
                self._receive(await self._socket.recv(decode=False))
        except ConnectionClosed as closed:
            self.reason = self.reason or f"the connection was closed: {closed}"
        finally:
            self.lost.set()
            self._replies.fail(self.reason)

    def _receive(self, data: bytes) -> None:
        """In the order of §3.3: a reply, an event, the time, a refused login; anything else is ignored."""
        if self._incoming.frequent(data):
            return
        try:
            envelope = decode_envelope(data)
        except MALFORMED as error:
            self._incoming.reject(data, str(error))
            return
        if envelope.request_id:
            self._replies.receive(envelope)
        elif envelope.name == "authenticated" and not envelope.service and bytes(envelope.msg) == b"false":
            self._replies.refuse_login()
        else:
            self._incoming.unasked(envelope)


def _decoder(type_: type[Any]) -> Decode:
    decode = _decoders.get(type_)
    if decode is None:
        decode = _decoders[type_] = msgspec.json.Decoder(type_).decode
    return decode
