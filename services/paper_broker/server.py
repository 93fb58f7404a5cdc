"""The WebSocket side of the port."""

import asyncio
from contextlib import suppress

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from services.paper_broker import wire
from services.paper_broker.broker import Broker
from services.paper_broker.dispatch import Dispatcher
from services.paper_broker.errors import Status
from services.paper_broker.hub import Connection
from services.paper_broker.outbox import Outbox

PATH = "/echo/websocket"
_MAX_FRAME = 64 * 1024
_FULL = 64 * 1024
"""Unsent bytes of a connection from which frames wait in its outbox."""
_GOODBYE = 2.0
"""Seconds a closing handshake may take."""
_HEARTBEAT = 30.0
"""Seconds between pings; a peer that does not answer one within half of it is gone."""

log = structlog.get_logger()


class WebSocketServer:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._dispatcher = Dispatcher(broker)
        self._sockets: set[web.WebSocketResponse] = set()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=_GOODBYE, heartbeat=_HEARTBEAT, max_msg_size=_MAX_FRAME, compress=False)
        await socket.prepare(request)

        async def send(frame: bytes) -> None:
            await socket.send_frame(frame, WSMsgType.TEXT)

        def abort() -> None:
            if request.transport is not None:
                request.transport.abort()

        def write(frame: bytes) -> bool:
            transport = request.transport
            if transport is None or socket.closed or transport.get_write_buffer_size() >= _FULL:
                return False
            transport.write(wire.text_frame(frame))
            return True

        outbox = Outbox(send, write)
        connection = Connection(outbox, abort, self._broker.now())
        pump = asyncio.create_task(outbox.pump(), name="pump")
        self._broker.hub.join(connection)
        self._sockets.add(socket)
        try:
            await self._serve(socket, connection, outbox)
        finally:
            self._sockets.discard(socket)
            self._broker.hub.leave(connection)
            pump.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await pump
        return socket

    async def close(self) -> None:
        """Say goodbye to everybody."""
        await asyncio.gather(*(socket.close(code=WSCloseCode.GOING_AWAY) for socket in tuple(self._sockets)))

    async def _serve(self, socket: web.WebSocketResponse, connection: Connection, outbox: Outbox) -> None:
        async for message in socket:
            await outbox.flowing()
            if message.type is WSMsgType.TEXT:
                self._dispatcher.handle(connection, message.data.encode())
            elif message.type is WSMsgType.BINARY:
                connection.send(wire.reply("", "error", Status.MALFORMED, {"message": "text frames only"}))
            await outbox.room()
            await asyncio.sleep(0)  # a client with many frames in the buffer must not keep the others waiting
