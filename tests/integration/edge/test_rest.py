"""The REST door on a real bus and database."""

import io
from typing import Any

import pytest

from libs.contracts import rpc
from libs.contracts.account import SessionState
from libs.contracts.bots import Activity, BotState
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.edge.backend import HISTORY, Backend
from tests.integration.edge.client import ORIGIN, Edge
from tests.integration.edge.stack import Stack, eventually
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROTECTED = (
    ("POST", "/api/bot/connect"),
    ("POST", "/api/bot/disconnect"),
    ("POST", "/api/bot/start-runtime"),
    ("POST", "/api/bot/stop-runtime"),
    ("GET", "/api/bot/balance"),
    ("GET", "/api/bot/status"),
    ("GET", "/api/bot/runtime-status"),
    ("GET", "/api/candles"),
    ("GET", "/api/crm/stats"),
    ("POST", "/api/bot/preview"),
    ("POST", "/api/bot/pause"),
    ("POST", "/api/bot/resume"),
    ("POST", "/api/bot/reconfigure"),
    ("GET", "/api/market-scanner"),
    ("GET", "/api/strategy-performance"),
    ("GET", "/api/scanner/top20"),
    ("GET", "/api/scanner/asset/76"),
    ("POST", "/api/scanner/aggregate"),
    ("GET", "/api/admin/platform"),
    ("PUT", "/api/admin/platform"),
    ("GET", "/api/admin/limits"),
    ("PUT", "/api/admin/limits"),
)


async def test_nothing_but_the_front_answers_without_a_token(edge: Edge) -> None:
    for method, path in PROTECTED:
        status, body, headers = await edge.ask(method, path)
        assert (status, body["success"], body["code"]) == (401, False, "UNAUTHORIZED"), path
        assert body["error"] == body["message"]
        assert body["requestId"] == headers["x-request-id"]


async def test_the_front_says_what_this_is_and_how_it_is(edge: Edge, person: Person) -> None:
    front = await eventually(
        edge, "/", person, lambda _, body: body["connection"] == {"avalon": "connected", "supabase": "connected"}
    )
    assert front["status"] == "online"
    assert front["endpoints"]["connect"] == "POST /api/bot/connect"
    status, health = await edge.get("/health")
    assert (status, health["status"]) == (200, "ok")
    assert health["uptime"] > 0


async def test_connect_records_the_row_before_it_answers(edge: Edge, backend: Backend, person: Person) -> None:
    status, body = await edge.post("/api/bot/connect", person, {"userId": person.user})
    assert status == 200
    assert body == {
        "success": True,
        "message": "Connected to Avalon",
        "balance": "10000.50 USD",
        "balanceAmount": 10000.5,
        "connectionType": "WebSocket",
    }
    connecting, recording = backend.asked
    assert connecting.user == person.user
    assert connecting.broker_user_id.startswith("9")
    assert recording == rpc.OfUser(user=person.user)


async def test_connect_needs_a_broker_id_in_the_profile(edge: Edge, supabase_server: SupabaseServer) -> None:
    nobody = await supabase_server.sign_up()
    status, body = await edge.post("/api/bot/connect", nobody)
    assert (status, body["code"]) == (400, "NO_BROKER_USER_ID")


async def test_connect_fails_when_the_row_cannot_be_written(edge: Edge, backend: Backend, person: Person) -> None:
    backend.refusals["record_status"] = RpcError(ErrorCode.UNAVAILABLE, "the database is away")
    status, body, headers = await edge.ask("POST", "/api/bot/connect", person, json={})
    assert (status, body["code"]) == (503, "UNAVAILABLE")
    assert int(headers["retry-after"]) > 0


async def test_disconnect_stops_the_bot_first(edge: Edge, backend: Backend, person: Person) -> None:
    status, body = await edge.post("/api/bot/disconnect", person, {"userId": person.user})
    assert (status, body) == (200, {"success": True, "message": "Disconnected from broker"})
    stopping, leaving, recording = backend.asked
    assert stopping == rpc.StopBot(user=person.user, reason="disconnect")
    assert leaving == recording == rpc.OfUser(user=person.user)


async def test_disconnect_is_done_when_there_is_nothing_to_do(edge: Edge, backend: Backend, person: Person) -> None:
    backend.refusals["stop"] = RpcError(ErrorCode.NOT_RUNNING, "no bot runs")
    for _ in range(2):
        status, _body = await edge.post("/api/bot/disconnect", person)
        assert status == 200


