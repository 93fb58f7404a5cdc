"""Bots as sessions: the same ones that start-runtime and stop-runtime steer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts import rpc
from libs.contracts.account import AccountType
from libs.contracts.bots import Activity, BotConfig, BotState
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import Stack, eventually
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

ONE_USERS = (("POST", "start"), ("POST", "stop"), ("POST", "pause"), ("POST", "resume"), ("GET", "status"))
EVERYBODYS = (
    ("GET", "/api/bot/sessions"),
    ("GET", "/api/bot/stats"),
    ("POST", "/api/bot/sessions/stop-all"),
    ("POST", "/api/bot/sessions/cleanup"),
)


def path(person: Person, verb: str) -> str:
    return f"/api/bot/sessions/{person.user}/{verb}"


async def test_start_is_the_start_of_the_runtime(edge: Edge, backend: Backend, person: Person) -> None:
    status, body = await edge.post(path(person, "start"), person, {"config": {"amount": 5}})
    assert (status, body["success"], body["session"]["status"]) == (200, True, "running")
    assert body["session"]["userId"] == person.user
    assert body["session"]["startTime"].endswith("Z")
    (start,) = backend.requests(rpc.StartBot)
    assert (start.user, start.config.amount) == (person.user, 5)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [(ErrorCode.ALREADY_RUNNING, 400, "Session already running for this user"), (ErrorCode.UNAVAILABLE, 503, None)],
)
async def test_a_refused_start_says_why(
    edge: Edge, backend: Backend, person: Person, code: ErrorCode, status: int, error: str | None
) -> None:
    backend.refusals["start"] = RpcError(code, "")
    answered, body = await edge.post(path(person, "start"), person)
    assert (answered, body["code"]) == (status, code)
    assert error is None or body["error"] == error


async def test_stop_tells_how_the_run_stands(edge: Edge, backend: Backend, person: Person) -> None:
    await backend.score(person.user, wins=2, losses=1, total="5.5")
    await backend.status(person.user, Activity.ANALYZING)
    await eventually(edge, "/api/bot/runtime-status", person, lambda _, body: body["stats"])
    status, body = await edge.post(path(person, "stop"), person)
    assert (status, body["stats"]) == (200, {"trades": 3, "wins": 2, "losses": 1, "profit": 5.5})
    assert backend.requests(rpc.StopBot) == [rpc.StopBot(user=person.user)]


async def test_pause_and_resume_mean_one_account_or_all(edge: Edge, backend: Backend, person: Person) -> None:
    for verb in ("pause", "resume"):
        for body, account_type in (({}, None), ({"accountType": "real"}, AccountType.REAL)):
            status, answer = await edge.post(path(person, verb), person, body)
            assert (status, answer["success"]) == (200, True)
            assert backend.asked[-1] == rpc.OfBots(user=person.user, account_type=account_type)


@pytest.mark.parametrize(
    ("verb", "code"),
    [("stop", "NOT_RUNNING"), ("pause", "NOT_RUNNING"), ("resume", "NOT_RUNNING"), ("resume", "NOT_PAUSED")],
)
async def test_what_does_not_run_is_not_found(
    edge: Edge, backend: Backend, person: Person, verb: str, code: str
) -> None:
    backend.refusals[verb] = RpcError(ErrorCode(code), "")
    status, body = await edge.post(path(person, verb), person)
    assert (status, body["code"]) == (404, code)


async def test_status_agrees_with_the_runtimes(edge: Edge, backend: Backend, person: Person) -> None:
    status, body = await edge.get(path(person, "status"), person)
    assert (status, body) == (
        200,
        {"success": True, "active": False, "message": "No active session found for this user"},
    )
    started = datetime.now(UTC) - timedelta(minutes=3)
    await backend.status(person.user, Activity.PAUSED, state=BotState.PAUSED, started_at=started)
    body = await eventually(edge, path(person, "status"), person, lambda _, body: body["active"])
    assert body["status"] == "paused"
    assert 180_000 <= body["uptimeMs"] < 240_000
    assert float(body["uptimeMinutes"]) == pytest.approx(body["uptimeMs"] / 60_000, abs=0.01)
    assert body["stats"] == {"trades": 0, "wins": 0, "losses": 0, "profit": 0}
    await backend.status(person.user, Activity.STOPPED, state=BotState.STOPPED)
    await eventually(edge, path(person, "status"), person, lambda _, body: not body["active"])


@pytest.mark.parametrize(("method", "verb"), ONE_USERS)
async def test_one_users_are_for_them_and_administrators(
    edge: Edge, backend: Backend, person: Person, somebody_else: Person, method: str, verb: str
) -> None:
    sent: dict[str, Any] = {"json": {}} if method == "POST" else {}
    status, body, _ = await edge.ask(method, path(somebody_else, verb), person, **sent)
    assert (status, body["code"]) == (403, "FORBIDDEN")
    status, body, _ = await edge.ask(method, path(somebody_else, verb), **sent)
    assert (status, body["code"]) == (401, "UNAUTHORIZED")
    status, body, _ = await edge.ask(method, f"/api/bot/sessions/somebody/{verb}", person, **sent)
    assert (status, body["field"]) == (400, "userId")
    assert backend.asked == []


@pytest.mark.parametrize(("method", "path"), EVERYBODYS)
async def test_everybodys_are_for_administrators(edge: Edge, person: Person, method: str, path: str) -> None:
    status, body, _ = await edge.ask(method, path, person, **({"json": {}} if method == "POST" else {}))
    assert (status, body["code"]) == (403, "FORBIDDEN")
    status, _, _ = await edge.ask(method, path)
    assert status == 401


async def test_administrators_see_and_stop_everybody(
    own_stack: Stack, supabase_server: SupabaseServer, person: Person, somebody_else: Person
) -> None:
    edge, backend, boss = own_stack.edge, own_stack.backend, await supabase_server.sign_up()
    await supabase_server.appoint(boss, "admin")
    await backend.score(person.user, wins=2, losses=1, total="5.5")
    await backend.score(person.user, account_type=AccountType.REAL, wins=1, total="-1.5")
    await backend.status(person.user, Activity.ANALYZING)
    await backend.status(person.user, Activity.PAUSED, state=BotState.PAUSED, config=_real())
    await backend.status(somebody_else.user, Activity.STOPPED, state=BotState.STOPPED)
    listed = await eventually(edge, "/api/bot/sessions", boss, lambda _, body: body["count"] == 2)
    assert [(each["userId"], each["accountType"], each["status"]) for each in listed["sessions"]] == [
        (person.user, "demo", "running"),
        (person.user, "real", "paused"),
    ]
    assert listed["sessions"][0]["stats"] == {"trades": 3, "wins": 2, "losses": 1, "profit": 5.5}
    _, second = await edge.get("/api/bot/sessions?limit=1&offset=1", boss)
    assert (second["count"], [each["accountType"] for each in second["sessions"]]) == (2, ["real"])
    _, totals = await edge.get("/api/bot/stats", boss)
    assert totals == {
        "success": True, "activeSessions": 2, "totalTrades": 4, "totalWins": 3, "totalLosses": 1, "totalProfit": 4,
        "winRate": "75.00",
    }  # fmt: skip
    _, cleaned = await edge.post("/api/bot/sessions/cleanup", boss)
    assert (cleaned["cleaned"], cleaned["remaining"]) == (0, 2)
    status, stopped = await edge.post("/api/bot/sessions/stop-all", boss)
    assert (status, stopped["count"]) == (200, 2)
    assert {(each.user, each.account_type) for each in backend.requests(rpc.StopBot)} == {
        (person.user, AccountType.DEMO),
        (person.user, AccountType.REAL),
    }
    backend.refusals["stop"] = RpcError(ErrorCode.NOT_RUNNING, "")
    assert (await edge.post("/api/bot/sessions/stop-all", boss))[1]["count"] == 0
    backend.refusals["stop"] = RpcError(ErrorCode.TIMEOUT, "")
    assert (await edge.post("/api/bot/sessions/stop-all", boss))[0] == 504


def _real() -> BotConfig:
    return BotConfig(account_type=AccountType.REAL)
