"""Events per second that the paper broker sends from one core to 2,000 authenticated connections.

Each connection listens to one of 100 candle streams. Baseline: the same frames to as many connections of bare aiohttp,
by awaiting `send_str` for each.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

import uvloop
from aiohttp import web
from pydantic import SecretStr

from libs.contracts.clock import SystemClock
from services.paper_broker import wire
from services.paper_broker.app import build
from services.paper_broker.hub import Topic
from services.paper_broker.server import PATH, WebSocketServer
from services.paper_broker.settings import Settings
from services.paper_broker.storage import IN_MEMORY, Storage
from services.paper_broker.topics import CANDLE
from tests.bench.quadcode_flood import SIZE, candle
from tests.bench.result import Result

NAMES = ("paper_broker.events_per_s",)

_CONNECTIONS = 2000
_EACH = 50
"""Events to each connection in a round."""
_ROUNDS = 5
_STREAMS = 100
_USER = 5150

Handle = Callable[[web.Request], Awaitable[web.WebSocketResponse]]
Send = Callable[[], Awaitable[None]]


async def run() -> list[Result]:
    """Medians of five rounds, in a uvloop, as services run."""
    sent = await asyncio.to_thread(uvloop.run, _broker())
    plain = await asyncio.to_thread(uvloop.run, _bare())
    return [Result("paper_broker.events_per_s", statistics.median(sent), "1/s", statistics.median(plain))]


async def _broker() -> list[float]:
    settings = Settings(paper_api_token=SecretStr("a-token-of-benches"), paper_database=IN_MEMORY)
    with closing(Storage(IN_MEMORY)) as storage:
        broker = build(settings, storage, SystemClock())
        broker.accounts.ensure(_USER)
        actives = [active.id for active in broker.catalogue][:_STREAMS]
        topics, message = [Topic(CANDLE, (active_id, SIZE)) for active_id in actives], json.loads(candle(0))["msg"]

        async def send() -> None:
            for topic in topics:
                broker.hub.publish(topic, wire.event("quotes", CANDLE, message))
            await asyncio.sleep(0)

        return await _measure(WebSocketServer(broker).handle, broker.sessions.create(_USER), actives, send)


async def _bare() -> list[float]:
    sockets: list[web.WebSocketResponse] = []
    text = candle(0).decode()

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.receive()
        sockets.append(socket)
        async for _ in socket:
            await socket.send_str('{"success":true}')
        return socket

    async def send() -> None:
        for socket in sockets:
            await socket.send_str(text)
        await asyncio.sleep(0)

    return await _measure(handle, "", [1], send)


async def _measure(handle: Handle, ssid: str, actives: list[int], send: Send) -> list[float]:
    """Events per second of each round, from the first sent to the last read."""
    rates = []
    async with _served(handle) as port, _readers(port, ssid, actives) as told:
        if await told() != "ready":
            raise RuntimeError("the readers have ended")
        for _ in range(_ROUNDS):
            started = time.perf_counter()
            for _ in range(_EACH):
                await send()
            if await told() != "done":
                raise RuntimeError("the readers have ended")
            rates.append(_CONNECTIONS * _EACH / (time.perf_counter() - started))
    return rates


@asynccontextmanager
async def _served(handle: Handle) -> AsyncIterator[int]:
    application = web.Application()
    application.router.add_get(PATH, handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=_CONNECTIONS)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _readers(port: int, ssid: str, actives: list[int]) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """The next line that they print, within 20 s."""
    module, address = ("-m", "tests.bench.paper_broker_readers"), ("127.0.0.1", str(port), PATH)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *module, *address, str(_CONNECTIONS), str(_CONNECTIONS * _EACH)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    output = process.stdout
    process.stdin.write(json.dumps({"ssid": ssid, "actives": actives}).encode() + b"\n")

    async def told() -> str:
        return (await asyncio.wait_for(output.readline(), 20)).decode().strip()

    try:
        yield told
    finally:
        process.kill()
        await process.wait()
