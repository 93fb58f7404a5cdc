"""The connection as older clients ask for it, sessions at the broker, what is gone, and what probes ask."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from libs.contracts import rpc
from libs.contracts.account import SessionState
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.bot_status import handle
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import Stack, eventually, running
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONNECTION = "/api/bot/connection-status"


async def test_connection_status(edge: Edge, backend: Backend, person: Person) -> None:
    status, body = await edge.get(f"{CONNECTION}?userId={person.user}", person)
    assert (status, body["connected"], body["message"]) == (200, False, "No connection was ever made")
    await backend.session(person.user, SessionState.CONNECTED)
    body = await eventually(edge, CONNECTION, person, lambda _, body: body["connected"])
    assert body.pop("lastUpdate").endswith("Z")
    assert body == {"success": True, "connected": True, "balance": 10000.5, "connectionType": "websocket"}
    await backend.session(person.user, SessionState.DISCONNECTED)
    body = await eventually(edge, CONNECTION, person, lambda _, body: not body["connected"])
    assert body["connectionType"] == "unknown"


@pytest.mark.parametrize("path", ["/api/bot/start", "/api/bot/stop", "/api/user/avalon-credentials"])
async def test_what_is_gone_says_what_there_is_instead(edge: Edge, backend: Backend, person: Person, path: str) -> None:
    status, body = await edge.post(path, person)
    assert (status, body["code"]) == (410, "GONE")
    assert "/api/bot/" in body["error"]
    assert (await edge.ask("POST", path))[0] == 401
    assert backend.asked == []


async def test_generate_ssid_connects_and_tells_no_session_id(edge: Edge, backend: Backend, person: Person) -> None:
    body = {"userId": person.user, "avalonCredentials": {"ssid": "of-the-broker"}}
    status, answer = await edge.post("/api/user/generate-ssid", person, body)
    assert (status, answer["data"]["userId"], answer["data"]["balance"]) == (200, person.user, 10000.5)
    connecting, recording = backend.asked
    assert answer["data"]["avalonUserId"] == connecting.broker_user_id
    assert recording == rpc.OfUser(user=person.user)
    assert "ssid" not in answer["data"]
    assert "of-the-broker" not in str(answer)


async def test_another_broker_user_than_the_profiles_is_refused(edge: Edge, backend: Backend, person: Person) -> None:
    body = {"avalonCredentials": {"avalonUserId": 1}}
    status, answer = await edge.post("/api/user/generate-ssid", person, body)
    assert (status, answer["code"], answer["field"]) == (
        422, "BROKER_USER_MISMATCH", "avalonCredentials.avalonUserId",
    )  # fmt: skip
    assert backend.asked == []


@pytest.mark.parametrize(
    ("code", "status"),
    [(ErrorCode.BROKER_REFUSED, 422), (ErrorCode.BROKER_UNREACHABLE, 502), (ErrorCode.UNAVAILABLE, 503)],
)
async def test_generate_ssid_fails_as_connect_does(
    edge: Edge, backend: Backend, person: Person, code: ErrorCode, status: int
) -> None:
    backend.refusals["connect"] = RpcError(code, "")
    assert (await edge.post("/api/user/generate-ssid", person))[0] == status


async def test_a_handle_is_valid_while_its_session_is_open(
    edge: Edge, backend: Backend, person: Person, somebody_else: Person
) -> None:
    own = {"ssid": handle(person.user)}
    status, body = await edge.post("/api/user/validate-ssid", person, own)
    assert (status, body["code"]) == (422, "SESSION_NOT_FOUND")
    await backend.session(person.user, SessionState.CONNECTED)
    await eventually(edge, CONNECTION, person, lambda _, body: body["connected"])
    status, body = await edge.post("/api/user/validate-ssid", person, own)
    assert (status, body["valid"]) == (200, True)
    status, body = await edge.post("/api/user/validate-ssid", person, {"ssid": handle(somebody_else.user)})
    assert (status, body["code"], body["field"]) == (422, "SSID_MISMATCH", "ssid")
    status, body = await edge.post("/api/user/validate-ssid", person, {"ssid": "größer"})
    assert status == 422
    status, body = await edge.post("/api/user/validate-ssid", person)
    assert (status, body["field"]) == (400, "ssid")


async def test_a_session_is_told_of_until_it_is_closed(edge: Edge, backend: Backend, person: Person) -> None:
    path = f"/api/user/session/{person.user}"
    assert (await edge.get(path, person))[0] == 404
    assert (await edge.post("/api/user/close-session", person))[0] == 404
    await backend.session(person.user, SessionState.CONNECTED)
    body = await eventually(edge, path, person, lambda status, _: status == 200)
    data = body["data"]
    assert set(data) == {
        "userId", "avalonUserId", "balance", "currency", "sessionId", "createdAt", "ageMs", "ageHours",
    }  # fmt: skip
    assert (data["userId"], data["balance"], data["currency"], data["ageHours"]) == (
        person.user, 10000.5, "USD", "0.00",
    )  # fmt: skip
    status, body = await edge.post("/api/user/close-session", person)
    assert (status, body["message"]) == (200, "Session closed")
    assert [type(request) for request in backend.asked] == [rpc.StopBot, rpc.OfUser, rpc.OfUser]
    await eventually(edge, path, person, lambda status, _: status == 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", CONNECTION),
        ("POST", "/api/user/generate-ssid"),
        ("POST", "/api/user/validate-ssid"),
        ("GET", "/api/user/session/{user}"),
        ("POST", "/api/user/close-session"),
    ],
)
async def test_nobody_elses(
    edge: Edge, backend: Backend, person: Person, somebody_else: Person, method: str, path: str
) -> None:
    other = somebody_else.user
    sent: dict[str, Any] = (
        {"json": {"userId": other, "ssid": "x"}} if method == "POST" else {"params": {"userId": other}}
    )
    if method == "POST" and "validate" not in path:
        del sent["json"]["ssid"]
    status, body, _ = await edge.ask(method, path.format(user=other), person, **sent)
    assert (status, body["code"]) == (403, "FORBIDDEN")
    assert (await edge.ask(method, path.format(user=other), **sent))[0] == 401
    assert backend.asked == []


async def test_probes_need_no_token(edge: Edge) -> None:
    status, body = await edge.get("/healthz")
    assert (status, body["status"]) == (200, "ok")
    status, body = await edge.get("/readyz")
    assert (status, body) == (200, {"success": True, "status": "ready"})


async def test_an_edge_without_its_bus_lives_and_is_not_ready(own_stack: Stack) -> None:
    own_stack.nats.kill()
    async with asyncio.timeout(20):
        while (await own_stack.edge.get("/readyz"))[0] == 200:
            await asyncio.sleep(0.05)
    status, body, headers = await own_stack.edge.ask("GET", "/readyz")
    assert (status, body["code"]) == (503, "UNAVAILABLE")
    assert int(headers["retry-after"]) > 0
    assert (await own_stack.edge.get("/healthz"))[0] == 200
    own_stack.nats.start()


async def test_developers_see_what_the_broker_offers_and_only_locally(
    edge: Edge, supabase_server: SupabaseServer, person: Person, tmp_path: Path
) -> None:
    boss = await supabase_server.sign_up()
    await supabase_server.appoint(boss, "admin")
    path = "/api/debug/discover-assets"
    status, body = await edge.get(path, boss)
    assert (status, body["results"]["activesFacade"][0]) == (200, {"id": 76, "name": "EURUSD-OTC", "type": "forex"})
    assert (await edge.get(path, person))[0] == 403
    async with running(tmp_path, supabase_server, variables={"PREGAO_MODE": "production"}) as stack:
        assert (await stack.edge.get(path, boss))[0] == 404
        assert path not in (await stack.edge.get("/openapi.json"))[1]["paths"]
