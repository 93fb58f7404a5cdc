"""A client that stops reading: when it reads again it gets the newest candles, and everything else; and if it does not
read again, it comes back for what it missed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType

from libs.contracts.bots import Activity
from services.socket_edge.candle_stream import INTERVAL
from tests.integration.edge.backend import EURUSD, HISTORY
from tests.integration.edge.client import Browser, Edge
from tests.integration.edge.stack import Browse, Stack
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

SETTINGS = {"variables": {"PREGAO_EDGE_SOCKET_BUDGET": "400000", "PREGAO_EDGE_SOCKET_PING": "60"}}
SKIPPED = "pregao_edge_candles_skipped_total"
OVERFLOWN = 'pregao_edge_sockets_cut_total{reason="overflow"}'
EVENTS = ("position:closed", "trade_completed", "bot_status", "bot:status-update")
MOST = 400
"""Long events after which nobody's connection takes any more."""


class SlowReader:
    """Its socket is read only when it is told to, and not far ahead: then its connection fills up."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.got: list[tuple[str, Any]] = []

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                message = await self.socket.receive()
                assert message.type is WSMsgType.TEXT, message
                if message.data.startswith("42"):
                    name, payload = json.loads(message.data[2:])
                    self.got.append((name, payload))

    def named(self, *events: str) -> list[Any]:
        return [payload for name, payload in self.got if name in events]


@asynccontextmanager
async def slow_reader(edge: Edge, person: Person) -> AsyncIterator[SlowReader]:
    async with edge.http.ws_connect(f"{edge.url}/socket.io/?EIO=4&transport=websocket") as socket:
        reader = SlowReader(socket)
        await socket.send_str(f"40{json.dumps({'token': person.token})}")
        await reader.until(lambda: reader.named("snapshot"))
        await socket.send_str('42["watch-candles",{"asset":"EURUSD-OTC","timeframe":60}]')
        await reader.until(lambda: reader.named("candles:snapshot"))
        yield reader


def told(client: SlowReader | Browser) -> list[tuple[str, int]]:
    """What happened to the user, without how it began."""
    return [(name, payload["seq"]) for name, payload in client.got if name in EVENTS]


async def talk(stack: Stack, stays: Browser, person: Person, metric: str) -> int:
    """Long events, trades and candles, until that metric says something; how many candles."""
    for number in range(1, MOST):
        if await stack.edge.process.metric(metric):
            return number - 1
        await stack.backend.status(person.user, Activity.ANALYZING, label=f"{number} " + "x" * 20_000)
        await stack.backend.closed(person.user, f"order-{number}")
        await stack.backend.tick(EURUSD, HISTORY + number)
        await stays.heard("bot:status-update", number)
    raise AssertionError("the connection took everything")


@pytest.mark.parametrize("own_stack", [SETTINGS], indirect=True)
async def test_candles_conflate_and_nothing_else_is_left_out(own_stack: Stack, browse: Browse, person: Person) -> None:
    stays = await browse(person, "snapshot")
    await stays.heard("snapshot")
    async with slow_reader(own_stack.edge, person) as slow:
        ticks = await talk(own_stack, stays, person, SKIPPED)
        for number in range(1, 21):
            await own_stack.backend.tick(EURUSD, HISTORY + ticks, close=1 + number / 100)
            await asyncio.sleep(INTERVAL / 4)  # or they would be one update for who reads, too
        await own_stack.backend.closed(person.user, "order-last")
        await stays.heard("trade_completed", ticks + 1)
        await slow.until(lambda: slow.named("candles:update") and slow.named("candles:update")[-1]["close"] == 1.2)
        await slow.until(lambda: len(told(slow)) >= len(told(stays)))
    candles = slow.named("candles:update")
    assert len([each for each in candles if each["close"] != 1.1]) < 5, "of twenty versions"
    assert [each["seq"] for each in candles] == sorted({each["seq"] for each in candles})
    assert [each["time"] for each in candles] == sorted(each["time"] for each in candles)
    assert told(slow) == told(stays)
    assert await own_stack.edge.process.metric(OVERFLOWN) == 0


@pytest.mark.parametrize("own_stack", [SETTINGS], indirect=True)
async def test_who_does_not_read_again_is_cut_off_and_comes_back_for_every_trade(
    own_stack: Stack, browse: Browse, person: Person
) -> None:
    stays = await browse(person, "snapshot")
    (snapshot,) = await stays.heard("snapshot")
    async with slow_reader(own_stack.edge, person):
        ticks = await talk(own_stack, stays, person, OVERFLOWN)
    await stays.heard("trade_completed", ticks)
    returned = await browse(person, "resumed", auth={"token": person.token, "lastSeq": snapshot["seq"]})
    await returned.until(lambda: returned.named("resumed", "disconnect"), timeout=20)
    closed = [trade["positionId"] for trade in returned.named("position:closed")]
    assert len(closed) == ticks
    assert told(returned) == told(stays)
