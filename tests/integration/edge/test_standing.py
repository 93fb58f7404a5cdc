"""Who is banned or logged out is cut off within five seconds, though their token is valid for an hour."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import socketio

from libs.bus.topology import PLATFORM
from libs.contracts import keys
from libs.contracts.platform import BarredUser
from services.socket_edge import routes
from services.socket_edge.route import Access, Route
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Browser, Edge
from tests.integration.edge.stack import Browse, Stack, running
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMIT = 5.0
"""Seconds."""
COMMANDS = [route for route in routes.ALL if route.changes and route.access is Access.USER]
EVERY_COMMAND = pytest.mark.parametrize("route", COMMANDS, ids=lambda route: route.path)


async def command(edge: Edge, route: Route[Any, Any], person: Person, **sent: Any) -> tuple[int, str]:
    """Status and code."""
    path = route.path.replace("{userId}", person.user)
    status, body, _ = await edge.ask(route.method, path, person, json={}, **sent)
    return status, body["code"]


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


async def test_what_was_answered_before_is_not_told_again_to_who_is_banned(
    shared_stack: Stack, backend: Backend, person: Person
) -> None:
    edge, platform = shared_stack.edge, backend.analytics.bucket(PLATFORM)
    key = {"Idempotency-Key": "once"}
    assert (await edge.post("/api/bot/stop-runtime", person, headers=key))[0] == 200
    await platform.put(keys.barred(person.user), BarredUser(user=person.user, at=datetime.now(UTC)))
    assert await refused(edge, person, 403) == "SUSPENDED"
    assert (await edge.post("/api/bot/stop-runtime", person, headers=key))[0] == 403


@pytest_asyncio.fixture(loop_scope="session")
async def banned(shared_stack: Stack, backend: Backend, person: Person) -> Person:
    barred = BarredUser(user=person.user, at=datetime.now(UTC))
    await backend.analytics.bucket(PLATFORM).put(keys.barred(person.user), barred)
    await refused(shared_stack.edge, person, 403)
    return person


@EVERY_COMMAND
async def test_no_command_of_who_is_banned_gets_through(
    edge: Edge, backend: Backend, banned: Person, route: Route[Any, Any]
) -> None:
    assert await command(edge, route, banned) == (403, "SUSPENDED")
    assert backend.asked == []


@EVERY_COMMAND
async def test_no_command_of_a_session_that_was_ended_gets_through_not_even_the_first(
    edge: Edge, backend: Backend, supabase_server: SupabaseServer, person: Person, route: Route[Any, Any]
) -> None:
    """This edge has never seen the token: it was kept for later."""
    await supabase_server.as_person(person, "POST", "/auth/v1/logout?scope=global")
    assert await command(edge, route, person) == (401, "UNAUTHORIZED")
    assert backend.asked == []


async def test_nor_does_its_first_socket(edge: Edge, supabase_server: SupabaseServer, person: Person) -> None:
    await supabase_server.as_person(person, "POST", "/auth/v1/logout?scope=global")
    browser = Browser()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await browser.socket.connect(edge.url, auth={"token": person.token}, transports=["websocket"])
    assert browser.named("connect_error")[0]["message"] == "unauthorized"


async def test_while_nobody_can_tell_people_are_let_in(own_supabase_server: SupabaseServer, tmp_path: Path) -> None:
    """A bot must be stoppable, whatever is away."""
    several = [await own_supabase_server.sign_up() for _ in range(3)]
    async with running(tmp_path, own_supabase_server) as stack:
        own_supabase_server.freeze()
        stop = [stack.edge.post("/api/bot/stop-runtime", person) for person in several]
        assert [status for status, _ in await asyncio.gather(*stop)] == [200, 200, 200]
        assert stack.edge.process.logged("new_sessions_not_known")
        own_supabase_server.thaw()
