"""What waits to be sent on one connection, bounded however slowly the other side reads.

A frame goes out at once while nothing waits before it and the connection takes more; no task is woken for it.
Frames keep their order. A frame with a key replaces the one with the same key that still waits: a slow reader gets the
newest candle, not all of them. Other frames are never dropped; when too many wait, the connection is.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator

Send = Callable[[bytes], Awaitable[None]]
"""Sends a frame, and waits while the other side does not read."""
Write = Callable[[bytes], bool]
"""Takes a frame at once, or does nothing and says False when it would have to wait."""

MAX_WAITING = 1000
"""Frames without a key."""
_ROOM = 16
"""Below this number the connection's next request is read."""


class Overflow(Exception):
    """The other side does not read."""


class Outbox:
    def __init__(self, send: Send, write: Write) -> None:
        self._send = send
        self._write = write
        self._frames: OrderedDict[Hashable, bytes] = OrderedDict()
        self._sequence = 0
        self._waiting = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def stall(self) -> None:
        """Send nothing until `resume`; what is put waits, within the bounds."""
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    async def flowing(self) -> None:
        """Wait until it is not stalled."""
        await self._flowing.wait()

    def put(self, frame: bytes) -> None:
        """Raises Overflow."""
        if self._passes(frame):
            return
        if self._waiting >= MAX_WAITING:
            raise Overflow
        self._sequence += 1
        self._frames[self._sequence] = frame
        self._waiting += 1
        if self._waiting >= _ROOM:
            self._room.clear()
        self._filled.set()

    def put_latest(self, key: Hashable, frame: bytes) -> None:
        """`key` is anything but an int."""
        if self._passes(frame):
            return
        self._frames[key] = frame
        self._filled.set()

    def _passes(self, frame: bytes) -> bool:
        return not self._frames and self._flowing.is_set() and self._write(frame)

    async def room(self) -> None:
        """Wait until few enough frames wait; a client that does not read its answers is not asked for more."""
        await self._room.wait()

    async def pump(self) -> None:
        """Send for ever; ends with the error of `send`."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                await self._flowing.wait()
                for frame in self.take():
                    await self._send(frame)
                    await self._flowing.wait()
        finally:
            self._room.set()  # whoever waits for room must see that the connection has ended

    def take(self) -> Iterator[bytes]:
        """Each waiting frame, the oldest first; one at a time, since the others may still be replaced."""
        while self._frames:
            key, frame = self._frames.popitem(last=False)
            if isinstance(key, int):
                self._waiting -= 1
                if self._waiting < _ROOM:
                    self._room.set()
            yield frame
