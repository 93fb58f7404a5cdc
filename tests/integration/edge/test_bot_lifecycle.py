"""Pausing and changing a bot, and what administrators allow, over REST."""

import pytest

from libs.contracts import rpc
from libs.contracts.platform import UserLimits
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_bot_is_paused_resumed_and_changed(edge: Edge, backend: Backend, person: Person) -> None:
    status, body = await edge.post("/api/bot/pause", person)
    assert (status, body["status"], body["pid"]) == (200, "paused", 3)
    status, body = await edge.post("/api/bot/resume", person)
    assert (status, body["status"]) == (200, "running")
    status, body = await edge.post("/api/bot/reconfigure", person, {})
    assert (status, body["field"]) == (400, "config"), "nobody wants all defaults by saying nothing"
    status, body = await edge.post("/api/bot/reconfigure", person, {"config": {"amount": 5}})
    assert (status, body["message"]) == (200, "Configuration changed")
    assert [request.user for request in backend.asked] == [person.user] * 3
    assert backend.asked[2].config.amount == 5


async def test_what_a_configuration_can_cost_is_told(edge: Edge, backend: Backend, person: Person) -> None:
    status, body = await edge.post("/api/bot/preview", person, {"config": {"amount": 1, "leverageEnabled": True}})
    assert status == 200
    assert body["preview"] == {
        "stakes": [1, 2.5], "loss": 3.5, "endedBy": "", "worstLoss": 9, "boundedBy": "balance",
    }  # fmt: skip
    assert backend.asked[0].config.leverage_enabled
    status, body = await edge.post(
        "/api/bot/preview", person, {"config": {"stakePlan": {"kind": "soros", "levels": 9}}}
    )
    assert (status, body["field"]) == (400, "config.stakePlan.levels")


@pytest.mark.parametrize(
    ("verb", "code", "words"),
    [("pause", ErrorCode.NOT_RUNNING, "not running"), ("resume", ErrorCode.NOT_PAUSED, "not paused")],
)
async def test_what_cannot_be_is_said(
    edge: Edge, backend: Backend, person: Person, verb: str, code: ErrorCode, words: str
) -> None:
    backend.refusals[verb] = RpcError(code, "no")
    status, body = await edge.post(f"/api/bot/{verb}", person)
    assert (status, body["code"]) == (400, code)
    assert words in body["error"]


async def test_the_field_a_service_names_is_told(edge: Edge, backend: Backend, person: Person) -> None:
    backend.refusals["start"] = RpcError(ErrorCode.INVALID_REQUEST, "`config.strategy`: there is no strategy 'x'")
    status, body = await edge.post("/api/bot/start-runtime", person)
    assert (status, body["field"]) == (400, "config.strategy")


async def test_a_start_in_maintenance_says_why(edge: Edge, backend: Backend, person: Person) -> None:
    backend.refusals["start"] = RpcError(ErrorCode.MAINTENANCE, "Back at noon")
    status, body = await edge.post("/api/bot/start-runtime", person)
    assert (status, body["code"], body["error"]) == (503, "MAINTENANCE", "Back at noon")
    backend.refusals["start"] = RpcError(ErrorCode.LIMIT_REACHED, "10 bots run already")
    status, body = await edge.post("/api/bot/start-runtime", person)
    assert (status, body["error"]) == (409, "10 bots run already")


async def test_strategies_are_told_with_their_parameters(edge: Edge, person: Person) -> None:
    status, body = await edge.get("/api/strategies", person)
    assert (status, body["strategies"]) == (
        200,
        [
            {
                "name": "own",
                "text": "Mine.",
                "warmUp": 3,
                "parameters": {"least": {"type": "number", "default": 0.5}},
                "source": "own.py",
            }
        ],
    )


async def test_administrators_read_and_set_the_platform(
    edge: Edge, backend: Backend, person: Person, supabase_server: SupabaseServer
) -> None:
    boss = await supabase_server.sign_up()
    await supabase_server.appoint(boss, "admin")
    status, body = await edge.get("/api/admin/platform", boss)
    assert (status, body["platform"]["notice"], body["platform"]["maintenance"]) == (200, "As it was", False)
    wanted = {"platform": {"maintenance": True, "maxBots": 5, "limits": {"maxStake": 20.5}}}
    status, body, _ = await edge.ask("PUT", "/api/admin/platform", boss, json=wanted)
    assert (status, body["platform"]["limits"]["maxStake"]) == (200, 20.5)
    (request,) = backend.requests(rpc.SetPlatform)
    assert (request.by, request.platform.max_bots) == (boss.user, 5)
    status, body, _ = await edge.ask("PUT", "/api/admin/platform", person, json=wanted)
    assert (status, body["code"]) == (403, "FORBIDDEN")


async def test_administrators_read_and_set_a_users_limits(
    edge: Edge, backend: Backend, person: Person, supabase_server: SupabaseServer
) -> None:
    boss = await supabase_server.sign_up()
    await supabase_server.appoint(boss, "admin")
    status, body = await edge.get(f"/api/admin/limits?userId={person.user}", boss)
    assert (status, body["userId"], body["limits"]["maxTradesPerDay"]) == (200, person.user, 7)
    wanted = {"userId": person.user, "limits": {"trading": False}}
    status, body, _ = await edge.ask("PUT", "/api/admin/limits", boss, json=wanted)
    assert (status, body["limits"]["trading"]) == (200, False)
    (request,) = backend.requests(rpc.SetUserLimits)
    assert (request.by, request.user, request.limits) == (boss.user, person.user, UserLimits(trading=False))
    status, _ = await edge.get(f"/api/admin/limits?userId={person.user}", person)
    assert status == 403


@pytest.mark.parametrize(
    ("path", "sent", "field"),
    [
        ("/api/admin/platform", {"platform": {"maxBots": -1}}, "platform.maxBots"),
        ("/api/admin/platform", {"platform": {"limits": {"maxStake": 0}}}, "platform.limits.maxStake"),
        ("/api/admin/platform", {"platform": {"kill": True}}, "platform.kill"),
        ("/api/admin/limits", {"limits": {}}, "userId"),
    ],
)
async def test_bad_input_names_the_field(
    edge: Edge, person: Person, supabase_server: SupabaseServer, path: str, sent: dict[str, object], field: str
) -> None:
    boss = await supabase_server.sign_up()
    await supabase_server.appoint(boss, "admin")
    status, body, _ = await edge.ask("PUT", path, boss, json=sent)
    assert (status, body["field"]) == (400, field), body
