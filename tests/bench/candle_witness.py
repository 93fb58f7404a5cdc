"""A process that notes when candles reach it: `python -m tests.bench.candle_witness broker|browsers`.

Its task comes as one JSON line on standard input; `ready` is printed when everything is subscribed, and at the next
line of input all it noted is printed as one JSON array of [name of the feed, number of the tick, epoch nanoseconds].
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop
from websockets.frames import Frame, Opcode

from libs.contracts.clock import SystemClock
from libs.quadcode import Client, FixedSessionId
from libs.quadcode.candles import CandleGenerated

TICK = 500_000_000
"""Nanoseconds between the updates of a feed; they come at whole multiples."""


_PING = b"\x81\x012"


class Task(msgspec.Struct):
    url: str
    tokens: list[str]
    """One connection each; a session id of the broker, or access tokens of the edge."""
    feeds: dict[str, int]
    """Ticker and active id. The broker's witness follows all of them, of the browsers each follows one in turn."""
    size: int


Notes = list[tuple[str, int, int]]


@asynccontextmanager
async def of_broker(task: Task, notes: Notes) -> AsyncIterator[None]:
    names = {active_id: name for name, active_id in task.feeds.items()}

    def note(candle: CandleGenerated) -> None:
        notes.append((names[candle.active_id], candle.at // TICK, time.time_ns()))

    session_id = FixedSessionId(task.tokens[0])
    async with Client(task.url, session_id, clock=SystemClock(), jitter=lambda: 0.0) as client:
        for active_id in names:
            await client.candles.watch(active_id, task.size, note)
        yield


@asynccontextmanager
async def of_browsers(task: Task, notes: Notes) -> AsyncIterator[None]:
    browsers = []
    where = urlsplit(task.url)
    for number, token in enumerate(task.tokens):
        ticker = list(task.feeds)[number % len(task.feeds)]
        _, browser = await asyncio.get_running_loop().create_connection(
            partial(Browser, where.netloc, token, ticker, task.size, notes), where.hostname or "", where.port or 0
        )
        await browser.subscribed
        browsers.append(browser)
    yield
    for browser in browsers:
        browser.leave()


class Browser(asyncio.Protocol):
    """Just enough Engine.IO over WebSocket: a hundred real clients in one process would cost more than what is
    measured, where every user's browser has a machine of its own."""

    def __init__(self, host: str, token: str, ticker: str, size: int, notes: Notes) -> None:
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._host = host
        self._token = token
        self._ticker = ticker
        self._size = size
        self._notes = notes
        self._read = b""
        self._leaving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass of it
        self._transport.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        now = time.time_ns()
        if b'42["candle-update"' in data:
            self._notes.append((self._ticker, now // TICK, now))
        if _PING in data:
            self._send("3")
        if not self.subscribed.done():
            self._log_in(data)

    def connection_lost(self, error: Exception | None) -> None:
        """One that is lost early spoils the figure: better none."""
        if not self._leaving:
            sys.exit(f"a browser lost its connection: {error!r}")

    def leave(self) -> None:
        self._leaving = True
        self._transport.close()

    def _log_in(self, data: bytes) -> None:
        self._read += data
        if b'42["subscribed"' in self._read:
            self.subscribed.set_result(None)
        elif b"40{" in self._read:
            self._read = b""
            self._send("42" + json.dumps(["subscribe-candles", {"asset": self._ticker, "timeframe": self._size}]))
        elif b"0{" in self._read:
            self._read = b""
            self._send("40" + json.dumps({"token": self._token}))

    def _send(self, text: str) -> None:
        self._transport.write(Frame(Opcode.TEXT, text.encode()).serialize(mask=True))


async def main(what: str) -> None:
    notes: Notes = []
    task = msgspec.json.decode(sys.stdin.readline(), type=Task)
    async with (of_broker if what == "broker" else of_browsers)(task, notes):
        notes.clear()  # what a browser gets at once when it subscribes is not an update's way
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps(notes), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
