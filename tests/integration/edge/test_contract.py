"""Answers to the letter, as the clients' types have them (api-contract §3–§4): numbers, strings and nulls."""

from typing import Any

import pytest
import pytest_asyncio

from libs.contracts import rpc
from libs.contracts.account import SessionState
from libs.contracts.bots import Activity, BotState
from libs.contracts.rpc import ErrorCode, RpcError
from libs.contracts.signing_up import BrokerSignUp, FieldProblem
from libs.store.bot_status import handle
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.edge.shapes import (
    AMOUNT,
    FORBIDDEN,
    TIME,
    UNAUTHORIZED,
    UNAVAILABLE,
    WHOLE,
    WORDS,
    Like,
    refusal,
)
from tests.integration.edge.stack import eventually
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW = {"first_name": "New", "last_name": "User", "email": "new@example.test", "password": "s3cret-words", "affId": "7"}


@pytest_asyncio.fixture(loop_scope="session")
async def boss(supabase_server: SupabaseServer) -> Person:
    person = await supabase_server.sign_up()
    await supabase_server.appoint(person, "admin")
    return person


async def connected(edge: Edge, backend: Backend, person: Person, real: str | None = None) -> None:
    await backend.session(person.user, SessionState.CONNECTED, real=real)
    await eventually(edge, "/api/bot/status", person, lambda _, body: body["connected"])


async def test_front_and_liveness(edge: Edge, person: Person) -> None:
    both = {"avalon": "connected", "supabase": "connected"}
    body = await eventually(edge, "/", person, lambda _, body: body["connection"] == both)
    endpoints = body.pop("endpoints")
    assert body == {
        "name": WORDS, "version": "2.0.0", "status": "online", "timestamp": TIME, "connection": both,
    }  # fmt: skip
    assert {name: endpoints[name] for name in ENDPOINTS} == ENDPOINTS
    status, body = await edge.get("/health")
    assert isinstance(body.pop("uptime"), int | float)
    assert (status, body) == (200, {"status": "ok", "timestamp": TIME, "connections": both})


ENDPOINTS = {
    "status": "GET /api/bot/status",
    "connect": "POST /api/bot/connect",
    "balance": "GET /api/bot/balance",
    "accountType": "POST /api/bot/account-type",
    "startRuntime": "POST /api/bot/start-runtime",
    "stopRuntime": "POST /api/bot/stop-runtime",
    "runtimeStatus": "GET /api/bot/runtime-status",
    "marketScanner": "GET /api/market-scanner",
    "strategyPerformance": "GET /api/strategy-performance",
}


async def test_create_user(edge: Edge, backend: Backend) -> None:
    backend.signed_up = BrokerSignUp(
        status=201, id=1000042, email="new@example.test", first_name="New", last_name="User", country_code="BR",
        locale="pt_BR",
    )  # fmt: skip
    assert await edge.post("/api/avalon/create-user", body=NEW) == (200, {
        "success": True, "id": 1000042, "email": "new@example.test", "first_name": "New", "last_name": "User",
        "country_code": "BR", "locale": "pt_BR",
    })  # fmt: skip


async def test_create_user_at_a_broker_that_refuses(edge: Edge, backend: Backend) -> None:
    path, said = "/api/avalon/create-user", "The broker's words"
    for status, error, code in (
        (409, "user_exists", "USER_EXISTS"),
        (451, "user_country_restriction", "COUNTRY_RESTRICTED"),
        (400, "bad_request", "INVALID_REQUEST"),
    ):
        backend.signed_up = BrokerSignUp(status=status, error=error, message=said)
        assert await edge.post(path, body=NEW) == (status, refusal(code, error, message=said))
    problems = {"email": FieldProblem(code="taken", message="Taken"), "country_code": FieldProblem(code="unknown")}
    backend.signed_up = BrokerSignUp(status=422, fields=problems)
    assert await edge.post(path, body=NEW) == (422, refusal(
        "INVALID_FIELDS", "Taken", message="Taken", email={"code": "taken", "message": "Taken"},
        country_code={"code": "unknown", "message": ""},
    ))  # fmt: skip
    assert await edge.post(path, body=NEW | {"password": "short"}) == (
        400, refusal("INVALID_REQUEST", field="password"),
    )  # fmt: skip


