"""Sockets that do not read, and tokens that run out, cost the others nothing."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import jwt
import pytest

from libs.bus.topology import BOTS
from libs.contracts.bots import Activity
from services.socket_edge.fanout import OVERFLOW
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import Browse, Stack
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@asynccontextmanager
async def frozen_browser(edge: Edge, person: Person) -> AsyncIterator[socket.socket]:
    """Connects, logs in, and never reads again."""
    where = urlsplit(edge.url)
    loop = asyncio.get_running_loop()
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await loop.sock_connect(raw, (where.hostname, where.port))
        await loop.sock_sendall(raw, HANDSHAKE.format(host=where.netloc).encode())
        await loop.sock_recv(raw, 2048)
        connect = f"40{json.dumps({'token': person.token})}".encode()
        await loop.sock_sendall(raw, struct.pack("!BBHI", 0x81, 0x80 | 126, len(connect), 0) + connect)
        yield raw


async def test_a_socket_that_does_not_read_is_cut_off_and_the_others_miss_nothing(
    own_stack: Stack, browse: Browse, person: Person
) -> None:
    edge, backend = own_stack.edge, own_stack.backend
    reader = await browse(person)
    async with frozen_browser(edge, person):
        await edge.until_metric("pregao_edge_sockets", 2)
        sent = 0
        while await edge.process.metric('pregao_edge_sockets_cut_total{reason="overflow"}') == 0:
            assert sent < 20 * OVERFLOW
            for _ in range(BOTS.history):  # more at once could be overwritten before they are news
                await backend.status(person.user, Activity.ANALYZING, label=f"{sent} " + "x" * 10_000)
                sent += 1
            await reader.heard("bot:status-update", sent)
        await edge.until_metric("pregao_edge_sockets", 1)
    labels = [int(status["status"].split()[0]) for status in reader.named("bot:status-update")]
    assert labels == list(range(sent))


MANY_EVENTS = {"variables": {"PREGAO_EDGE_SOCKET_EVENTS": "1000000"}}
"""Or they would be too many before their answers are."""


@pytest.mark.parametrize(
    ("own_stack", "message"),
    [({}, '421["unsubscribe-candles"]'), (MANY_EVENTS, "40/elsewhere,")],
    indirect=["own_stack"],
)
async def test_asking_without_reading_ends_the_same_way(own_stack: Stack, person: Person, message: str) -> None:
    """Answers that the Socket.IO library gives by itself are bounded, too."""
    edge = own_stack.edge
    async with frozen_browser(edge, person) as raw:
        frame = struct.pack("!BBI", 0x81, 0x80 | len(message), 0) + message.encode()
        with suppress(ConnectionError):
            while True:
                await asyncio.get_running_loop().sock_sendall(raw, frame * 100)
        await edge.until_metric('pregao_edge_sockets_cut_total{reason="flood"}', 1)
    await edge.until_metric("pregao_edge_sockets", 0)


async def test_a_socket_ends_with_its_token(
    edge: Edge, browse: Browse, supabase_server: SupabaseServer, person: Person
) -> None:
    nearly_over = datetime.now(UTC) - timedelta(seconds=27)
    claims = {"sub": person.user, "aud": "authenticated", "role": "authenticated", "exp": nearly_over}
    browser = await browse(Person(person.user, person.email, jwt.encode(claims, supabase_server.jwt_secret)))
    await browser.heard("disconnect")


async def test_shutting_down_does_not_wait_for_who_does_not_read(own_stack: Stack, person: Person) -> None:
    edge = own_stack.edge
    async with frozen_browser(edge, person):
        await edge.until_metric("pregao_edge_sockets", 1)
        async with asyncio.timeout(4):
            assert await edge.process.terminate() == 0
