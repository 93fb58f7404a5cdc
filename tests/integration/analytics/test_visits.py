"""What edges saw of users, and what users had their bots do, as administrators are told of it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.bus import Bus
from libs.bus.topology import DESIRED, VISITS
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys, subjects
from libs.contracts.account import DesiredSession
from libs.contracts.admin import NoQuery, OfUserId, PageOfUser
from libs.contracts.bots import BotConfig, DesiredBot
from libs.contracts.ids import new_id
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.contracts.visits import Seen, UsersSeen
from tests.integration.analytics.books import until
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.takes(30)


@pytest.fixture
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


async def saw(bus: Bus, person: Person, first: datetime, last: datetime) -> None:
    message = UsersSeen(id=new_id(), at=last, seen=(Seen(user=person.user, first=first, last=last),))
    await bus.append(subjects.VISITS, message, id=message.id)


async def test_visits_of_two_edges_are_one_also_while_analytics_was_away(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    await bus.ensure(VISITS)
    now = datetime.now(UTC).replace(microsecond=0)
    await saw(bus, person, now - timedelta(minutes=30), now - timedelta(minutes=20))
    await saw(bus, person, now - timedelta(minutes=10), now)
    await saw(bus, person, now - timedelta(minutes=25), now - timedelta(minutes=12))
    await start_analytics(supabase_server)

    async def told() -> bool:
        rows = (await bus.call(rpc.USER_SESSIONS, PageOfUser(id=UUID(person.user)))).rows
        return [(row.created_at, row.last_activity, row.duration_minutes) for row in rows] == [
            (now - timedelta(minutes=30), now, 30.0)
        ]

    await until(told)
    user = await bus.call(rpc.USER, OfUserId(id=UUID(person.user)))
    assert (user.session_count, user.last_session_at) == (1, now)
    assert (await bus.call(rpc.DASHBOARD, NoQuery())).avg_session_duration_minutes > 0


async def test_what_a_user_had_done_is_listed_once(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    await bus.ensure(DESIRED)
    first = await start_analytics(supabase_server)
    desires, now = bus.bucket(DESIRED), datetime.now(UTC)
    session = DesiredSession(id=new_id(), user=person.user, at=now, connected=True, broker_user_id="7")
    await desires.put(keys.desired_session(person.user), session)
    bot = DesiredBot(user=person.user, at=now, run="run-1", number=1, running=True, config=BotConfig())
    wanted = [
        ("connected", None),
        ("bot_started", bot),
        ("bot_paused", msgspec.structs.replace(bot, paused=True)),
        ("bot_resumed", bot),
        ("bot_stopped", msgspec.structs.replace(bot, running=False, reason="daily goal")),
    ]

    async def told(many: int) -> bool:
        rows = (await bus.call(rpc.USER_ACTIVITY, PageOfUser(id=UUID(person.user)))).rows
        actions = [row.action for row in reversed(rows)]
        assert actions == [action for action, _ in wanted][: len(actions)]
        return len(actions) == many

    for many, (_, desired) in enumerate(wanted, 1):
        if desired is not None:
            await desires.put(keys.desired_bot(desired.bot), desired)
        if many == 3:
            await first.kill()
            await start_analytics(supabase_server)
        await until(lambda many=many: told(many))  # type: ignore[misc]
    [stopped] = (await bus.call(rpc.USER_ACTIVITY, PageOfUser(id=UUID(person.user), limit=1))).rows
    assert (stopped.details["reason"], stopped.details["account_type"]) == ("daily goal", "demo")
    assert stopped.actor_id is None


@pytest.mark.parametrize("endpoint", [rpc.USER_SESSIONS, rpc.USER_ACTIVITY], ids=lambda endpoint: endpoint.name)
async def test_of_nobody_nothing_is_told(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, endpoint: Endpoint[PageOfUser, Any]
) -> None:
    await start_analytics(supabase_server)
    with pytest.raises(RpcError) as refused:
        await bus.call(endpoint, PageOfUser(id=UUID(new_id())))
    assert refused.value.code is ErrorCode.NOT_FOUND
