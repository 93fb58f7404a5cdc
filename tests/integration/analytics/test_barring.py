"""Bans and deletions at the Auth server reach everybody on the bus."""

import asyncio
from datetime import UTC, datetime, timedelta

from libs.bus import Bus
from libs.bus.topology import BOTS, PLATFORM
from libs.contracts import keys
from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus
from libs.contracts.ids import new_id
from libs.contracts.platform import BarredUser
from libs.store import Database
from libs.store.people import People
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.supabase_server import SupabaseServer
from tests.messages import NOW


async def barred(bus: Bus, user: str, wanted: bool) -> None:
    async with asyncio.timeout(5):
        while (await bus.bucket(PLATFORM).get(keys.barred(user), BarredUser) is not None) is not wanted:
            await asyncio.sleep(0.05)


async def test_a_ban_is_told_and_its_end(
    bus: Bus, supabase_server: SupabaseServer, start_analytics: StartAnalytics
) -> None:
    person = await supabase_server.sign_up()
    await start_analytics(supabase_server)
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        people = People(database)
        assert await people.ban(person.user, datetime.now(UTC) + timedelta(hours=1))
        await barred(bus, person.user, wanted=True)
        assert await people.ban(person.user, None)
        await barred(bus, person.user, wanted=False)
        assert not await people.ban(new_id(), None), "there is no such user"


async def test_a_bot_whose_user_is_gone_is_stopped_too(
    bus: Bus, supabase_server: SupabaseServer, start_analytics: StartAnalytics
) -> None:
    nobody = new_id()
    status = BotStatus(
        id=new_id(), user=nobody, at=NOW, run="run-1", number=1, state=BotState.RUNNING,
        activity=Activity.ANALYZING, label="Analyzing markets...", config=BotConfig(), started_at=NOW,
    )  # fmt: skip
    await bus.bucket(BOTS).put(keys.bot_status(status.bot), status)
    await start_analytics(supabase_server)
    await barred(bus, nobody, wanted=True)


async def test_when_the_process_that_asks_dies_another_does(
    bus: Bus, supabase_server: SupabaseServer, start_analytics: StartAnalytics
) -> None:
    person = await supabase_server.sign_up()
    first = await start_analytics(supabase_server)
    await start_analytics(supabase_server)
    await first.kill()
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        await People(database).ban(person.user, datetime.now(UTC) + timedelta(hours=1))
        async with asyncio.timeout(30):
            while await bus.bucket(PLATFORM).get(keys.barred(person.user), BarredUser) is None:
                await asyncio.sleep(0.1)
