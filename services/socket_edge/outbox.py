"""What waits for one socket.

engine.io gives every socket a queue and a task that empties it: per packet a wake-up, a timer and a task, paid again
for every member of a room. Here a packet for a socket that keeps up passes the queue by, as the same bytes for every
member, and what comes in one turn of the event loop, or within milliseconds under load, is one write (`Batches`): what
fan-out costs most are system calls. Only for a socket that does not keep up, or that is still polling, does it wait in
the queue.
"""

import asyncio
import time
from typing import Any

from engineio.packet import Packet

_FULL = 64 * 1024
"""Bytes that the connection may hold unsent; with more in it the socket is behind."""
_AT_ONCE = 16
"""Packets of one answer to a request that polls: Python's engine.io clients refuse more."""


_PAUSE = 0.002
"""Seconds from one write of batches to the next; more when writing takes long: it gets half of the time at most, so the
more there is to send, the more goes with every write."""


class Batches:
    """The outboxes of an event loop that have something to write."""

    def __init__(self) -> None:
        self._waiting: list[Outbox] = []
        self._next = 0.0
        """Not before then, in monotonic seconds."""

    def add(self, outbox: "Outbox") -> None:
        if not self._waiting:
            loop = asyncio.get_running_loop()
            pause = self._next - time.monotonic()
            if pause > 0:
                loop.call_later(pause, self._write)
            else:
                loop.call_soon(self._write)
        self._waiting.append(outbox)

    def _write(self) -> None:
        began = time.monotonic()
        waiting, self._waiting = self._waiting, []
        frames: list[bytes] = []
        joined = b""
        for outbox in waiting:
            # Most members of a room wait for the same.
            if outbox.batch != frames:
                frames = outbox.batch
                joined = frames[0] if len(frames) == 1 else b"".join(frames)
            outbox.write(joined)
        ended = time.monotonic()
        self._next = max(began + _PAUSE, ended + (ended - began))


class Outbox(asyncio.Queue[Packet | None]):
    """What engine.io itself sends goes through the queue as ever: its pings keep the task that reads it alive."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batch: list[bytes] = []
        """Frames that are about to be written; nothing is put into the queue before they are."""
        self._batches = batches
        self._batched = 0
        self._bytes = 0
        self._taken = 0
        self._socket: Any = None
        self._connection: asyncio.Transport | None = None

    def attach(self, socket: Any, connection: asyncio.Transport) -> None:
        """The engine.io socket has a WebSocket, or is about to: what counts is its `upgraded`."""
        self._socket = socket
        self._connection = connection

    @property
    def size(self) -> int:
        """Bytes that the client has not taken yet, here and in its connection."""
        unsent = 0 if self._connection is None else self._connection.get_write_buffer_size()
        return self._bytes + self._batched + unsent

    async def get(self) -> Packet | None:
        self._taken = 0
        return await super().get()

    def get_nowait(self) -> Packet | None:
        if self._taken >= _AT_ONCE:
            raise asyncio.QueueEmpty
        packet = super().get_nowait()
        self._taken += 1
        return packet

    async def join(self) -> None:
        """Where engine.io would wait until its client has read everything: who does not read would keep a request here
        for ever."""

    def put_nowait(self, packet: Packet | None) -> None:
        if self.batch:
            self.write(b"".join(self.batch))
        super().put_nowait(packet)

    def _put(self, packet: Packet | None) -> None:
        self._bytes += _size(packet)
        super()._put(packet)

    def _get(self) -> Packet | None:
        packet: Packet | None = super()._get()
        self._bytes -= _size(packet)
        return packet

    def abort(self) -> None:
        """Give up the connection with all that waits in it."""
        if self._connection is not None:
            self._connection.abort()

    def send(self, packet: Packet) -> None:
        """In order: a text packet passes the queue by only while that is empty and its reader waits for more."""
        if not self.batch:
            if self._connection is None or not self._passable(self._connection):
                self.put_nowait(packet)
                return
            self._batches.add(self)
        made = frame(packet)
        self.batch.append(made)
        self._batched += len(made)
        if self._batched > _FULL:
            self.write(b"".join(self.batch))

    def write(self, joined: bytes) -> None:
        """`joined`: the batch, which is empty from then on. Nothing happens when the connection is gone by now: uvloop
        would raise, and the others of this turn go without."""
        if self.batch and self._connection is not None and not self._connection.is_closing():
            self._connection.write(joined)
        self.batch = []
        self._batched = 0

    def _passable(self, connection: asyncio.Transport) -> bool:
        reader_waits = any(not getter.done() for getter in self._getters)  # type: ignore[attr-defined]  # asyncio's own
        return (
            reader_waits
            and self.empty()
            and self._socket.upgraded
            and not connection.is_closing()
            and connection.get_write_buffer_size() < _FULL
        )


def _size(packet: Packet | None) -> int:
    """About; what it costs here besides its text is the same for all."""
    if packet is None:
        return 0
    data = packet.data
    return len(data) + 64 if isinstance(data, (str, bytes)) else 64


def frame(packet: Packet) -> bytes:
    """An unmasked, uncompressed WebSocket text frame (RFC 6455 §5.2), made once per packet."""
    made: bytes | None = getattr(packet, "frame", None)
    if made is None:
        payload = packet.encode().encode()
        made = packet.frame = _header(len(payload)) + payload
    return made


def _header(length: int) -> bytes:
    if length < 126:
        return bytes((0x81, length))
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")
