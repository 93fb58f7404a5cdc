"""Bad input over real HTTP: always JSON, never a 500, never a trace."""

from datetime import timedelta
from typing import Any

import jwt
import pytest

from libs.contracts.clock import SystemClock
from tests.e2e.stack import Stack
from tests.e2e.user import User

SOMEBODY_ELSE = "01a20b88-c3cd-76f8-b7e0-51a56b105adc"


def signed(stack: Stack, user: User, secret: str = "", **claims: object) -> str:
    """A token as Supabase Auth makes it, but for the given claims."""
    now = SystemClock().now()
    valid = {"sub": user.id, "aud": "authenticated", "role": "authenticated", "exp": now + timedelta(hours=1)}
    return jwt.encode({**valid, **claims}, secret or stack.facts.supabase_jwt_secret, algorithm="HS256")


async def refused(user: User, method: str, path: str, status: int, **content: Any) -> dict[str, Any]:
    answer = await user.call(method, path, **content)
    assert answer.status == status, answer
    assert answer.body["success"] is False
    assert isinstance(answer.body["error"], str)
    assert "Traceback" not in str(answer.body)
    return answer.body


async def test_the_tokens_made_here_would_be_accepted(user: User, stack: Stack) -> None:
    user.token = signed(stack, user)
    assert (await user.get("/api/bot/status")).status == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"aud": "somebody"},
        {"role": "anon"},
        {"role": "service_role"},
        {"sub": "not-a-user"},
        {"secret": "another secret that is long enough to sign with"},
    ],
    ids=str,
)
async def test_a_wrong_or_expired_token_is_401(user: User, stack: Stack, claims: dict[str, Any]) -> None:
    user.token = signed(stack, user, **claims)
    await refused(user, "GET", "/api/bot/status", 401)
    await refused(user, "POST", "/api/bot/start-runtime", 401, json={})


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", "Basic YTpi", "Bearer a.b.c", "Bearer null"])
async def test_no_token_is_401(user: User, header: str) -> None:
    await refused(user, "GET", "/api/bot/status", 401, headers={"Authorization": header})


async def test_somebody_elses_user_id_is_403(user: User) -> None:
    for path in ("connect", "disconnect", "start-runtime", "stop-runtime"):
        await refused(user, "POST", f"/api/bot/{path}", 403, json={"userId": SOMEBODY_ELSE})
    for path in ("status", "runtime-status", "balance"):
        await refused(user, "GET", f"/api/bot/{path}", 403, params={"userId": SOMEBODY_ELSE})


async def test_an_unknown_asset_is_404_with_its_code(connected: User) -> None:
    query = {"asset": "NO-SUCH-ASSET", "timeframe": "60"}
    body = await refused(connected, "GET", "/api/candles", 404, params=query)
    assert body["code"] == "ASSET_NOT_FOUND"
    bot = {"config": {"mode": "manual", "asset": "NO-SUCH-ASSET"}}
    body = await refused(connected, "POST", "/api/bot/start-runtime", 404, json=bot)
    assert body["code"] == "ASSET_NOT_FOUND"


@pytest.mark.parametrize("data", ["{", "", "[]", '"text"', "\x00", '{"config": ' + "[" * 10_000, "{'a': 1}"])
async def test_malformed_json_is_400(user: User, data: str) -> None:
    await refused(user, "POST", "/api/bot/start-runtime", 400, data=data, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"userId": 5}, "userId"),
        ({"userId": "me"}, "userId"),
        ({"config": 5}, "config"),
        ({"config": {"amount": "much"}}, "amount"),
        ({"config": {"amount": 0}}, "amount"),
        ({"config": {"amount": -1}}, "amount"),
        ({"config": {"amount": 1e9}}, "amount"),
        ({"config": {"mode": "turbo"}}, "mode"),
        ({"config": {"strategy": "martingale"}}, "strategy"),
        ({"config": {"timeframe": 7}}, "timeframe"),
        ({"config": {"mode": "manual"}}, "asset"),
        ({"config": {"accountType": "both"}}, "accountType"),
        ({"config": {"leverageEnabled": "yes"}}, "leverageEnabled"),
        ({"config": {"stopLos": 5}}, "stopLos"),
    ],
    ids=str,
)
async def test_a_wrong_value_is_400_and_names_the_field(user: User, body: dict[str, Any], field: str) -> None:
    answer = await refused(user, "POST", "/api/bot/start-runtime", 400, json=body)
    assert field in answer["error"] + answer.get("field", "")


async def test_wrong_queries_are_400(user: User) -> None:
    for query in ({"accountType": "both"}, {"userId": "x"}):
        await refused(user, "GET", "/api/bot/balance", 400, params=query)
    for query in ({}, {"asset": "EURUSD-OTC"}, {"asset": "EURUSD-OTC", "timeframe": "soon"}):
        await refused(user, "GET", "/api/candles", 400, params=query)


async def test_who_is_not_connected_is_told_so(user: User) -> None:
    body = await refused(user, "GET", "/api/bot/balance", 400)
    assert body["error"] == "Not connected to Avalon. Call /api/bot/connect first."
    await refused(user, "POST", "/api/bot/start-runtime", 400, json={})
    await refused(user, "POST", "/api/bot/stop-runtime", 400, json={})


async def test_an_unknown_route_or_method_is_json(user: User) -> None:
    await refused(user, "GET", "/api/nothing", 404)
    await refused(user, "DELETE", "/api/bot/connect", 405)


async def test_nothing_of_it_broke_anything(user: User, stack: Stack) -> None:
    assert (await user.post("/api/bot/connect")).status == 200
    answer = await user.get("/health")
    assert (answer.status, answer.body["status"]) == (200, "ok")
    assert '"event": "request_failed"' not in (stack.directory / "logs" / "edge.log").read_text()
