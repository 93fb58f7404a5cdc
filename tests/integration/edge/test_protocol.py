"""Clients that speak the protocol otherwise than ours do."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType

from tests.integration.edge.client import Edge
from tests.integration.edge.stack import Browse
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
POLLING = "/socket.io/?EIO=4&transport=polling"
SOCKETS = "pregao_edge_sockets"
CUT = 'pregao_edge_sockets_cut_total{reason="protocol"}'


@asynccontextmanager
async def socket_of(edge: Edge, person: Person) -> AsyncIterator[ClientWebSocketResponse]:
    """Connected, and past its snapshot."""
    async with edge.http.ws_connect(edge.url + WEBSOCKET) as socket:
        await socket.send_str(f"40{json.dumps({'token': person.token})}")
        while not str((await socket.receive()).data).startswith('42["snapshot"'):
            pass
        yield socket


async def until_closed(socket: ClientWebSocketResponse) -> list[str]:
    """What came before."""
    got = []
    async with asyncio.timeout(10):
        while (message := await socket.receive()).type is WSMsgType.TEXT:
            got.append(message.data)
    return got


@pytest.mark.parametrize(
    "message", ["451-[{}]", "45999999999-[]", "4٥1-[]", "46", "49", "4", "42", "42{}", "42[5]", "42[[1]]", "42[null]"]
)
async def test_who_sends_what_is_no_socket_io_is_cut_off(
    edge: Edge, browse: Browse, person: Person, somebody_else: Person, message: str
) -> None:
    other = await browse(somebody_else)
    before = await edge.process.metric(CUT)
    async with socket_of(edge, person) as socket:
        await socket.send_str(message)
        assert await until_closed(socket) == []
        await edge.until_metric(CUT, before + 1)
    assert await other.show("EURUSD-OTC") == {"ok": True}


async def test_binary_parts_are_not_kept(edge: Edge, person: Person) -> None:
    async with socket_of(edge, person) as socket:
        await socket.send_bytes(b"x" * 1000)
        assert await until_closed(socket) == []


@pytest.mark.parametrize("frame", ["x", "4" + "[" * 3000, ""])
async def test_a_frame_that_is_no_packet_ends_its_socket_at_once(edge: Edge, person: Person, frame: str) -> None:
    await edge.until_metric(SOCKETS, 0)  # of tests before
    async with socket_of(edge, person) as socket:
        await edge.until_metric(SOCKETS, 1)
        await socket.send_str(frame)
        await until_closed(socket)
        async with asyncio.timeout(5):
            await edge.until_metric(SOCKETS, 0)


@pytest.mark.parametrize("event", ["connect", "disconnect"])
async def test_nobody_connects_by_an_event(edge: Edge, person: Person, somebody_else: Person, event: str) -> None:
    """As somebody else, say, so that it is not noticed when the first one is banned."""
    async with socket_of(edge, person) as socket:
        await socket.send_str("42" + json.dumps([event, {}, {"token": somebody_else.token}]))
        assert await until_closed(socket) == []


async def test_a_request_that_is_too_long_is_refused_though_nobody_reads(edge: Edge) -> None:
    async with edge.http.get(edge.url + POLLING) as opened:
        sid = json.loads((await opened.text())[1:])["sid"]
    async with asyncio.timeout(5), edge.http.post(f"{edge.url}{POLLING}&sid={sid}", data=b"4" * 70_000) as answer:
        assert answer.status == 400


async def test_a_body_that_does_not_come_is_not_waited_for(edge: Edge, person: Person) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    headers = {"Content-Type": "application/json"}
    status, body, _ = await edge.ask("POST", "/api/bot/stop-runtime", person, data=never(), headers=headers)
    assert (status, body["code"]) == (408, "REQUEST_TIMEOUT")


@pytest.mark.parametrize("headers", [{"Origin": "http://["}, {"Authorization": "Bearer \xff.\xff.\xff"}])
async def test_headers_that_say_nothing_are_taken_for_none(edge: Edge, headers: dict[str, str]) -> None:
    where = urlsplit(edge.url)
    for path, expected in (("/api/assets", b"200"), ("/api/bot/status", b"401"), (POLLING, b"200")):
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        lines = [f"GET {path} HTTP/1.1", f"Host: {where.netloc}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        status = (await reader.readline()).split()[1]
        writer.close()
        refused = path == POLLING and "Origin" in headers
        assert status == (b"400" if refused else expected), path
