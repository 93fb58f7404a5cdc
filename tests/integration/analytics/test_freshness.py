"""After a trade closes, every answer that contains it is right within a second."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from libs.bus import Bus
from libs.contracts import admin_rpc as rpc
from libs.contracts import subjects
from libs.contracts.account import AccountType
from libs.contracts.admin import Period
from libs.contracts.figures import FiguresQuery
from libs.contracts.ids import new_id
from libs.contracts.orders import OrderState
from tests.integration.analytics.books import Books
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.numbers import number
from tests.integration.supabase_server import SupabaseServer
from tests.messages import a_closing, a_position, a_settlement, an_order


@pytest.fixture
def day() -> date:
    """On which nobody else trades."""
    return date(2210, 1, 1) + timedelta(days=number() % 20_000)


async def test_a_closed_trade_is_in_every_answer_long_before_the_answer_is_old(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, books: Books, day: date
) -> None:
    await start_analytics(supabase_server)
    person = await supabase_server.sign_up()
    period = Period(date_from=day.isoformat(), date_to=day.isoformat())
    everybody = FiguresQuery(date_from=period.date_from, date_to=period.date_to)
    own = replace(everybody, user_id=UUID(person.user))
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)

    async def decided() -> list[int]:
        daily = await bus.call(rpc.DAILY, period)
        figures = [await bus.call(rpc.FIGURES, query) for query in (own, everybody)]
        return [daily.rows[0].total_trades, *(each.trades for each in figures)]

    assert await decided() == [0, 0, 0]
    for closed in range(1, 4):
        order = an_order(order_id=new_id(), user=person.user, account_type=AccountType.REAL)
        settlement = a_settlement(closed_at=at + timedelta(seconds=60))
        event = a_closing(order=order, position=a_position(position_id=number(), opened_at=at), settlement=settlement)
        await bus.append(subjects.trade(person.user, OrderState.CLOSED), event, id=event.id)
        async with asyncio.timeout(20):
            while len(books.announced) < closed:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(5):  # on a machine of its own: 0.6 s
            while await decided() != [closed] * 3:
                await asyncio.sleep(0.05)


async def test_an_answer_says_when_it_was_made(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, day: date
) -> None:
    await start_analytics(supabase_server)
    query = Period(date_from=day.isoformat(), date_to=day.isoformat())
    first, again = await bus.call_dated(rpc.DAILY, query), await bus.call_dated(rpc.DAILY, query)
    assert first.made_at is not None
    assert first == again
    assert timedelta(0) <= bus.clock.now() - first.made_at < timedelta(seconds=10)
