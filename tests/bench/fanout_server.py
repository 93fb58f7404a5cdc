"""One room of Socket.IO clients: `python -m tests.bench.fanout_server ours|stock [ROOMS]`.

Prints its port. For each line "MESSAGES [PER_SECOND]" on stdin emits so many to the rooms in turn, as fast as it can or
at that pace.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import socketio
import uvloop
from aiohttp import web

from libs.contracts.clock import SystemClock
from services.socket_edge import emissions
from services.socket_edge.credentials import Origins
from services.socket_edge.engine import Engine
from services.socket_edge.fanout import Fanout
from services.socket_edge.socket_limits import SocketLimits

Emit = Callable[[int, Any], Awaitable[None]]
"""To the room of that number."""
_LIMITS = SocketLimits(per_address=100_000)


def ours() -> tuple[socketio.AsyncServer, list[list[str]], Emit]:
    engine = Engine(Origins(()), _LIMITS, lambda request: request.remote or "", SystemClock())
    fanout = Fanout(engine, _LIMITS.budget)
    rooms: list[list[str]] = []

    async def emit(room: int, payload: Any) -> None:
        fanout.deliver_to(rooms[room], emissions.CANDLE_UPDATE, payload)
        await asyncio.sleep(0)

    return engine.server, rooms, emit


def stock() -> tuple[socketio.AsyncServer, list[list[str]], Emit]:
    server = socketio.AsyncServer(async_mode="aiohttp")
    rooms: list[list[str]] = []

    async def emit(room: int, payload: Any) -> None:
        await server.emit(emissions.CANDLE_UPDATE.name, payload, room=f"room-{room}")
        await asyncio.sleep(0)

    return server, rooms, emit


async def main(kind: str, rooms: int) -> None:
    server, members, emit = (ours if kind == "ours" else stock)()
    members += [[] for _ in range(rooms)]
    numbers = count()

    async def connect(sid: str, _environ: dict[str, Any], _auth: object) -> None:
        room = next(numbers) % rooms
        members[room].append(sid)
        await server.enter_room(sid, f"room-{room}")

    server.on("connect", connect)
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        messages, *pace = map(int, line.split())
        await _emit(emit, rooms, messages, pace[0] if pace else 0)


async def _emit(emit: Emit, rooms: int, messages: int, per_second: int) -> None:
    since = time.monotonic()
    for number in range(messages):
        candle = {
            "time": 1790000100 + number, "open": 1.08417, "high": 1.08419, "low": 1.08409, "close": 1.08412,
            "volume": 0, "at": time.time() * 1000,
        }  # fmt: skip
        await emit(number % rooms, candle)
        if per_second and (ahead := (number + 1) / per_second - (time.monotonic() - since)) > 0:
            await asyncio.sleep(ahead)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1))
