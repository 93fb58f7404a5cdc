"""Nothing is lost and nothing is written twice when a process or the database goes away."""

import asyncio
from collections import Counter

import pytest

from libs.bus import Bus, Delivery, Unavailable
from libs.bus.topology import TRADES
from libs.contracts import subjects
from libs.contracts.codec import encode
from libs.contracts.orders import OrderState
from libs.store import Database
from libs.store.trades import Trades
from services.analytics.ledger import Ledger
from tests.integration.analytics.books import Books, a_story, until
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.nats_server import NatsServer, eventually
from tests.integration.service_process import ServiceProcess
from tests.integration.supabase_server import SupabaseServer

pytestmark = [pytest.mark.timeout(120), pytest.mark.takes(40)]


@pytest.fixture
async def own_books(bus: Bus, own_supabase_server: SupabaseServer) -> Books:
    books = Books(bus, own_supabase_server)
    await books.follow()
    return books


async def test_a_kill_between_commit_and_acknowledgement_writes_nothing_twice(
    bus: Bus,
    nats_server: NatsServer,
    own_books: Books,
    own_supabase_server: SupabaseServer,
    start_analytics: StartAnalytics,
) -> None:
    person = await own_supabase_server.sign_up()
    opened, closed = a_story(person)
    first = await start_analytics(own_supabase_server)
    await own_books.tell(opened)
    await eventually(lambda: len(own_books.announced) == 1)

    own_supabase_server.freeze()
    await own_books.tell(closed)
    await until(lambda: _in_hand(bus))
    nats_server.freeze()  # so that the commit can be neither announced nor acknowledged
    own_supabase_server.thaw()
    [committed] = await own_books.settled(person, 1)
    await first.kill()
    nats_server.thaw()
    assert len(own_books.announced) == 1

    await start_analytics(own_supabase_server)
    await eventually(lambda: len(own_books.announced) == 2, timeout=30)
    await until(lambda: _nothing_left(bus))
    assert await own_books.rows(person) == [committed], "not written again, not even with the same values"
    assert own_books.announced[1].closed == closed


async def test_a_database_that_did_not_answer_is_given_less_at_once(
    bus: Bus, own_books: Books, own_supabase_server: SupabaseServer
) -> None:
    """Each request is a transaction of its own, and its rows were made at its time."""
    person = await own_supabase_server.sign_up()

    def opened(count: int) -> list[Delivery]:
        events = [a_story(person)[0] for _ in range(count)]
        return [Delivery(subjects.trade(person.user, OrderState.OPENED), encode(event), 1, 1, 0.0) for event in events]

    async with await Database.connect(own_supabase_server.url, own_supabase_server.secret_key) as database:
        ledger, most = Ledger(bus, Trades(database)), opened(300)
        own_supabase_server.stop()
        for _ in range(3):
            with pytest.raises(Unavailable):
                await ledger.record(most)
        own_supabase_server.start()
        await ledger.record(most)
        times = [row.created_at for row in await own_books.rows(person)]
        assert sorted(Counter(times).values()) == [50, 250]
        await ledger.record(opened(300))
        assert max(Counter(row.created_at for row in await own_books.rows(person)).values()) == 300, "and more again"
    await eventually(lambda: len(own_books.announced) == 600)


async def test_a_database_that_is_away_is_waited_for(
    bus: Bus, own_books: Books, own_supabase_server: SupabaseServer, start_analytics: StartAnalytics
) -> None:
    person = await own_supabase_server.sign_up()
    stories = [a_story(person) for _ in range(20)]
    analytics = await start_analytics(own_supabase_server)
    own_supabase_server.stop()
    for opened, closed in stories:
        await own_books.tell(opened)
        await own_books.tell(closed)
    await eventually(lambda: analytics.logged("message_handed_back"))
    await analytics.kill()
    restart = asyncio.create_task(analytics.start())
    await until(lambda: _fails(analytics, ["database"]))
    own_supabase_server.start()
    await restart
    assert len(await own_books.settled(person, len(stories))) == len(stories)
    closings = {closed.order.order_id for _, closed in stories}
    await eventually(lambda: {one.closed.order.order_id for one in own_books.announced if one.closed} == closings)
    await until(lambda: _nothing_left(bus))


async def _fails(service: ServiceProcess, checks: list[str]) -> bool:
    return await service.failing() == checks


async def _in_hand(bus: Bus) -> bool:
    """Whether an event was handed to analytics and not acknowledged."""
    info = await bus._jetstream.api.consumer_info(TRADES.name, "analytics")
    return bool(info.num_ack_pending == 1)


async def _nothing_left(bus: Bus) -> bool:
    info = await bus._jetstream.api.consumer_info(TRADES.name, "analytics")
    return bool(info.num_ack_pending == 0 and info.num_pending == 0)