async def test_balance_is_of_exactly_the_type_asked_for(edge: Edge, backend: Backend, person: Person) -> None:
    await backend.session(person.user, SessionState.CONNECTED, demo="10000.50", real="25.05")
    body = await eventually(edge, "/api/bot/balance?accountType=real", person, lambda status, _: status == 200)
    assert body == {
        "success": True,
        "balance": {"amount": 25.05, "currency": "EUR", "id": 2, "type": "real"},
        "availableBalances": {"demo": 10000.5, "real": 25.05},
    }
    _, body = await edge.get("/api/bot/balance", person)
    assert body["balance"] == {"amount": 10000.5, "currency": "USD", "id": 1, "type": "demo"}


async def test_a_missing_balance_is_zero_and_not_another_ones(edge: Edge, backend: Backend, person: Person) -> None:
    await backend.session(person.user, SessionState.CONNECTED)
    body = await eventually(edge, "/api/bot/balance?accountType=real", person, lambda status, _: status == 200)
    assert body["balance"] == {"amount": 0, "currency": "USD", "id": None, "type": "real"}


async def test_balance_without_a_connection_says_so(edge: Edge, backend: Backend, person: Person) -> None:
    status, body = await edge.get("/api/bot/balance", person)
    assert (status, body["code"]) == (400, "NOT_CONNECTED")
    assert body["error"] == "Not connected to Avalon. Call /api/bot/connect first."
    await backend.session(person.user, SessionState.DISCONNECTED)
    status, _ = await edge.get("/api/bot/balance", person)
    assert status == 400


async def test_start_hands_the_configuration_on(edge: Edge, backend: Backend, person: Person) -> None:
    config = {"mode": "manual", "amount": 20.1, "asset": "EUR/USD OTC", "timeframe": 30, "leverageEnabled": True}
    status, body = await edge.post("/api/bot/start-runtime", person, {"userId": person.user, "config": config})
    assert status == 200
    assert body == {"success": True, "message": "Bot runtime starting...", "pid": 3, "status": "initializing"}
    (start,) = backend.requests(rpc.StartBot)
    assert (start.user, str(start.config.amount), start.config.asset) == (person.user, "20.1", "EURUSD-OTC")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (ErrorCode.NOT_CONNECTED, 400, "Not connected to Avalon. Call /api/bot/connect first."),
        (ErrorCode.ALREADY_RUNNING, 400, "Bot is already running"),
        (ErrorCode.NO_BALANCE, 400, "words of the service"),
        (ErrorCode.INTERNAL, 500, "Internal server error"),
        (ErrorCode.TIMEOUT, 504, "No answer in time: it is not known whether this was done."),
    ],
)
async def test_a_refused_start_says_why(
    edge: Edge, backend: Backend, person: Person, code: ErrorCode, status: int, error: str
) -> None:
    backend.refusals["start"] = RpcError(code, "words of the service")
    answered, body = await edge.post("/api/bot/start-runtime", person)
    assert (answered, body["error"], body["code"]) == (status, error, code)


async def test_a_bot_that_already_runs_is_named(edge: Edge, backend: Backend, person: Person) -> None:
    await backend.status(person.user, Activity.ANALYZING, number=17)
    await eventually(edge, "/api/bot/runtime-status", person, lambda _, body: body["isRunning"])
    backend.refusals["start"] = RpcError(ErrorCode.ALREADY_RUNNING, "")
    _, body = await edge.post("/api/bot/start-runtime", person)
    assert body["pid"] == 17


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"config": {"amount": "ten"}}, "config.amount"),
        ({"config": {"amount": -1}}, "config.amount"),
        ({"config": {"strategy": "a b"}}, "config.strategy"),
        ({"config": {"surprise": 1}}, "config.surprise"),
        ({"userId": 5}, "userId"),
        ([], ""),
    ],
)
async def test_a_wrong_body_names_its_field(edge: Edge, person: Person, body: Any, field: str) -> None:
    status, answer = await edge.post("/api/bot/start-runtime", person, body)
    assert (status, answer["code"], answer.get("field", "")) == (400, "INVALID_REQUEST", field)


async def test_an_unknown_asset_is_not_traded(edge: Edge, backend: Backend, person: Person) -> None:
    config = {"mode": "manual", "asset": "EURUSD"}
    status, body = await edge.post("/api/bot/start-runtime", person, {"config": config})
    assert (status, body["code"]) == (404, "ASSET_NOT_FOUND")
    assert backend.requests(rpc.StartBot) == []


async def test_stop_answers_at_once(edge: Edge, person: Person) -> None:
    status, body = await edge.post("/api/bot/stop-runtime", person, {"userId": person.user})
    assert status == 200
    assert body == {
        "success": True,
        "message": "Bot runtime stopped successfully",
        "pid": 3,
        "status": "stopping",
    }


async def test_stopping_what_does_not_run_is_told(edge: Edge, backend: Backend, person: Person) -> None:
    backend.refusals["stop"] = RpcError(ErrorCode.NOT_RUNNING, "")
    status, body = await edge.post("/api/bot/stop-runtime", person)
    assert (status, body["error"]) == (400, "Bot is not running")


