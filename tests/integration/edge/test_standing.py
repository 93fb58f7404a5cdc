"""Who is banned or logged out is cut off within five seconds, though their token is valid for an hour."""

import asyncio
from datetime import UTC, datetime

import pytest
import socketio

from libs.bus.topology import PLATFORM
from libs.contracts import keys
from libs.contracts.platform import BarredUser
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import Browse, Stack
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMIT = 5.0
"""Seconds."""


async def refused(edge: Edge, person: Person, status: int) -> str:
    """The code, as soon as the edge refuses."""
    async with asyncio.timeout(LIMIT):
        while (answer := await edge.get("/api/bot/status", person))[0] != status:
            await asyncio.sleep(0.05)
    code: str = answer[1]["code"]
    return code


async def test_who_logs_out_everywhere_is_cut_off(
    shared_stack: Stack, browse: Browse, supabase_server: SupabaseServer, person: Person, somebody_else: Person
) -> None:
    edge = shared_stack.edge
    browser, other = await browse(person), await browse(somebody_else)
    status, _ = await supabase_server.as_person(person, "POST", "/auth/v1/logout?scope=global")
    assert status == 204
    assert await refused(edge, person, 401) == "UNAUTHORIZED"
    await browser.until(lambda: browser.named("disconnect"), LIMIT)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await browse(person)
    assert (await edge.get("/api/bot/status", somebody_else))[0] == 200
    assert other.socket.connected


async def test_who_is_banned_is_cut_off_and_let_in_again(
    shared_stack: Stack, browse: Browse, person: Person, somebody_else: Person
) -> None:
    edge, platform = shared_stack.edge, shared_stack.backend.analytics.bucket(PLATFORM)
    browser = await browse(person)
    await platform.put(keys.barred(person.user), BarredUser(user=person.user, at=datetime.now(UTC)))
    assert await refused(edge, person, 403) == "SUSPENDED"
    await browser.until(lambda: browser.named("disconnect"), LIMIT)
    for method, path in (("POST", "/api/bot/start-runtime"), ("GET", "/api/candles?asset=EURUSD-OTC&timeframe=60")):
        assert (await edge.ask(method, path, person))[0] == 403
    assert (await edge.get("/api/bot/status", somebody_else))[0] == 200
    await platform.delete(keys.barred(person.user))
    async with asyncio.timeout(LIMIT):
        while (await edge.get("/api/bot/status", person))[0] != 200:
            await asyncio.sleep(0.05)
