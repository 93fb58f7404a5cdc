"""Connections that read events: `python -m tests.bench.paper_broker_readers HOST PORT PATH CONNECTIONS EVENTS`.

The first line of its input is JSON: `{"ssid": "…", "actives": [76, …]}`. Each connection logs in and subscribes to the
candles of one of the actives. Prints `ready` when all have, and `done` each time that so many events have come to all
of them together.
"""

import asyncio
import json
import sys
from functools import partial
from itertools import cycle, islice
from typing import cast

import uvloop

from tests.bench.quadcode_flood import SIZE, candle

EVENT_BYTES = 4 + len(candle(0))
"""With the header of its frame."""


class Readers:
    def __init__(self, connections: int, events: int) -> None:
        self._missing = connections
        self._expected = events * EVENT_BYTES
        self._bytes = 0

    def subscribed(self) -> None:
        self._missing -= 1
        if self._missing == 0:
            print("ready", flush=True)

    def read(self, size: int) -> None:
        self._bytes += size
        while self._bytes >= self._expected:
            self._bytes -= self._expected
            print("done", flush=True)


class Reader(asyncio.Protocol):
    def __init__(self, readers: Readers, path: str, ssid: str, active_id: int) -> None:
        self._readers = readers
        self._path = path
        self._ssid = ssid
        self._active_id = active_id
        self._subscribed = False
        self._greeting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        filters = {"active_id": self._active_id, "size": SIZE}
        subscription = {"name": "candle-generated", "version": "1.0", "params": {"routingFilters": filters}}
        transport.write(upgrade(self._path))
        transport.write(frame({"name": "authenticate", "request_id": "1", "msg": {"ssid": self._ssid}}))
        transport.write(frame({"name": "subscribeMessage", "request_id": "2", "msg": subscription}))

    def data_received(self, data: bytes) -> None:
        if self._subscribed:
            self._readers.read(len(data))
            return
        self._greeting += data
        if b'"success":true' in self._greeting:
            self._subscribed = True
            self._readers.subscribed()


def upgrade(path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )


def frame(message: object) -> bytes:
    """Masked with zeros, which changes nothing."""
    payload = json.dumps(message).encode()
    return bytes((0x81, 0xFE)) + len(payload).to_bytes(2, "big") + bytes(4) + payload


async def main(host: str, port: int, path: str, connections: int, events: int) -> None:
    readers, given = Readers(connections, events), json.loads(sys.stdin.readline())
    for active_id in islice(cycle(given["actives"]), connections):
        connect = partial(Reader, readers, path, given["ssid"], active_id)
        await asyncio.get_running_loop().create_connection(connect, host, port)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
