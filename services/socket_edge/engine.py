"""python-socketio 5.18, with what it lacks.

Its queue per socket has no bound, so a browser that stops reading grows this process until its ping times out
(crm-and-reliability §0.8), and even then the task that writes to it stays behind until TCP gives up. Here the length of
that queue can be asked, a packet is encoded once for any number of sockets (outbox.py), and a socket can be cut off.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import socketio
import structlog
from aiohttp import web
from engineio.async_drivers.aiohttp import WebSocket
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import EVENT, Packet

from libs.contracts.clock import Clock
from services.socket_edge import wire
from services.socket_edge.credentials import Origins
from services.socket_edge.outbox import Batches, Outbox
from services.socket_edge.socket_limits import Meter, SocketLimits

log = structlog.get_logger()

_library_log = logging.getLogger("socketio")
_library_log.setLevel(logging.ERROR)

_TEXT = frozenset("0123")
"""First letters of what clients may send: connect, disconnect, event, acknowledgement. Nothing that we take is binary,
and the library would keep the parts of a binary packet without bound, also after its client is gone."""
_FLOOD = 10
"""Times the events of a second that a socket may send of whatever kind, before it is cut off."""

Address = Callable[[web.Request], str]


class _Packet(Packet):  # type: ignore[misc]  # socketio is untyped
    """Events with the name of a client's own, that is: `connect` and `disconnect` would call our handlers for these, as
    if the library did, with whatever the client says."""

    def decode(self, encoded_packet: str) -> int:
        attachments: int = super().decode(encoded_packet)
        if self.packet_type == EVENT:
            name = self.data[0]
            if not isinstance(name, str) or name in socketio.AsyncServer.reserved_events:
                raise ValueError("not an event")
        return attachments


class _Driver(WebSocket):  # type: ignore[misc]  # engineio is untyped
    """Without per-message compression, which is paid again for every socket, and with the connection within reach."""

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        request: web.Request = environ["aiohttp.request"]
        socket = self.handler.__self__
        socket.queue.attach(socket, request.transport)
        self._sock = web.WebSocketResponse(max_msg_size=socket.server.max_http_buffer_size, compress=False)
        await self._sock.prepare(request)
        self.environ = environ
        try:
            await self.handler(self)
        except Exception as error:  # noqa: BLE001 - whatever the library makes of a frame that is no packet
            log.info("frame_not_understood", kind=type(error).__name__)
            await _cut(socket)
        return self._sock


@dataclass(slots=True)
class _Guest:
    """A connection, whoever it is of."""

    address: str
    since: float
    meter: Meter
    offence: str = ""
    """Why it is to be cut off."""


class Engine:
    def __init__(self, origins: Origins, limits: SocketLimits, address: Address, clock: Clock) -> None:
        self.server = socketio.AsyncServer(
            async_mode="aiohttp",
            json=wire,
            serializer=_Packet,
            # Its own handlers would write beside our log, and past what is left out there.
            logger=_library_log,
            engineio_logger=_library_log,
            # A function: an empty list would switch the check off, and `*` is what it is.
            cors_allowed_origins=lambda origin, environ: origins.allow(origin, environ.get("HTTP_HOST", "")),
            max_http_buffer_size=limits.message_size,
            ping_interval=limits.ping_interval,
            ping_timeout=limits.ping_timeout,
        )
        self.server.eio._async = {**self.server.eio._async, "websocket": _Driver}
        batches = Batches()
        self.server.eio.create_queue = lambda: Outbox(batches)
        self.server.eio.on("connect", self._connect)
        self.server.eio.on("message", self._message)
        self.server.eio.on("disconnect", self._disconnect)
        self._limits = limits
        self._address = address
        self._clock = clock
        self._guests: dict[str, _Guest] = {}
        self._addresses: Counter[str] = Counter()
        self._cuts: set[asyncio.Task[None]] = set()
        self._known: dict[str, Any] = {}
        """Connections by the ids of sockets, also of some that are gone: looked up for everything that is sent."""

    async def _connect(self, connection: str, environ: dict[str, Any]) -> bool | str:
        address = self._address(environ["aiohttp.request"])
        if self._addresses[address] >= self._limits.per_address:
            return "too many connections from this address"
        now = self._clock.monotonic()
        self._guests[connection] = _Guest(address, now, Meter(_FLOOD * self._limits.events_per_second, now))
        self._addresses[address] += 1
        await self.server._handle_eio_connect(connection, environ)
        return True

    async def _message(self, connection: str, data: Any) -> None:
        guest = self._guests.get(connection)
        if guest is None or guest.offence:
            return
        if not guest.meter.passes(self._clock.monotonic()):
            guest.offence = "flood"
            return
        if not isinstance(data, str) or data[:1] not in _TEXT:
            guest.offence = "protocol"
            return
        try:
            await self.server._handle_eio_message(connection, data)
        except Exception as error:  # noqa: BLE001 - whatever the library makes of what is no Socket.IO
            log.info("message_not_understood", kind=type(error).__name__)
            guest.offence = "protocol"

    async def _disconnect(self, connection: str, reason: str) -> None:
        self._leave(connection)
        await self.server._handle_eio_disconnect(connection, reason)

    def _leave(self, connection: str) -> None:
        guest = self._guests.pop(connection, None)
        if guest is not None:
            self._addresses[guest.address] -= 1
            if not self._addresses[guest.address]:
                del self._addresses[guest.address]

    @staticmethod
    def encode(event: str, payload: Any, namespace: str = "/") -> EnginePacket:
        """A packet that may be put to any number of sockets of that namespace."""
        return EnginePacket(MESSAGE, _Packet(EVENT, data=[event, payload], namespace=namespace).encode())

    def outbox(self, sid: str) -> Outbox | None:
        """None when the socket is gone."""
        socket = self._known.get(sid)
        if socket is None:
            socket = self._socket(sid)
            if socket is None:
                return None
            self._known[sid] = socket
        if socket.closed:
            return None
        outbox: Outbox = socket.queue
        return outbox

    def connection(self, sid: str) -> str | None:
        """Its connection, which it shares with the same client's sockets in other namespaces."""
        for sids in self.server.manager.rooms.values():
            connection: str | None = sids.get(None, {}).get(sid)
            if connection is not None:
                return connection
        return None

    def alive(self, sid: str) -> bool:
        socket = self._socket(sid)
        return socket is not None and not socket.closed

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

    def cut_offenders(self, packets: int, size: int) -> dict[str, int]:
        """Cut off every connection, logged in or not, that floods us, or has more packets or bytes waiting (our own
        answers count, too), or entered no namespace; how many for which reason."""
        reasons: Counter[str] = Counter()
        silent = self._clock.monotonic() - self._limits.ping_timeout
        entered = {sids[None][sid] for sids in self.server.manager.rooms.values() for sid in sids.get(None, ())}
        for gone in self._guests.keys() - self.server.eio.sockets.keys():
            self._leave(gone)
        self._known = {sid: socket for sid, socket in self._known.items() if not socket.closed}
        for connection, socket in list(self.server.eio.sockets.items()):
            guest = self._guests.get(connection)
            if guest is not None and guest.offence:
                reason = guest.offence
            elif socket.queue.qsize() > packets or socket.queue.size > size:
                reason = "flood"
            elif guest is not None and guest.since < silent and connection not in entered:
                reason = "silent"
            else:
                continue
            reasons[reason] += 1
            self._start_cut(socket)
        return reasons

    def _start_cut(self, socket: Any) -> None:
        task = asyncio.create_task(_cut(socket), name="cut-socket")
        self._cuts.add(task)
        task.add_done_callback(self._cuts.discard)

    async def shutdown(self) -> None:
        """Cut everybody off."""
        await asyncio.gather(*(_cut(socket) for socket in list(self.server.eio.sockets.values())))
        await self.server.shutdown()

    def _socket(self, sid: str) -> Any:
        return self.server.eio.sockets.get(self.connection(sid))


async def _cut(socket: Any) -> None:
    await socket.close(wait=False, abort=True, reason=socket.server.reason.SERVER_DISCONNECT)
    socket.queue.put_nowait(None)
    socket.queue.abort()
