"""What nobody is told: the platform's secrets in no answer and no page, and nothing personal in the log."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest
import pytest_asyncio
import socketio

from libs.contracts.rpc import ErrorCode, RpcError
from services.socket_edge import routes
from services.socket_edge.route import Access, Route
from tests.integration.edge.client import Browser, Edge
from tests.integration.edge.database_proxy import between
from tests.integration.edge.stack import UNLIMITED, Stack, running
from tests.integration.edge.test_authorisation import BODIES, NEEDED, path_of
from tests.integration.supabase_server import Person, SupabaseServer
from tests.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOCUMENTS = (
    "/", "/docs", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js", "/openapi.json",
    "/docs/sockets", "/asyncapi.json", "/pregao-session.js", "/index.html", "/assets/index-1.js", "/somewhere",
)  # fmt: skip


async def everything(edge: Edge, person: Person) -> AsyncIterator[str]:
    """Every answer, with its headers, that can be had without and with every right, right and wrong."""
    for path in DOCUMENTS:
        yield str(await edge.ask("GET", path, headers={"Accept": "text/html"}))
    for route in routes.ALL:
        for who in (None, person):
            for sent in (NEEDED.get(route.path, {}) | BODIES.get(route.path, {}), {"surprise": 1}):
                given: dict[str, Any] = {"json": sent} if route.changes else {"params": sent}
                yield str(await edge.ask(route.method, path_of(route, person.user), who, **given))


async def test_no_secret_is_in_any_answer_page_or_metric(
    unlimited_stack: Stack, supabase_server: SupabaseServer, super_admin: Person
) -> None:
    secrets = [supabase_server.secret_key, supabase_server.jwt_secret, *unlimited_stack.nats.passwords.values()]
    told = [answer async for answer in everything(unlimited_stack.edge, super_admin)]
    assert any("The client" in answer for answer in told)
    assert any("the client" in answer for answer in told)
    metrics = f"http://127.0.0.1:{unlimited_stack.edge.process.health_port}/metrics"
    async with unlimited_stack.edge.http.get(metrics) as response:
        told.append(await response.text())
    told.append(unlimited_stack.edge.process.log())
    for secret in secrets:
        assert [answer for answer in told if secret in answer] == []


async def test_users_read_nothing_with_the_services_key_but_what_is_theirs_or_everybodys(
    supabase_server: SupabaseServer, tmp_path: Path, person: Person
) -> None:
    """What else they are told is in memory, by the user that their token names."""
    async with between(supabase_server) as (proxy, url):
        variables = UNLIMITED | {"PREGAO_SUPABASE_URL": url}
        async with running(tmp_path, supabase_server, variables=variables) as stack:
            for route in (route for route in routes.ALL if route.access is Access.USER):
                sent = NEEDED.get(route.path, {})
                given: dict[str, Any] = {"json": sent} if route.changes else {}
                status, _, _ = await stack.edge.ask(route.method, path_of(route, person.user), person, **given)
                assert status not in (401, 403), route.path
    assert proxy.asked <= {
        ("system_config", ""),  # whether the database is there
        ("rpc/ended_sessions", ""),
        ("profiles", f"eq.{person.user}"),
        ("scanner_performance", ""),
        ("strategy_trades", ""),
        ("rpc/strategy_totals", ""),
    }
    assert ("profiles", f"eq.{person.user}") in proxy.asked


PERSONAL = {
    "email": "canary.sevenqueue@example.test", "password": "Canary-word-7q!", "first_name": "Canaria",
    "last_name": "Sevenqueue", "phone": "+5511987654377", "ssid": "canary-session-7q", "name": "Canaria Sevenqueue",
}  # fmt: skip
CANARIES = ("sevenqueue", "Canary-word", "Canaria", "987654377", "canary-session", "canary-token")


def filled(route: Route[Any, Any]) -> dict[str, Any]:
    """A body, or a query, with something personal in every text."""
    struct = route.body if route.changes else route.query
    names = [field.encode_name for field in msgspec.structs.fields(struct)]
    return {name: PERSONAL.get(name, PERSONAL["email"]) for name in names} | {"note": PERSONAL["email"]}


def tries(route: Route[Any, Any], user: str) -> Iterator[tuple[str, dict[str, Any]]]:
    place = "json" if route.changes else "params"
    yield path_of(route, user), {place: filled(route)}
    yield path_of(route, user), {place: PERSONAL}
    yield path_of(route, user) + f"/{PERSONAL['email']}", {place: {}}


@pytest_asyncio.fixture(loop_scope="session")
async def canary(supabase_server: SupabaseServer) -> Person:
    person = await supabase_server.sign_up("9" + str(free_port()), email=f"{free_port()}.{PERSONAL['email']}")
    await supabase_server.appoint(person, "super_admin")
    return person


async def test_nothing_personal_is_in_the_log(unlimited_stack: Stack, canary: Person) -> None:
    edge, backend = unlimited_stack.edge, unlimited_stack.backend
    backend.reset()
    headers = {"Cookie": "sb-access-token=canary-token", "Referer": f"https://x.test/?{PERSONAL['email']}"}
    headers |= {"User-Agent": PERSONAL["name"], "X-Request-Id": PERSONAL["email"]}
    for route in routes.ALL:
        for path, sent in tries(route, canary.user):
            await edge.ask(route.method, path, canary, headers=headers, **sent)
            await edge.ask(route.method, path, headers=headers | {"Authorization": "Bearer canary-token"}, **sent)
    sign_up = {name: PERSONAL[name] for name in ("first_name", "last_name", "email", "password")}
    assert (await edge.post("/api/avalon/create-user", body=sign_up, headers=headers))[0] == 200
    for endpoint in ("sign_up", "connect"):
        backend.refusals[endpoint] = RpcError(ErrorCode.INTERNAL, "it failed")
    assert (await edge.post("/api/avalon/create-user", body=sign_up, headers=headers))[0] == 500
    assert (await edge.post("/api/bot/connect", canary, {"userId": canary.user}, headers=headers))[0] == 500
    backend.reset()
    await speak(edge, canary)
    await babble(edge)
    log = edge.process.log()
    assert "request_failed" in log
    assert [line for line in log.splitlines() if any(word in line for word in (*CANARIES, canary.token))] == []


async def speak(edge: Edge, person: Person) -> None:
    """Over a socket, let in and not."""
    browser = Browser()
    await browser.socket.connect(edge.url, auth={"token": person.token}, transports=["websocket"])
    for event in ("subscribe-candles", "watch-candles", PERSONAL["email"]):
        answer = await browser.socket.call(event, {"asset": PERSONAL["email"], "timeframe": 60}, timeout=10)
        assert answer["ok"] is False
    await browser.socket.disconnect()
    for auth in ({"token": "canary-token"}, {"token": person.token + "x", "email": PERSONAL["email"]}):
        with pytest.raises(socketio.exceptions.ConnectionError):
            await Browser().socket.connect(edge.url, auth=auth, transports=["websocket"])


async def babble(edge: Edge) -> None:
    """What is no HTTP, and what is no Socket.IO."""
    where = urlsplit(edge.url)
    for sent in (
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer canary-token\x01\r\n\r\n",
        b"canary-token sevenqueue\r\n\r\n",
        b"POST /api/avalon/create-user HTTP/1.1\r\nHost: x\r\nContent-Length: canary-token\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(sent)
        async with asyncio.timeout(10):
            await reader.read()
        writer.close()
    async with edge.http.ws_connect(f"{edge.url}/socket.io/?EIO=4&transport=websocket") as socket:
        await socket.send_str('45canary-token-["sevenqueue"]')
        async with asyncio.timeout(20):
            while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