@pytest.mark.parametrize("account_type", ["demo", "real"])
async def test_account_type(edge: Edge, backend: Backend, person: Person, account_type: str) -> None:
    path, body = "/api/bot/account-type", {"userId": person.user, "accountType": account_type}
    assert await edge.post(path, person, body) == (
        200, {"success": True, "message": f"Account type updated to {account_type}"},
    )  # fmt: skip
    assert await edge.post(path, person, body | {"accountType": 1}) == (
        400, refusal("INVALID_REQUEST", field="accountType"),
    )  # fmt: skip
    backend.refusals["choose_account"] = RpcError(ErrorCode.ALREADY_RUNNING, "")
    assert await edge.post(path, person, body) == (
        409, refusal("ALREADY_RUNNING", "Stop the bot first: a run stays on its account"),
    )  # fmt: skip


async def test_connection_status(edge: Edge, backend: Backend, person: Person) -> None:
    path = f"/api/bot/connection-status?userId={person.user}"
    assert await edge.get(path, person) == (
        200, {"success": True, "connected": False, "message": "No connection was ever made"},
    )  # fmt: skip
    await connected(edge, backend, person)
    await eventually(edge, path, person, lambda _, body: body.get("balance"))
    assert await edge.get(path, person) == (200, {
        "success": True, "connected": True, "balance": 10000.5, "connectionType": "websocket", "lastUpdate": TIME,
    })  # fmt: skip
    await backend.session(person.user, SessionState.DISCONNECTED, demo="7")
    body = await eventually(edge, path, person, lambda _, body: not body["connected"])
    assert body == {
        "success": True, "connected": False, "balance": 7, "connectionType": "unknown", "lastUpdate": TIME,
    }  # fmt: skip
    assert await edge.get("/api/bot/connection-status?userId=7", person) == (
        400, refusal("INVALID_REQUEST", field="userId"),
    )  # fmt: skip


async def test_disconnect(edge: Edge, backend: Backend, person: Person) -> None:
    path = "/api/bot/disconnect"
    done = (200, {"success": True, "message": "Disconnected from broker"})
    assert await edge.post(path, person, {"userId": person.user}) == done
    backend.refusals["stop"] = RpcError(ErrorCode.NOT_RUNNING, "")
    assert await edge.post(path, person) == done
    for endpoint in ("disconnect", "record_status"):
        backend.refusals[endpoint] = RpcError(ErrorCode.UNAVAILABLE, "where the server is")
        assert await edge.post(path, person) == (503, UNAVAILABLE)
        del backend.refusals[endpoint]
    backend.asked.clear()
    backend.refusals["stop"] = RpcError(ErrorCode.TIMEOUT, "")
    assert await edge.post(path, person) == (504, refusal("TIMEOUT"))
    assert backend.requests(rpc.OfUser) == [], "a bot that may still trade keeps its connection"


async def test_sync_pending_positions(edge: Edge, backend: Backend, person: Person) -> None:
    path, body = "/api/sync-pending-positions", {"userId": person.user, "ssid": "handle-1"}
    assert await edge.post(path, person, body) == (
        400, refusal("NOT_CONNECTED", "Not connected to Avalon. Call /api/bot/connect first."),
    )  # fmt: skip
    await connected(edge, backend, person)
    assert await edge.post(path, person, body) == (
        200, {"success": True, "updated": 0, "total": 0, "message": "No pending positions"},
    )  # fmt: skip
    backend.settled = rpc.Settled(total=3, closed=2)
    assert await edge.post(path, person, body) == (
        200, {"success": True, "updated": 2, "total": 3, "message": "2 of 3 pending positions settled"},
    )  # fmt: skip
    assert await edge.post(path, person, body | {"ssid": 5}) == (400, refusal("INVALID_REQUEST", field="ssid"))
    backend.refusals["settle"] = RpcError(ErrorCode.BROKER_UNREACHABLE, "at 10.0.0.7")
    assert await edge.post(path, person, body) == (
        502, refusal("BROKER_UNREACHABLE", "The broker cannot be reached. Please try again shortly."),
    )  # fmt: skip


def session_of(person: Person) -> dict[str, Any]:
    return {
        "userId": person.user, "avalonUserId": Like(r"9\d+"), "balance": 10000.5, "currency": "USD",
        "sessionId": Like(r".*"), "createdAt": TIME, "ageMs": WHOLE, "ageHours": "0.00",
    }  # fmt: skip


