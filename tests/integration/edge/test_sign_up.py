"""Becoming a user of the broker, and asking it for results: what the edge makes of the gateway's answers."""

from typing import Any

import pytest

from libs.contracts import rpc
from libs.contracts.account import SessionState
from libs.contracts.rpc import ErrorCode, RpcError
from libs.contracts.signing_up import BrokerSignUp, FieldProblem, SignUp
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import eventually
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIGN_UP = "/api/avalon/create-user"
SYNC = "/api/sync-pending-positions"
WANTED = {
    "first_name": "New", "last_name": "User", "email": "new@example.test", "password": "s3cret-words", "affId": "7",
}  # fmt: skip


async def test_a_new_user_has_an_id_at_the_top_and_no_password(edge: Edge, backend: Backend) -> None:
    status, body = await edge.post(SIGN_UP, body=WANTED)
    assert (status, body["success"], body["id"], body["email"]) == (200, True, 1000042, "new@example.test")
    assert "s3cret" not in str(body)
    assert backend.asked == [SignUp(name="New User", email="new@example.test", password="s3cret-words", affiliate="7")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"password": "short"}, "password"),
        ({"first_name": ""}, "first_name"),
        ({"role": "admin"}, "role"),
    ],
)
async def test_what_cannot_be_a_user_is_not_asked_for(
    edge: Edge, backend: Backend, changes: dict[str, Any], field: str
) -> None:
    status, body = await edge.post(SIGN_UP, body=WANTED | changes)
    assert (status, body["code"], body["field"]) == (400, "INVALID_REQUEST", field)
    assert backend.asked == []


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (409, "user_already_exists", "USER_EXISTS"),
        (451, "user_country_restriction", "COUNTRY_RESTRICTED"),
        (429, "slow_down", "TOO_MANY_REQUESTS"),
        (400, "bad_request", "INVALID_REQUEST"),
    ],
)
async def test_the_brokers_refusal_is_passed_on(
    edge: Edge, backend: Backend, status: int, error: str, code: str
) -> None:
    backend.signed_up = BrokerSignUp(status=status, error=error, message="The broker's words")
    answered, body, headers = await edge.ask("POST", SIGN_UP, json=WANTED)
    assert (answered, body["success"], body["error"], body["message"], body["code"]) == (
        status, False, error, "The broker's words", code,
    )  # fmt: skip
    assert ("retry-after" in headers) is (status == 429)


async def test_what_is_wrong_with_a_field_is_told_under_its_name(edge: Edge, backend: Backend) -> None:
    backend.signed_up = BrokerSignUp(status=422, fields={"affId": FieldProblem(code="unknown", message="Who?")})
    status, body = await edge.post(SIGN_UP, body=WANTED)
    assert (status, body["affId"], body["message"]) == (422, {"code": "unknown", "message": "Who?"}, "Who?")
    assert "password" not in body


@pytest.mark.parametrize(
    ("code", "status"),
    [(ErrorCode.UNAVAILABLE, 503), (ErrorCode.BROKER_UNREACHABLE, 502), (ErrorCode.TIMEOUT, 504)],
)
async def test_a_broker_that_is_away(edge: Edge, backend: Backend, code: ErrorCode, status: int) -> None:
    backend.refusals["sign_up"] = RpcError(code, "")
    assert (await edge.post(SIGN_UP, body=WANTED))[0] == status


async def test_results_are_asked_for_over_the_users_own_session(
    edge: Edge, backend: Backend, person: Person, somebody_else: Person
) -> None:
    sent = {"userId": person.user, "ssid": "handle-1"}
    status, body = await edge.post(SYNC, person, sent)
    assert (status, body["code"]) == (400, "NOT_CONNECTED")
    await backend.session(person.user, SessionState.CONNECTED)
    await eventually(edge, "/api/bot/status", person, lambda _, body: body["connected"])
    status, body = await edge.post(SYNC, person, sent)
    assert (status, body) == (
        200, {"success": True, "updated": 0, "total": 0, "message": "No pending positions"},
    )  # fmt: skip
    backend.settled = rpc.Settled(total=3, closed=2)
    _, body = await edge.post(SYNC, person)
    assert (body["updated"], body["total"]) == (2, 3)
    assert backend.asked == [rpc.OfUser(user=person.user)] * 2
    assert (await edge.post(SYNC, person, {"userId": somebody_else.user}))[0] == 403
    assert (await edge.post(SYNC))[0] == 401
    backend.refusals["settle"] = RpcError(ErrorCode.BROKER_UNREACHABLE, "")
    assert (await edge.post(SYNC, person))[0] == 502
