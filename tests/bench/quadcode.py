"""Candles per second on one core: decoded from frames, and read through a real WebSocket on loopback.

Baseline: the same frames by `json.loads` to dicts, and through the same library by `recv` and `json.loads`.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvloop
from websockets.asyncio.client import connect

from libs.contracts.clock import SystemClock
from libs.quadcode import Client, FixedSessionId
from libs.quadcode.candles import CANDLE_GENERATED, CandleGenerated
from libs.quadcode.incoming import Incoming
from libs.quadcode.routes import Interest, Routes
from libs.quadcode.server_clock import ServerClock
from tests.bench.quadcode_flood import ACTIVE_ID, SIZE, candle
from tests.bench.result import Result

NAMES = ("quadcode.decode_per_s", "quadcode.ws_per_s")

_FRAMES = 200_000
_FLOOD = 200 * 1024
_ROUNDS = 5


async def run() -> list[Result]:
    """Medians of five rounds, each in a uvloop of its own, as services run."""
    decoded = [_decode() for _ in range(_ROUNDS)]
    loaded = [_load() for _ in range(_ROUNDS)]
    through = [await asyncio.to_thread(uvloop.run, _through_client()) for _ in range(_ROUNDS)]
    plain = [await asyncio.to_thread(uvloop.run, _through_json()) for _ in range(_ROUNDS)]
    return [
        Result("quadcode.decode_per_s", statistics.median(decoded), "1/s", statistics.median(loaded)),
        Result("quadcode.ws_per_s", statistics.median(through), "1/s", statistics.median(plain)),
    ]


def _decode() -> float:
    """From a frame's bytes to the listener of that active and size."""
    routes, heard = Routes(), Count()
    interest = Interest(CANDLE_GENERATED, (ACTIVE_ID, SIZE))
    interest.listeners.append(heard)
    routes.add(interest)
    incoming = Incoming(ServerClock(SystemClock()), routes)
    rate = _rate(incoming.frequent)
    if heard.number != _FRAMES:
        raise RuntimeError(f"{heard.number} of {_FRAMES} candles were heard")
    return rate


def _load() -> float:
    def load(frame: bytes) -> object:
        return json.loads(frame)["msg"]["close"]

    return _rate(load)


def _rate(read: Callable[[bytes], object]) -> float:
    frames = [candle(number) for number in range(1000)]
    started = time.perf_counter()
    for _ in range(_FRAMES // len(frames)):
        for frame in frames:
            read(frame)
    return _FRAMES / (time.perf_counter() - started)


class Count:
    def __init__(self) -> None:
        self.number = 0
        self.last = asyncio.Event()

    def __call__(self, _: CandleGenerated) -> None:
        self.number += 1
        if self.number == _FLOOD:
            self.last.set()


async def _through_client() -> float:
    async with (
        _flood() as url,
        Client(url, FixedSessionId("sim"), clock=SystemClock(), jitter=lambda: 0.0) as client,
    ):
        heard = Count()
        started = time.perf_counter()
        await client.candles.watch(ACTIVE_ID, SIZE, heard)
        await heard.last.wait()
        return _FLOOD / (time.perf_counter() - started)


async def _through_json() -> float:
    async with _flood() as url, connect(url, compression=None, max_queue=4096) as socket:
        started = time.perf_counter()
        await socket.send('{"name":"subscribeMessage","request_id":"1","msg":{"name":"candle-generated"}}')
        received = 0
        while received < _FLOOD:
            received += "active_id" in json.loads(await socket.recv())["msg"]
        return _FLOOD / (time.perf_counter() - started)


@asynccontextmanager
async def _flood() -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.quadcode_flood", str(_FLOOD), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield f"ws://127.0.0.1:{int(await process.stdout.readline())}/echo/websocket"
    finally:
        process.kill()
        await process.wait()
