"""The broker's session ids, for administrators: who has one and until when, and never the id."""

from typing import Any

import pytest
import pytest_asyncio

from libs.contracts import ssid_rpc as rpc
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUTES = (
    ("GET", "/api/admin/ssid/stats", "ssid_stats"),
    ("GET", "/api/admin/ssid/42", "ssid_status"),
    ("POST", "/api/admin/ssid/42/renew", "renew_ssid"),
    ("POST", "/api/admin/ssid/cleanup", "clean_up_ssids"),
)
EVERY = pytest.mark.parametrize(("method", "path", "endpoint"), ROUTES)


@pytest_asyncio.fixture(loop_scope="session")
async def boss(supabase_server: SupabaseServer) -> Person:
    person = await supabase_server.sign_up()
    await supabase_server.appoint(person, "admin")
    return person


async def ask(edge: Edge, method: str, path: str, person: Person | None) -> tuple[int, Any, dict[str, str]]:
    return await edge.ask(method, path, person, **({"json": {}} if method == "POST" else {}))


async def test_stats(edge: Edge, backend: Backend, boss: Person) -> None:
    status, body = await edge.get("/api/admin/ssid/stats?limit=2&offset=3", boss)
    assert (status, body) == (
        200,
        {
            "success": True,
            "data": {
                "totalCached": 7,
                "active": 5,
                "expired": 2,
                "systemSSID": "active",
                "activeSSIDs": [{"userId": "42", "hoursUntilExpiry": "11.50"}],
                "expiredSSIDs": ["41"],
            },
        },
    )
    assert backend.asked == [rpc.SsidPage(limit=2, offset=3)]


@pytest.mark.parametrize("query", ["limit=201", "limit=0", "offset=-1"])
async def test_no_more_than_a_page(edge: Edge, backend: Backend, boss: Person, query: str) -> None:
    status, body = await edge.get(f"/api/admin/ssid/stats?{query}", boss)
    assert (status, body["field"], backend.asked) == (400, query.partition("=")[0], [])


async def test_one_users(edge: Edge, backend: Backend, boss: Person) -> None:
    status, body = await edge.get("/api/admin/ssid/42", boss)
    assert body["data"].pop("expiresAt").endswith("Z")
    assert (status, body["data"]) == (200, {"exists": True, "hoursUntilExpiry": "11.50", "isExpired": False})
    status, body = await edge.get("/api/admin/ssid/43", boss)
    assert (status, body["success"], body["data"]["exists"]) == (200, True, False)
    assert body["data"]["message"] == "There is no session id for this broker user"


@pytest.mark.parametrize("user", ["somebody", "042", "0", "-1", "1e3", "9" * 19])
async def test_a_broker_user_is_a_number(edge: Edge, backend: Backend, boss: Person, user: str) -> None:
    for method, path in (("GET", f"/api/admin/ssid/{user}"), ("POST", f"/api/admin/ssid/{user}/renew")):
        status, body, _ = await ask(edge, method, path, boss)
        assert (status, body["field"]) == (400, "userId")
    assert backend.asked == []


async def test_renew_says_who_ordered_it(edge: Edge, backend: Backend, boss: Person) -> None:
    status, body = await edge.post("/api/admin/ssid/42/renew", boss)
    assert (status, set(body)) == (200, {"success", "message"})
    assert backend.asked == [rpc.RenewSsid(broker_user_id="42", by=boss.user)]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ErrorCode.NOT_FOUND, 404),
        (ErrorCode.BROKER_REFUSED, 422),
        (ErrorCode.BROKER_UNREACHABLE, 502),
        (ErrorCode.TIMEOUT, 504),
    ],
)
async def test_a_failed_renewal_says_which(
    edge: Edge, backend: Backend, boss: Person, code: ErrorCode, status: int
) -> None:
    backend.refusals["renew_ssid"] = RpcError(code, "why")
    answered, body = await edge.post("/api/admin/ssid/42/renew", boss)
    assert (answered, body["code"]) == (status, code)


async def test_cleanup(edge: Edge, backend: Backend, boss: Person) -> None:
    status, body = await edge.post("/api/admin/ssid/cleanup", boss)
    assert (status, body) == (
        200,
        {"success": True, "message": "2 expired session ids forgotten", "cleaned": 2},
    )
    assert backend.asked == [rpc.CleanUpSsids(by=boss.user)]


@EVERY
async def test_when_no_gateway_answers(
    edge: Edge, backend: Backend, boss: Person, method: str, path: str, endpoint: str
) -> None:
    backend.refusals[endpoint] = RpcError(ErrorCode.UNAVAILABLE, "")
    status, body, headers = await ask(edge, method, path, boss)
    assert (status, body["code"], headers["retry-after"]) == (503, "UNAVAILABLE", "2")


@EVERY
async def test_for_administrators_alone(
    edge: Edge, backend: Backend, supabase_server: SupabaseServer, method: str, path: str, endpoint: str
) -> None:
    assert (await ask(edge, method, path, None))[0] == 401
    reader = await supabase_server.sign_up()
    await supabase_server.appoint(reader, "support")
    status, body, _ = await ask(edge, method, path, reader)
    assert (status, body["code"], backend.asked) == (403, "FORBIDDEN", [])
