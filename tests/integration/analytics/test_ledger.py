"""Every trade event reaches the database once, and is announced once it is there."""

from decimal import Decimal
from random import Random

import pytest

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import DEAD_LETTERS
from libs.contracts import subjects
from libs.contracts.ids import new_id
from libs.contracts.orders import OrderState, RejectCode, TradeFailed, TradeOpened
from tests.integration.analytics.books import Books, a_story
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.nats_server import eventually
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import NOW, a_position, an_opening, an_order


@pytest.fixture
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


async def test_a_trade_is_announced_when_whoever_looks_finds_it(
    books: Books, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    await start_analytics(supabase_server)
    opened, closed = a_story(person)
    await books.tell(opened)
    await eventually(lambda: len(books.announced) == 1)
    [row] = await books.rows(person)
    assert row.status == "open"
    await books.tell(closed)
    await eventually(lambda: len(books.announced) == 2)
    [row] = await books.rows(person)
    assert row.status == "closed"
    assert [(news.trade_id, news.opened, news.closed) for news in books.announced] == [
        (row.id, opened, None),
        (row.id, None, closed),
    ]


async def test_what_is_over_when_it_is_written_is_not_told_as_opened(
    books: Books, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    stories = [a_story(person, sequence=sequence) for sequence in range(20)]
    lasting, _ = a_story(person)
    for event in [*(event for story in stories for event in story), lasting]:
        await books.tell(event)
    await start_analytics(supabase_server)  # everything at once, as after an outage
    await eventually(lambda: len(books.announced) == len(stories) + 1)
    assert sorted((news.closed for news in books.announced if news.closed), key=lambda one: one.order.sequence) == [
        closed for _, closed in stories
    ]
    assert [news.opened for news in books.announced if news.opened] == [lasting]


async def test_events_in_any_order_and_number_make_one_right_row_each(
    books: Books, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    random = Random(7)
    stories = [a_story(person, sequence=sequence) for sequence in range(40)]
    events = [event for story in stories for event in story for _ in range(random.randint(1, 3))]
    random.shuffle(events)
    for event in events[: len(events) // 2]:
        await books.tell(event)
    await start_analytics(supabase_server)
    await start_analytics(supabase_server)
    for event in events[len(events) // 2 :]:
        await books.tell(event)
    rows = await books.settled(person, len(stories))
    assert {row.order_id for row in rows} == {opened.order.order_id for opened, _ in stories}
    assert {(row.status, row.resultado, row.pnl) for row in rows} == {("closed", "WIN", Decimal("8.2"))}


async def test_an_order_that_came_to_nothing_is_no_trade(
    bus: Bus, books: Books, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    await start_analytics(supabase_server)
    for state in (OrderState.REJECTED, OrderState.UNKNOWN):
        order = an_order(order_id=new_id(), user=person.user)
        failed = TradeFailed(id=new_id(), at=NOW, order=order, state=state, code=RejectCode.REFUSED, reason="no")
        await bus.append(subjects.trade(person.user, state), failed, id=failed.id)
    _, closed = a_story(person)
    await books.tell(closed)
    assert len(await books.settled(person, 1)) == 1


async def test_what_is_no_trade_is_set_aside_and_the_others_flow(
    bus: Bus, books: Books, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    dead: list[Delivery] = []

    async def collect(batch: list[Delivery]) -> None:
        dead.extend(batch)

    undertaker = await bus.consume(Consumer(DEAD_LETTERS.name, "undertaker"), collect)
    orphan = an_opening(order=an_order(order_id=new_id(), user=new_id()), position=a_position(position_id=number()))
    stories = [a_story(person) for _ in range(5)]
    await books.tell(orphan)
    await bus.append(subjects.trade(person.user, OrderState.OPENED), orphan.position, id=new_id())
    for _, closed in stories:
        await books.tell(closed)
    await start_analytics(supabase_server)
    assert len(await books.settled(person, 5)) == 5
    await eventually(lambda: len(dead) == 2)
    await undertaker.stop()
    assert {letter.subject for letter in dead} == {"dlq.TRADES.analytics"}
    assert orphan in [letter.decode(TradeOpened) for letter in dead if b"order_id" in letter.data]


async def test_a_trade_its_owner_deleted_is_neither_brought_back_nor_announced_again(
    books: Books, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    await start_analytics(supabase_server)
    (_, first), (_, second) = a_story(person), a_story(person)
    await books.tell(first)
    await books.settled(person, 1)
    await supabase_server.as_person(person, "DELETE", f"/rest/v1/trade_history?user_id=eq.{person.user}")
    await books.tell(first)
    await books.tell(second)
    assert [row.order_id for row in await books.settled(person, 1)] == [second.order.order_id]
    assert len(books.announced_of(first.order.order_id)) == 1
