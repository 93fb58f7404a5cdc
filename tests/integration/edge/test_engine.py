"""python-socketio with our driver and outbox, in this process, where its pings can be made frequent."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from engineio.packet import Packet

from libs.contracts.clock import SystemClock
from services.socket_edge.credentials import Origins
from services.socket_edge.engine import Engine
from services.socket_edge.socket_limits import SocketLimits
from tests.integration.edge.client import Browser
from tests.ports import free_port

PING = 0.2


def send(engine: Engine, sid: str, packet: Packet) -> None:
    outbox = engine.outbox(sid)
    assert outbox is not None
    outbox.send(packet)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def engine(port: int) -> AsyncIterator[Engine]:
    limits = SocketLimits(ping_interval=PING, ping_timeout=5 * PING)
    engine = Engine(Origins(()), limits, lambda request: request.remote or "", SystemClock())

    async def connect(_sid: str, _environ: dict[str, Any], _auth: object) -> None:
        """Everybody may."""

    engine.server.on("connect", connect)
    app = web.Application()
    engine.server.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield engine
    await engine.shutdown()
    await runner.cleanup()


@pytest.fixture(params=[["websocket"], ["polling", "websocket"], ["polling"]], ids="+".join)
async def browser(request: pytest.FixtureRequest, engine: Engine, port: int) -> AsyncIterator[Browser]:
    browser = Browser()
    await browser.socket.connect(f"http://127.0.0.1:{port}", transports=request.param)
    yield browser
    await browser.socket.disconnect()


async def test_a_connection_outlives_many_pings_whatever_is_sent(engine: Engine, browser: Browser) -> None:
    for number in range(30):
        send(engine, browser.socket.get_sid(), engine.encode("candle-update", number))
        await asyncio.sleep(PING / 3)
    assert await browser.heard("candle-update", 30) == list(range(30))
    assert browser.named("disconnect") == []


async def test_ours_and_the_librarys_packets_keep_their_order(engine: Engine, browser: Browser) -> None:
    sid = browser.socket.get_sid()
    for number in range(0, 300, 2):
        await engine.server.emit("candle-update", number, to=sid)
        send(engine, sid, engine.encode("candle-update", number + 1))
    assert await browser.heard("candle-update", 300) == list(range(300))


async def test_who_is_cut_off_is_gone_at_once(engine: Engine, browser: Browser) -> None:
    sid = browser.socket.get_sid()
    assert engine.alive(sid)
    engine.cut(sid)
    await browser.heard("disconnect")
    assert not engine.alive(sid)
