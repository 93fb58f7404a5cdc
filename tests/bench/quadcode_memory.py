"""How much more memory a client holds after ten million candle events than after the first hundred thousand.

They go from a frame's bytes through the client's incoming path to a stream nobody reads, the worst reader there is.
Other frames come between them, a malformed one and an event without a listener among them.
"""

import asyncio
import gc
import os
from pathlib import Path

import structlog

from libs.contracts.clock import SystemClock
from libs.quadcode.candles import CANDLE_GENERATED, CandleGenerated
from libs.quadcode.frames import decode_envelope
from libs.quadcode.incoming import Incoming
from libs.quadcode.routes import Interest, Routes
from libs.quadcode.server_clock import ServerClock
from libs.quadcode.streams import Conflated
from tests.bench.quadcode_flood import ACTIVE_ID, SIZE, candle
from tests.bench.result import Result

NAMES = ("quadcode.memory_growth_mib",)

_EVENTS = 10_000_000
_WARM = 100_000
_BATCH = 1000
_WAITING = 64
_OTHERS = (
    b'{"name":"timeSync","msg":1790003460123}',
    b'{"name":"unknown","microserviceName":"nobody","msg":{"a":1}}',
    b'{"name":"candle-generated","microserviceName":"quotes","msg":{"active_id":"none"}}',
)


async def run() -> list[Result]:
    return [Result(NAMES[0], await asyncio.to_thread(_growth), "MiB")]


def _growth() -> float:
    with structlog.testing.capture_logs() as logs:  # malformed frames are logged
        routes = Routes()
        stream: Conflated[CandleGenerated] = Conflated(lambda event: event.at, _WAITING)
        interest = Interest(CANDLE_GENERATED, (ACTIVE_ID, SIZE))
        interest.listeners.append(stream.push)
        routes.add(interest)
        incoming = Incoming(ServerClock(SystemClock()), routes)
        frames = [candle(number) for number in range(_BATCH)]
        _feed(incoming, frames, _WARM, logs)
        before = _resident()
        _feed(incoming, frames, _EVENTS - _WARM, logs)
        grown = _resident() - before
    if incoming.malformed != _EVENTS // _BATCH:
        raise RuntimeError(f"{incoming.malformed} frames were malformed")
    if stream.dropped != _EVENTS - _WAITING:
        raise RuntimeError(f"{stream.dropped + _WAITING} of {_EVENTS} candles were heard")
    return grown / 2**20


def _feed(incoming: Incoming, frames: list[bytes], events: int, logs: list[structlog.types.EventDict]) -> None:
    for _ in range(events // _BATCH):
        for frame in frames:
            incoming.frequent(frame)
        for frame in _OTHERS:
            if not incoming.frequent(frame):
                incoming.unasked(decode_envelope(frame))
        logs.clear()


def _resident() -> int:
    """Bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
