"""Edges tell who was here: whoever asked something or had a socket, and nobody else."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest

from libs.bus.topology import VISITS
from libs.contracts import subjects
from libs.contracts.visits import Seen, UsersSeen
from tests.integration.edge.stack import Browse, Stack
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def told_of(stack: Stack, person: Person, since: datetime) -> list[Seen]:
    messages = await stack.backend.analytics.past(VISITS, subjects.VISITS, UsersSeen, since)
    return [one for message in messages for one in message.seen if one.user == person.user]


async def until_told(stack: Stack, person: Person, since: datetime, long: timedelta) -> list[Seen]:
    """What was told, once it is of so long a time without a gap."""
    async with asyncio.timeout(20):
        while True:
            seen = await told_of(stack, person, since)
            if seen and seen[-1].last - seen[0].first >= long:
                return seen
            await asyncio.sleep(0.05)


async def test_who_asks_is_seen(shared_stack: Stack, person: Person, somebody_else: Person) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    assert (await shared_stack.edge.get("/api/bot/status", person))[0] == 200
    assert (await shared_stack.edge.get("/api/bot/status"))[0] == 401
    [seen] = await until_told(shared_stack, person, since, timedelta(0))
    assert since < seen.first <= seen.last <= datetime.now(UTC)
    assert await told_of(shared_stack, somebody_else, since) == []


async def test_who_has_a_socket_is_seen_all_the_time_and_not_after(
    shared_stack: Stack, browse: Browse, person: Person, somebody_else: Person
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    browser, _ = await browse(person), await browse(somebody_else)
    seen = await until_told(shared_stack, person, since, timedelta(seconds=2.5))
    gaps = [later.first - earlier.last for earlier, later in itertools.pairwise(seen)]
    assert max(gaps, default=timedelta(0)) < timedelta(seconds=3)
    await browser.socket.disconnect()
    left = datetime.now(UTC)
    await until_told(shared_stack, somebody_else, left, timedelta(seconds=2.5))
    assert (await told_of(shared_stack, person, since))[-1].last <= left + timedelta(seconds=1.5)


@pytest.mark.parametrize("own_stack", [{"variables": {"PREGAO_EDGE_VISIT_INTERVAL": "600"}}], indirect=True)
async def test_an_edge_that_ends_tells_what_it_saw_last(own_stack: Stack, person: Person) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    assert (await own_stack.edge.get("/api/bot/status", person))[0] == 200
    await own_stack.edge.process.terminate()
    assert len(await told_of(own_stack, person, since)) == 1