async def test_sessions_at_the_broker(edge: Edge, backend: Backend, person: Person, somebody_else: Person) -> None:
    make, validate = "/api/user/generate-ssid", "/api/user/validate-ssid"
    show, close = f"/api/user/session/{person.user}", "/api/user/close-session"
    own = {"userId": person.user, "ssid": handle(person.user)}
    not_found = (404, refusal("NOT_FOUND", "Session not found"))
    assert await edge.get(show, person) == not_found
    assert await edge.post(close, person) == not_found
    assert await edge.post(validate, person, own) == (422, unfit("SESSION_NOT_FOUND", "Session not found"))
    assert await edge.post(make, person, {"userId": person.user, "avalonCredentials": {"avalonUserId": 1}}) == (
        422, refusal("BROKER_USER_MISMATCH", field="avalonCredentials.avalonUserId"),
    )  # fmt: skip

    assert await edge.post(make, person, {"userId": person.user, "avalonCredentials": {"ssid": "of-the-broker"}}) == (
        200, {"success": True, "message": WORDS, "data": session_of(person)},
    )  # fmt: skip
    await eventually(edge, "/api/bot/status", person, lambda _, body: body["connected"])
    assert await edge.get(show, person) == (200, {"success": True, "data": session_of(person)})
    assert await edge.post(validate, person, own) == (200, {"success": True, "valid": True, "message": WORDS})
    assert await edge.post(validate, person, own | {"ssid": handle(somebody_else.user)}) == (
        422, unfit("SSID_MISMATCH", "SSID mismatch"),
    )  # fmt: skip

    assert await edge.post(close, person, {"userId": person.user}) == (
        200, {"success": True, "message": "Session closed"},
    )  # fmt: skip
    await eventually(edge, show, person, lambda status, _: status == 404)
    assert await edge.post(validate, person, own) == (422, unfit("SSID_EXPIRED", "SSID expired"))


def unfit(code: str, words: str) -> dict[str, Any]:
    return refusal(code, words, field="ssid", valid=False)


async def test_credentials_are_gone(edge: Edge, person: Person) -> None:
    for path in ("/api/user/avalon-credentials", "/api/bot/start", "/api/bot/stop"):
        assert await edge.post(path, person, {"userId": person.user}) == (410, refusal("GONE"))


async def test_one_bot_as_a_session(edge: Edge, backend: Backend, person: Person) -> None:
    path = f"/api/bot/sessions/{person.user}"
    idle = {"success": True, "active": False, "message": "No active session found for this user"}
    assert await edge.get(f"{path}/status", person) == (200, idle)
    assert await edge.post(f"{path}/start", person, {"config": {}}) == (200, {
        "success": True, "message": WORDS,
        "session": {"userId": person.user, "status": "running", "startTime": TIME},
    })  # fmt: skip
    await backend.status(person.user, Activity.PAUSED, state=BotState.PAUSED)
    await eventually(edge, f"{path}/status", person, lambda _, body: body.get("status") == "paused")
    zeros = {"trades": 0, "wins": 0, "losses": 0, "profit": 0}
    assert await edge.get(f"{path}/status", person) == (200, {
        "success": True, "active": True, "status": "paused", "startTime": TIME, "uptimeMs": WHOLE,
        "uptimeMinutes": Like(r"\d+\.\d\d"), "stats": zeros,
    })  # fmt: skip
    assert await edge.post(f"{path}/stop", person) == (200, {"success": True, "message": WORDS, "stats": zeros})
    for verb in ("pause", "resume"):
        assert await edge.post(f"{path}/{verb}", person) == (200, {"success": True, "message": WORDS})
    backend.refusals["start"] = RpcError(ErrorCode.ALREADY_RUNNING, "")
    assert await edge.post(f"{path}/start", person) == (
        400, refusal("ALREADY_RUNNING", "Session already running for this user", pid=3),
    )  # fmt: skip
    for verb in ("stop", "pause", "resume"):
        backend.refusals[verb] = RpcError(ErrorCode.NOT_RUNNING, "")
        assert await edge.post(f"{path}/{verb}", person) == (
            404, refusal("NOT_RUNNING", "No active session found for this user"),
        )  # fmt: skip


