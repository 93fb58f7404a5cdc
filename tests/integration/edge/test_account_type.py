"""Which account bots trade on by default."""

import pytest

from libs.contracts import rpc
from libs.contracts.account import AccountType, SessionState
from libs.contracts.bots import Activity, BotState
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import eventually
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATH = "/api/bot/account-type"
REAL = {"accountType": "real"}


async def test_a_start_without_a_configuration_trades_on_it(edge: Edge, backend: Backend, person: Person) -> None:
    status, body = await edge.post(PATH, person, REAL | {"userId": person.user})
    assert (status, body) == (200, {"success": True, "message": "Account type updated to real"})
    assert backend.asked == [
        rpc.ChooseAccount(user=person.user, account_type=AccountType.REAL), rpc.OfUser(user=person.user),
    ]  # fmt: skip
    for path in ("/api/bot/preview", "/api/bot/start-runtime", f"/api/bot/sessions/{person.user}/start"):
        assert (await edge.post(path, person))[0] == 200
        assert backend.asked[-1].config.account_type is AccountType.REAL, path
    status, _ = await edge.post("/api/bot/start-runtime", person, {"config": {"amount": 2}})
    assert backend.asked[-1].config.account_type is AccountType.DEMO, "a configuration says for itself"


async def test_it_is_shown_while_no_bot_runs(edge: Edge, backend: Backend, person: Person) -> None:
    await backend.session(person.user, SessionState.CONNECTED, demo="1000", real="25.05")
    await edge.post(PATH, person, REAL)
    await eventually(
        edge, "/api/bot/status", person, lambda _, body: (body["accountType"], body["balance"]) == ("real", 25.05)
    )
    await backend.status(person.user, Activity.ANALYZING)
    await eventually(edge, "/api/bot/status", person, lambda _, body: body["accountType"] == "demo")
    await backend.status(person.user, Activity.STOPPED, state=BotState.STOPPED)
    await eventually(edge, "/api/bot/status", person, lambda _, body: body["accountType"] == "real")


@pytest.mark.parametrize(
    ("code", "status"),
    [(ErrorCode.ALREADY_RUNNING, 409), (ErrorCode.INVALID_REQUEST, 400), (ErrorCode.UNAVAILABLE, 503)],
)
async def test_a_refusal_says_why(edge: Edge, backend: Backend, person: Person, code: ErrorCode, status: int) -> None:
    backend.refusals["choose_account"] = RpcError(code, "`accountType`: real accounts are not allowed")
    answered, body = await edge.post(PATH, person, REAL)
    assert (answered, body["code"]) == (status, code)
    assert backend.requests(rpc.OfUser) == []


async def test_it_must_be_named_and_ones_own(
    edge: Edge, backend: Backend, person: Person, somebody_else: Person
) -> None:
    for wrong in ({}, {"accountType": "both"}):
        status, body = await edge.post(PATH, person, wrong)
        assert (status, body["field"]) == (400, "accountType")
    assert (await edge.post(PATH, person, REAL | {"userId": somebody_else.user}))[0] == 403
    assert (await edge.post(PATH, body=REAL))[0] == 401
    assert backend.asked == []
