"""The same request over and over, as open pages poll: what has changed meanwhile counts every time."""

import asyncio
from datetime import UTC, datetime

import pytest

from libs.bus.topology import BOTS, PLATFORM
from libs.contracts import keys
from libs.contracts.account import AccountChoice, AccountType, SessionState
from libs.contracts.bots import Activity, BotState
from libs.contracts.platform import BarredUser
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import Stack
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

STATUS = "/api/bot/status"


async def until(edge: Edge, person: Person, name: str, value: object) -> None:
    async with asyncio.timeout(5):
        while (await edge.get(STATUS, person))[1].get(name) != value:
            await asyncio.sleep(0.02)


async def test_it_tells_what_is_so_now(shared_stack: Stack, person: Person, somebody_else: Person) -> None:
    edge, backend = shared_stack.edge, shared_stack.backend
    await backend.session(person.user, SessionState.CONNECTED)
    await until(edge, person, "connected", True)
    await backend.status(person.user, Activity.ANALYZING)
    await until(edge, person, "running", True)
    _, other = await edge.get(STATUS, somebody_else)
    assert (other["userId"], other["connected"], other["running"]) == (somebody_else.user, False, False)
    await backend.session(person.user, SessionState.CONNECTED, demo="9990.25", real="7.50")
    await until(edge, person, "balance", 9990.25)
    await backend.status(person.user, Activity.STOPPED, state=BotState.STOPPED)
    await until(edge, person, "running", False)
    choice = AccountChoice(user=person.user, at=datetime.now(UTC), account_type=AccountType.REAL)
    await backend.bots.bucket(BOTS).put(keys.account_choice(person.user), choice)
    await until(edge, person, "accountType", "real")
    assert (await edge.get(STATUS, person))[1]["balance"] == 7.5
    await backend.session(person.user, SessionState.DISCONNECTED)
    await until(edge, person, "connected", False)
    assert (await edge.get(STATUS, person))[1]["balance"] == 0


async def test_who_is_barred_meanwhile_is_refused(shared_stack: Stack, person: Person) -> None:
    edge = shared_stack.edge
    for _ in range(3):
        assert (await edge.get(STATUS, person))[0] == 200
    await shared_stack.backend.analytics.bucket(PLATFORM).put(
        keys.barred(person.user), BarredUser(user=person.user, at=datetime.now(UTC))
    )
    async with asyncio.timeout(5):
        while (answer := await edge.get(STATUS, person))[0] == 200:
            await asyncio.sleep(0.02)
    assert (answer[0], answer[1]["code"]) == (403, "SUSPENDED")


async def test_who_logs_out_meanwhile_is_refused(
    shared_stack: Stack, supabase_server: SupabaseServer, person: Person
) -> None:
    edge = shared_stack.edge
    for _ in range(3):
        assert (await edge.get(STATUS, person))[0] == 200
    assert (await supabase_server.as_person(person, "POST", "/auth/v1/logout?scope=global"))[0] == 204
    async with asyncio.timeout(5):
        while (answer := await edge.get(STATUS, person))[0] == 200:
            await asyncio.sleep(0.02)
    assert (answer[0], answer[1]["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("own_stack", [{"variables": {"PREGAO_EDGE_RATE_POLL": "40"}}], indirect=True)
async def test_each_counts(own_stack: Stack, person: Person, somebody_else: Person) -> None:
    answers = [await own_stack.edge.ask("GET", STATUS, person) for _ in range(45)]
    statuses = [status for status, _, _ in answers]
    assert statuses.index(429) in (40, 41), "one may have come back meanwhile"
    assert int(answers[-1][2]["retry-after"]) >= 1
    assert (await own_stack.edge.get(STATUS, somebody_else))[0] == 200
    measured = 'pregao_edge_request_seconds_count{route="/api/bot/status",status="200"}'
    assert await own_stack.edge.process.metric(measured) == statuses.count(200) + 1
