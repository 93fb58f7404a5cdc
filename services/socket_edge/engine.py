"""python-socketio 5.18, with what it lacks.

Its queue per socket has no bound, so a browser that stops reading grows this process until its ping times out
(crm-and-reliability §0.8), and even then the task that writes to it stays behind until TCP gives up. Here the length of
that queue can be asked, a packet is encoded once for any number of sockets (outbox.py), and a socket can be cut off.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import socketio
from aiohttp import web
from engineio.async_drivers.aiohttp import WebSocket
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import EVENT, Packet

from services.socket_edge import wire
from services.socket_edge.credentials import Origins
from services.socket_edge.outbox import Outbox

_NAMESPACE = "/"
_MAX_MESSAGE = 64 * 1024
"""Bytes of one message of a client; ours are far longer, theirs are short."""


class _Driver(WebSocket):  # type: ignore[misc]  # engineio is untyped
    """Without per-message compression, which is paid again for every socket, and with the connection within reach."""

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        request: web.Request = environ["aiohttp.request"]
        socket = self.handler.__self__
        socket.queue.attach(socket, request.transport)
        self._sock = web.WebSocketResponse(max_msg_size=_MAX_MESSAGE, compress=False)
        await self._sock.prepare(request)
        self.environ = environ
        await self.handler(self)
        return self._sock


class Engine:
    def __init__(self, origins: Origins) -> None:
        self.server = socketio.AsyncServer(
            async_mode="aiohttp",
            json=wire,
            # A function: an empty list would switch the check off, and `*` is what it is.
            cors_allowed_origins=lambda origin, environ: origins.allow(origin, environ.get("HTTP_HOST", "")),
            max_http_buffer_size=_MAX_MESSAGE,
        )
        self.server.eio._async = {**self.server.eio._async, "websocket": _Driver}
        self.server.eio.create_queue = Outbox
        self._cuts: set[asyncio.Task[None]] = set()

    @staticmethod
    def encode(event: str, payload: Any) -> EnginePacket:
        """A packet that may be put to any number of sockets."""
        return EnginePacket(MESSAGE, Packet(EVENT, data=[event, payload], namespace=_NAMESPACE).encode())

    def put(self, sid: str, packet: EnginePacket) -> None:
        """Nothing happens when the socket is gone."""
        socket = self._socket(sid)
        if socket is not None and not socket.closed:
            socket.queue.send(packet)

    def waiting(self, sid: str) -> int:
        """Packets that this socket's client has not taken yet."""
        socket = self._socket(sid)
        return 0 if socket is None else socket.queue.qsize()

    def alive(self, sid: str) -> bool:
        socket = self._socket(sid)
        return socket is not None and not socket.closed

    def members(self, room: str) -> Iterable[str]:
        return [sid for sid, _ in self.server.manager.get_participants(_NAMESPACE, room)]

    def release(self, sid: str) -> None:
        """Its client has left: a request that still polls for it is answered, a WebSocket is closed."""
        socket = self._socket(sid)
        if socket is not None:
            socket.queue.put_nowait(None)

    def cut(self, sid: str) -> None:
        """End the connection without waiting for its client, which sees a lost connection and comes back by itself
        (after a proper Socket.IO goodbye browsers would not)."""
        socket = self._socket(sid)
        if socket is not None:
            self._start_cut(socket)

    def cut_longer_than(self, limit: int) -> int:
        """Cut off every connection, logged in or not, with more packets waiting: the server's own answers count too."""
        long = [socket for socket in self.server.eio.sockets.values() if socket.queue.qsize() > limit]
        for socket in long:
            self._start_cut(socket)
        return len(long)

    def _start_cut(self, socket: Any) -> None:
        task = asyncio.create_task(_cut(socket), name="cut-socket")
        self._cuts.add(task)
        task.add_done_callback(self._cuts.discard)

    async def shutdown(self) -> None:
        """Cut everybody off."""
        await asyncio.gather(*(_cut(socket) for socket in list(self.server.eio.sockets.values())))
        await self.server.shutdown()

    def _socket(self, sid: str) -> Any:
        rooms = self.server.manager.rooms.get(_NAMESPACE, {})
        return self.server.eio.sockets.get(rooms.get(None, {}).get(sid))


async def _cut(socket: Any) -> None:
    await socket.close(wait=False, abort=True, reason=socket.server.reason.SERVER_DISCONNECT)
    socket.queue.put_nowait(None)
    socket.queue.abort()
