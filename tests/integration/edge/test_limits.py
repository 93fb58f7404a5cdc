"""What one socket, one user and one address may take, and what becomes of those that take more."""

import asyncio
import struct
from typing import Any

import aiohttp
import pytest
import socketio

from libs.contracts.bots import Activity
from tests.integration.edge.backend import EURUSD, Backend
from tests.integration.edge.client import Browser, Edge
from tests.integration.edge.stack import Browse, Stack
from tests.integration.edge.test_bounds import frozen_browser
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


def limited(**variables: Any) -> pytest.MarkDecorator:
    settings = {f"PREGAO_EDGE_{name.upper()}": str(value) for name, value in variables.items()}
    return pytest.mark.parametrize("own_stack", [{"variables": settings}], indirect=True)


async def refusal(edge: Edge, person: Person) -> str:
    browser = Browser()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await browser.socket.connect(edge.url, auth={"token": person.token}, transports=["websocket"])
    (error,) = browser.named("connect_error")
    return str(error["message"])


@limited(sockets_per_user=2)
async def test_connections_of_a_user(own_stack: Stack, browse: Browse, person: Person, somebody_else: Person) -> None:
    first = await browse(person, namespaces=["/", "/bot"])
    await browse(person)
    assert await refusal(own_stack.edge, person) == "too_many_sockets"
    await browse(somebody_else)
    await first.socket.disconnect()
    await own_stack.edge.until_metric("pregao_edge_sockets", 2)
    await browse(person)


@limited(sockets_per_address=3)
async def test_connections_from_an_address_logged_in_or_not(
    own_stack: Stack, browse: Browse, person: Person, somebody_else: Person
) -> None:
    first = await browse(person)
    await browse(somebody_else)
    polling = f"{own_stack.edge.url}/socket.io/?EIO=4&transport=polling"
    async with aiohttp.ClientSession() as http:
        async with http.get(polling) as response:
            assert response.status == 200
        async with http.get(polling) as response:
            assert response.status == 401
    with pytest.raises(socketio.exceptions.ConnectionError):
        await browse(person)
    await first.socket.disconnect()
    await own_stack.edge.until_metric("pregao_edge_sockets", 1)
    await browse(person)


@limited(socket_events=5)
async def test_events_of_a_socket(own_stack: Stack, browse: Browse, person: Person, somebody_else: Person) -> None:
    browser, other = await browse(person, "error"), await browse(somebody_else)
    answers = await asyncio.gather(*(browser.socket.call("unsubscribe-candles", timeout=10) for _ in range(20)))
    assert answers[:5] == [{"ok": True}] * 5
    assert {"ok": False, "error": "TOO_MANY_REQUESTS"} in answers
    assert (await browser.heard("error"))[0]["error"] == "TOO_MANY_REQUESTS"
    assert await other.show("EURUSD-OTC") == {"ok": True}
    async with asyncio.timeout(5):
        while (await browser.show("EURUSD-OTC"))["ok"] is False:
            await asyncio.sleep(0.3)
    answers = await asyncio.gather(*(other.socket.call("unknown", timeout=10) for _ in range(20)))
    assert {answer["error"] for answer in answers} == {"UNKNOWN_EVENT", "TOO_MANY_REQUESTS"}


async def test_so_many_answers_may_be_waited_for(browse: Browse, backend: Backend, person: Person) -> None:
    gate = backend.gates[EURUSD] = asyncio.Event()
    browser = await browse(person)
    asking = [asyncio.create_task(browser.show("EURUSD-OTC")) for _ in range(9)]
    (refused, *others), waiting = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    assert (refused.result(), others, len(waiting)) == ({"ok": False, "error": "TOO_MANY_REQUESTS"}, [], 8)
    gate.set()
    assert sorted(answer.get("error", "") for answer in await asyncio.gather(*waiting)) == ["", *["REPLACED"] * 7]


@limited(socket_events=5)
async def test_who_floods_is_cut_off(own_stack: Stack, browse: Browse, person: Person, somebody_else: Person) -> None:
    browser, other = await browse(person), await browse(somebody_else)
    for _ in range(200):
        await browser.socket.emit("unsubscribe-candles")
    await browser.heard("disconnect")
    assert await own_stack.edge.process.metric('pregao_edge_sockets_cut_total{reason="flood"}') == 1
    assert await other.show("EURUSD-OTC") == {"ok": True}


@limited(socket_message=2048)
async def test_a_message_that_is_too_long_ends_its_socket(
    own_stack: Stack, browse: Browse, person: Person, somebody_else: Person
) -> None:
    other = await browse(somebody_else)
    for transports in (["websocket"], ["polling"]):
        browser = await browse(person, transports=transports)
        await browser.socket.emit("subscribe-candles", {"asset": "x" * 4096, "timeframe": 60})
        await browser.heard("disconnect")
    assert await other.show("EURUSD-OTC") == {"ok": True}


@limited(socket_ping=1, socket_ping_timeout=1)
async def test_half_open_connections_and_silent_ones_end(
    own_stack: Stack, browse: Browse, person: Person, somebody_else: Person
) -> None:
    edge = own_stack.edge
    stays = await browse(somebody_else)
    async with frozen_browser(edge, person):
        await edge.until_metric("pregao_edge_sockets", 2)
        await edge.until_metric("pregao_edge_sockets", 1)
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(f"{edge.url}/socket.io/?EIO=4&transport=websocket") as silent:
            async for message in silent:
                if message.data == "2":
                    await silent.send_str("3")
        assert await edge.process.metric('pregao_edge_sockets_cut_total{reason="silent"}') == 1
    assert stays.named("disconnect") == []


@limited(socket_budget=65536)
async def test_who_does_not_read_is_cut_off_by_bytes_and_comes_back_for_what_was_missed(
    own_stack: Stack, browse: Browse, person: Person
) -> None:
    edge, backend = own_stack.edge, own_stack.backend
    stays = await browse(person, "snapshot")
    (snapshot,) = await stays.heard("snapshot")
    async with frozen_browser(edge, person):
        await edge.until_metric("pregao_edge_sockets", 2)
        sent = 0
        while await edge.process.metric('pregao_edge_sockets_cut_total{reason="overflow"}') == 0:
            assert sent < 400
            await backend.status(person.user, Activity.ANALYZING, label=f"{sent} " + "x" * 20_000)
            sent += 1
            await stays.heard("bot:status-update", sent)
    returned = await browse(person, "resumed", auth={"token": person.token, "lastSeq": snapshot["seq"]})
    await returned.until(lambda: returned.named("resumed", "disconnect"))
    assert returned.named("bot:status-update") == stays.named("bot:status-update")


async def test_whoever_asks_for_another_room_gets_an_error(browse: Browse, person: Person) -> None:
    browser = await browse(person)
    for event in ("join", "subscribe", "enter_room"):
        answer = await browser.socket.call(event, "user:somebody", timeout=10)
        assert answer == {"ok": False, "error": "UNKNOWN_EVENT"}


def masked(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!BBHI", 0x81, 0x80 | 126, len(data), 0) + data


@pytest.mark.parametrize("text", ["2", "4", "40/bot,{", '42["a"', "42{}", "42[1]", "451-[]", "99", "x", "[1]"])
async def test_what_is_no_protocol_harms_nobody(edge: Edge, browse: Browse, person: Person, text: str) -> None:
    other = await browse(person)
    async with frozen_browser(edge, person) as raw:
        await asyncio.get_running_loop().sock_sendall(raw, masked(text))
        assert await other.show("EURUSD-OTC") == {"ok": True}