async def test_status_has_every_name_clients_know(edge: Edge, backend: Backend, person: Person) -> None:
    _, before = await edge.get(f"/api/bot/status?userId={person.user}", person)
    assert before["isConnected"] is before["running"] is False
    await backend.session(person.user, SessionState.CONNECTED)
    await backend.status(person.user, Activity.TRACKING)
    body = await eventually(edge, "/api/bot/status", person, lambda _, body: body["running"] and body["connected"])
    last_update = body.pop("lastUpdate")
    assert last_update.endswith("Z")
    assert body == {
        "success": True, "running": True, "isRunning": True, "isConnected": True, "connected": True, "ssid": None,
        "accountType": "demo", "balance": 10000.5, "userId": person.user, "status": "running",
    }  # fmt: skip


async def test_runtime_status_is_strict_and_carries_the_score(edge: Edge, backend: Backend, person: Person) -> None:
    _, before = await edge.get("/api/bot/runtime-status", person)
    assert before == {
        "success": True, "isRunning": False, "pid": None, "status": "idle", "startedAt": None, "config": None,
        "stats": None,
    }  # fmt: skip
    await backend.score(person.user, wins=2, losses=1, ties=1, total="5.5")
    await backend.status(person.user, Activity.WIN, state=BotState.STOPPING)
    body = await eventually(edge, "/api/bot/runtime-status", person, lambda _, body: body["stats"])
    assert (body["isRunning"], body["pid"], body["status"]) == (True, 3, "stopping")
    assert body["stats"] == {"totalTrades": 4, "wins": 2, "losses": 1, "ties": 1, "winRate": 50.0, "pnl": 5.5}
    assert body["config"]["amount"] == 1


async def test_assets_by_category(edge: Edge, person: Person) -> None:
    _, every = await edge.get("/api/assets", person)
    assert (every["total"], list(every["assets"])) == (3, every["categories"])
    assert every["assets"]["crypto"] == [{"key": "BTCUSD-OTC-op", "id": 2268, "name": "Bitcoin", "category": "crypto"}]
    assert every["assets"]["stocks"] == []
    _, forex = await edge.get("/api/assets?category=forex", person)
    assert (forex["category"], forex["count"]) == ("forex", 2)
    status, body = await edge.get("/api/assets?category=bonds", person)
    assert (status, body["field"]) == (400, "category")


async def test_candles(edge: Edge, person: Person) -> None:
    status, body = await edge.get("/api/candles", person, params={"asset": "gbp/usd otc", "timeframe": "60"})
    assert (status, body["asset"], body["timeframe"], body["count"]) == (200, "GBPUSD-OTC", 60, HISTORY)
    first, second, *_ = body["candles"]
    assert second["time"] - first["time"] == 60
    assert set(first) == {"time", "open", "high", "low", "close", "volume"}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("asset=EURUSD-OTC&timeframe=61", 400, "INVALID_REQUEST"),
        ("asset=EURUSD-OTC", 400, "INVALID_REQUEST"),
        ("asset=&timeframe=60", 400, "INVALID_REQUEST"),
        ("asset=EUR&timeframe=60", 404, "ASSET_NOT_FOUND"),
    ],
)
async def test_candles_of_what_is_not_there(edge: Edge, person: Person, query: str, status: int, code: str) -> None:
    answered, body = await edge.get(f"/api/candles?{query}", person)
    assert (answered, body["code"]) == (status, code)


@pytest.mark.parametrize(("limit", "count"), [("0", 1), ("-5", 1), ("7", 7), ("99999", 1000)])
async def test_the_number_of_candles_is_brought_into_bounds(
    edge: Edge, backend: Backend, person: Person, limit: str, count: int
) -> None:
    await edge.get(f"/api/candles?asset=EURUSD-OTC&timeframe=60&limit={limit}", person)
    (query,) = backend.requests(rpc.CandleQuery)
    assert query.count == count


async def test_somebody_elses_id_is_refused(
    edge: Edge, backend: Backend, person: Person, somebody_else: Person
) -> None:
    for method, path in PROTECTED[:4]:
        status, body, _ = await edge.ask(method, path, person, json={"userId": somebody_else.user})
        assert (status, body["code"]) == (403, "FORBIDDEN"), path
    for _, path in PROTECTED[4:7]:
        status, _body = await edge.get(f"{path}?userId={somebody_else.user}", person)
        assert status == 403, path
    assert backend.asked == []


async def test_administrators_act_for_others_and_see_the_numbers(
    edge: Edge, backend: Backend, supabase_server: SupabaseServer, person: Person
) -> None:
    boss = await supabase_server.sign_up()
    await supabase_server.appoint(boss, "admin")
    status, _ = await edge.post("/api/bot/stop-runtime", boss, {"userId": person.user})
    assert (status, backend.asked[0].user) == (200, person.user)
    status, body = await edge.get("/api/crm/stats", boss)
    data = body["data"]
    assert (status, data["totalContacts"], data["totalLeads"], data["totalCustomers"]) == (200, 12, 8, 4)
    status, body = await edge.get("/api/crm/stats", person)
    assert (status, body["code"]) == (403, "FORBIDDEN")


