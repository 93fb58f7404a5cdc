"""A fresh session at the broker, as a user asks for it."""

import pytest

from libs.contracts import rpc
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

RECONNECT = "/api/bot/reconnect"


async def test_it_records_the_row_before_it_answers(edge: Edge, backend: Backend, person: Person) -> None:
    status, body = await edge.post(RECONNECT, person, {"userId": person.user})
    assert (status, body) == (
        200,
        {"success": True, "message": "Reconnected to Avalon", "balance": 10000.5, "balanceAmount": 10000.5},
    )
    reconnecting, recording = backend.asked
    assert (reconnecting.user, reconnecting.broker_user_id[0]) == (person.user, "9")
    assert recording == rpc.OfUser(user=person.user)


async def test_the_same_request_under_the_same_key_is_done_once(edge: Edge, backend: Backend, person: Person) -> None:
    key = {"Idempotency-Key": "again"}
    first, second = [await edge.post(RECONNECT, person, headers=key) for _ in range(2)]
    assert first == second
    assert len(backend.requests(rpc.ConnectSession)) == 1


async def test_it_needs_a_broker_id_in_the_profile(
    edge: Edge, backend: Backend, supabase_server: SupabaseServer
) -> None:
    status, body = await edge.post(RECONNECT, await supabase_server.sign_up())
    assert (status, body["code"], backend.asked) == (400, "NO_BROKER_USER_ID", [])


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ErrorCode.BROKER_REFUSED, 422),
        (ErrorCode.BROKER_UNREACHABLE, 502),
        (ErrorCode.UNAVAILABLE, 503),
        (ErrorCode.TIMEOUT, 504),
    ],
)
async def test_a_failure_says_which(edge: Edge, backend: Backend, person: Person, code: ErrorCode, status: int) -> None:
    backend.refusals["reconnect"] = RpcError(code, "why")
    answered, body, headers = await edge.ask("POST", RECONNECT, person, json={})
    assert (answered, body["code"]) == (status, code)
    assert ("retry-after" in headers) is (status == 503)


async def test_it_fails_when_the_row_cannot_be_written(edge: Edge, backend: Backend, person: Person) -> None:
    backend.refusals["record_status"] = RpcError(ErrorCode.UNAVAILABLE, "the database is away")
    status, body = await edge.post(RECONNECT, person)
    assert (status, body["code"]) == (503, "UNAVAILABLE")


async def test_nobody_elses(edge: Edge, backend: Backend, person: Person, somebody_else: Person) -> None:
    status, body = await edge.post(RECONNECT, person, {"userId": somebody_else.user})
    assert (status, body["code"]) == (403, "FORBIDDEN")
    assert (await edge.post(RECONNECT))[0] == 401
    status, body = await edge.post(RECONNECT, person, {"userid": person.user})
    assert (status, body["field"]) == (400, "userid")
    assert backend.asked == []
