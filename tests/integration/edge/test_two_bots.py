"""A user's bots on the demo and on the real account, as clients see them."""

import pytest

from libs.contracts import rpc
from libs.contracts.account import AccountType
from libs.contracts.bots import Activity, BotConfig, BotState
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import Browse, eventually
from tests.integration.supabase_server import Person
from tests.messages import NOW

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOR_REAL = BotConfig(account_type=AccountType.REAL)


async def test_each_is_shown_by_its_account_and_without_one_the_one_that_runs(
    edge: Edge, backend: Backend, person: Person
) -> None:
    await backend.status(person.user, Activity.STOPPED, number=4, state=BotState.STOPPED, started_at=NOW)
    await backend.status(person.user, Activity.TRACKING, number=3, config=FOR_REAL)
    await backend.score(person.user, account_type=AccountType.REAL, wins=1, total="4.1")
    shown = await eventually(edge, "/api/bot/runtime-status", person, lambda _, body: body["stats"])
    assert (shown["isRunning"], shown["pid"], shown["config"]["accountType"]) == (True, 3, "real")
    assert shown["stats"]["pnl"] == 4.1
    _, demo = await edge.get("/api/bot/runtime-status?accountType=demo", person)
    assert (demo["isRunning"], demo["pid"], demo["stats"]) == (False, 4, None)
    _, status = await edge.get("/api/bot/status", person)
    assert (status["running"], status["accountType"]) == (True, "real")
    _, status = await edge.get("/api/bot/status?accountType=demo", person)
    assert (status["running"], status["accountType"]) == (False, "demo")
    refused, body = await edge.get("/api/bot/status?accountType=both", person)
    assert (refused, body["field"]) == (400, "accountType")


async def test_one_is_named_or_both_are_meant(edge: Edge, backend: Backend, person: Person) -> None:
    for path, request in (("stop-runtime", rpc.StopBot), ("pause", rpc.OfBots), ("resume", rpc.OfBots)):
        for body, account_type in (({}, None), ({"accountType": "real"}, AccountType.REAL)):
            status, _ = await edge.post(f"/api/bot/{path}", person, body)
            assert status == 200
            assert backend.asked[-1] == request(user=person.user, account_type=account_type)


async def test_events_say_which_one_they_are_about(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person)
    await backend.status(person.user, Activity.TRACKING, config=FOR_REAL)
    await backend.status(person.user, Activity.ANALYZING)
    await browser.heard("bot:status-update", 2)
    for event in ("bot_status", "bot:status-update"):
        assert [payload["accountType"] for payload in browser.named(event)] == ["real", "demo"]