async def test_every_bot_as_a_session(edge: Edge, backend: Backend, person: Person, boss: Person) -> None:
    await backend.status(person.user, Activity.ANALYZING)
    body = await eventually(edge, "/api/bot/sessions?limit=200", boss, lambda _, body: own_of(body, person))
    assert body == {"success": True, "count": WHOLE, "sessions": body["sessions"]}
    assert own_of(body, person) == [{
        "userId": person.user, "accountType": "demo", "status": "running", "startTime": TIME,
        "stats": {"trades": 0, "wins": 0, "losses": 0, "profit": 0},
    }]  # fmt: skip
    running = body["count"]
    assert await edge.get("/api/bot/stats", boss) == (200, {
        "success": True, "activeSessions": running, "totalTrades": WHOLE, "totalWins": WHOLE, "totalLosses": WHOLE,
        "totalProfit": AMOUNT, "winRate": Like(r"\d+\.\d\d"),
    })  # fmt: skip
    assert await edge.post("/api/bot/sessions/cleanup", boss) == (
        200, {"success": True, "cleaned": 0, "remaining": running},
    )  # fmt: skip
    assert await edge.post("/api/bot/sessions/stop-all", boss) == (
        200, {"success": True, "message": "All sessions are stopping", "count": running},
    )  # fmt: skip
    backend.refusals["stop"] = RpcError(ErrorCode.UNAVAILABLE, "")
    assert await edge.post("/api/bot/sessions/stop-all", boss) == (503, UNAVAILABLE)


def own_of(body: Any, person: Person) -> list[Any]:
    return [each for each in body["sessions"] if each["userId"] == person.user]


async def test_discover_assets(edge: Edge, boss: Person) -> None:
    assert await edge.get("/api/debug/discover-assets", boss) == (200, {
        "methods": ["actives"],
        "results": {"activesFacade": [
            {"id": 76, "name": "EURUSD-OTC", "type": "forex"},
            {"id": 81, "name": "GBPUSD-OTC", "type": "forex"},
            {"id": 2268, "name": "BTCUSD-OTC-op", "type": "crypto"},
        ]},
        "sdkKeys": [],
    })  # fmt: skip


OF_A_USER: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("POST", "/api/bot/account-type", {"accountType": "demo"}),
    ("GET", "/api/bot/connection-status", {}),
    ("POST", "/api/bot/disconnect", {}),
    ("POST", "/api/sync-pending-positions", {"ssid": "x"}),
    ("POST", "/api/user/generate-ssid", {}),
    ("POST", "/api/user/validate-ssid", {"ssid": "x"}),
    ("POST", "/api/user/close-session", {}),
)


@pytest.mark.parametrize(("method", "path", "sent"), OF_A_USER)
async def test_nobody_elses(
    edge: Edge, person: Person, somebody_else: Person, method: str, path: str, sent: dict[str, str]
) -> None:
    parameters: Any = sent | {"userId": somebody_else.user}
    given = {"json": parameters} if method == "POST" else {"params": parameters}
    status, body, headers = await edge.ask(method, path, person, **given)
    assert (status, body) == (403, FORBIDDEN | {"error": "userId is somebody else's"})
    assert body["requestId"] == headers["x-request-id"]
    status, body, headers = await edge.ask(method, path, **given)
    assert (status, body, headers["www-authenticate"]) == (401, UNAUTHORIZED, "Bearer")
    if method == "POST":
        assert await edge.post(path, person, sent | {"userId": 5}) == (
            400, refusal("INVALID_REQUEST", field="userId"),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/bot/sessions"),
        ("GET", "/api/bot/stats"),
        ("POST", "/api/bot/sessions/stop-all"),
        ("POST", "/api/bot/sessions/cleanup"),
        ("GET", "/api/debug/discover-assets"),
    ],
)
async def test_for_administrators(edge: Edge, person: Person, method: str, path: str) -> None:
    given: Any = {"json": {}} if method == "POST" else {}
    status, body, _ = await edge.ask(method, path, person, **given)
    assert (status, body) == (403, FORBIDDEN | {"error": "Access denied. Admin role required."})
    status, body, _ = await edge.ask(method, path, **given)
    assert (status, body) == (401, UNAUTHORIZED)