async def test_an_analyst_is_no_administrator(edge: Edge, supabase_server: SupabaseServer, person: Person) -> None:
    analyst = await supabase_server.sign_up()
    await supabase_server.appoint(analyst, "analyst")
    status, _ = await edge.get("/api/crm/stats", analyst)
    assert status == 403
    status, _ = await edge.post("/api/bot/stop-runtime", analyst, {"userId": person.user})
    assert status == 403


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("GET", "/api/nothing", {}, 404, "NOT_FOUND"),
        ("GET", "/api/bot/connect", {}, 405, "METHOD_NOT_ALLOWED"),
        (
            "POST",
            "/api/bot/connect",
            {"data": b"{", "headers": {"Content-Type": "application/json"}},
            400,
            "INVALID_REQUEST",
        ),
        ("POST", "/api/bot/connect", {"data": "userId=1"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/api/bot/connect", {"data": io.BytesIO(b" " * 1_100_000)}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_whatever_is_wrong_the_answer_is_json(
    edge: Edge, person: Person, method: str, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    answered, body, headers = await edge.ask(method, path, person, **sent)
    assert (answered, body["success"], body["code"]) == (status, False, code)
    assert "x-request-id" in headers


async def test_a_request_id_goes_through(edge: Edge) -> None:
    _, body, headers = await edge.ask("GET", "/api/candles", headers={"X-Request-Id": "from-client-1"})
    assert body["requestId"] == headers["x-request-id"] == "from-client-1"
    _, _, headers = await edge.ask("GET", "/health", headers={"X-Request-Id": "not usable {}" + "x" * 100})
    assert len(headers["x-request-id"]) == 36


async def test_known_origins_may_call_with_credentials(edge: Edge, person: Person) -> None:
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    status, _, headers = await edge.ask("OPTIONS", "/api/bot/connect", headers={"Origin": ORIGIN} | wanted)
    assert (status, headers["access-control-allow-origin"]) == (204, ORIGIN)
    assert headers["access-control-allow-credentials"] == "true"
    assert "authorization" in headers["access-control-allow-headers"]
    for path in ("/api/assets", "/api/nothing"):
        _, _, headers = await edge.ask("GET", path, person, headers={"Origin": ORIGIN})
        assert headers["access-control-allow-origin"] == ORIGIN
        assert headers["vary"] == "Origin"


async def test_unknown_origins_get_no_permission(edge: Edge, person: Person) -> None:
    foreign = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    status, _, headers = await edge.ask("OPTIONS", "/api/bot/connect", headers=foreign)
    assert status == 405
    assert "access-control-allow-origin" not in headers
    _, _, headers = await edge.ask("GET", "/api/assets", person, headers={"Origin": "https://evil.test"})
    assert "access-control-allow-origin" not in headers


async def test_a_cookie_reads_but_changes_only_from_a_known_origin(edge: Edge, person: Person) -> None:
    cookie = {"Cookie": f"sb-access-token={person.token}"}
    status, _ = await edge.get("/api/assets", headers=cookie)
    assert status == 200
    status, body = await edge.post("/api/bot/connect", headers=cookie)
    assert (status, body["code"]) == (403, "CROSS_ORIGIN")
    status, _ = await edge.post("/api/bot/connect", headers=cookie | {"Origin": "https://evil.test"})
    assert status == 403
    for origin in (ORIGIN, edge.url):
        status, _ = await edge.post("/api/bot/connect", headers=cookie | {"Origin": origin})
        assert status == 200


async def test_without_its_services_it_says_so_and_when_to_come_back(own_stack: Stack, person: Person) -> None:
    await own_stack.backend.bots.close()
    status, body, headers = await own_stack.edge.ask("POST", "/api/bot/start-runtime", person, json={})
    assert (status, body["code"], headers["retry-after"]) == (503, "UNAVAILABLE", "2")


async def test_polled_reads_survive_the_loss_of_the_bus(own_stack: Stack, person: Person) -> None:
    edge = own_stack.edge
    await own_stack.backend.session(person.user, SessionState.CONNECTED)
    await eventually(edge, "/api/bot/status", person, lambda _, body: body["connected"])
    own_stack.nats.kill()
    status, body = await edge.get("/api/bot/status", person)
    assert (status, body["connected"]) == (200, True)
    status, body = await edge.post("/api/bot/connect", person)
    assert (status, body["code"]) == (503, "UNAVAILABLE")
    own_stack.nats.start()
