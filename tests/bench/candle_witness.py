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

import aiohttp
import msgspec
import uvloop

from libs.contracts.clock import SystemClock
from libs.quadcode import Client, FixedSessionId
from libs.quadcode.candles import CandleGenerated

TICK = 500_000_000
"""Nanoseconds between the updates of a feed; they come at whole multiples."""


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
    """Plain Engine.IO: a Socket.IO client costs more than what is measured."""
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        browsers = []
        for number, token in enumerate(task.tokens):
            socket = await http.ws_connect(f"{task.url}/socket.io/?EIO=4&transport=websocket", compress=0)
            await socket.send_str("40" + json.dumps({"token": token}))
            subscribed = asyncio.Event()
            ticker = list(task.feeds)[number % len(task.feeds)]
            browsers.append(group.create_task(_browse(socket, ticker, task.size, notes, subscribed)))
            await subscribed.wait()
        yield
        for browser in browsers:
            browser.cancel()


async def _browse(
    socket: aiohttp.ClientWebSocketResponse, ticker: str, size: int, notes: Notes, subscribed: asyncio.Event
) -> None:
    async for message in socket:
        text: str = message.data
        if text.startswith('42["candle-update"'):
            now = time.time_ns()
            notes.append((ticker, now // TICK, now))
        elif text == "2":
            await socket.send_str("3")
        elif text.startswith("40"):
            await socket.send_str("42" + json.dumps(["subscribe-candles", {"asset": ticker, "timeframe": size}]))
        elif text.startswith('42["subscribed"'):
            subscribed.set()
    raise ConnectionError("a browser lost its connection")


async def main(what: str) -> None:
    notes: Notes = []
    task = msgspec.json.decode(sys.stdin.readline(), type=Task)
    async with (of_broker if what == "broker" else of_browsers)(task, notes):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps(notes), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
