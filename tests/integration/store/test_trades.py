"""`trade_history`: one right row per order, whatever is delivered, how often and in which order."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any, TypeVar

import msgspec
import pytest

from libs.contracts.account import AccountType
from libs.contracts.ids import new_id
from libs.contracts.orders import Direction, OptionKind, Order, Position, TradeClosed, TradeOpened
from libs.store import Database, StoreRefused
from libs.store.rows import read_rows
from libs.store.trades import BATCH, Trades
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import NOW, a_closing, a_position, a_settlement, an_opening, an_order

T = TypeVar("T", bound=msgspec.Struct)
Story = tuple[TradeOpened, TradeClosed]


@pytest.fixture
def trades(database: Database) -> Trades:
    return Trades(database)


def a_story(person: Person, **changes: Any) -> Story:
    """Both events of an order of that person."""
    order = an_order(order_id=new_id(), user=person.user, **changes)
    position = a_position(position_id=number())
    return an_opening(order=order, position=position), a_closing(order=order, position=position)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Of `trade_history`, whole."""

    order_id: str
    user_id: str
    external_id: int
    type: str
    account_type: str
    active_id: int
    ativo_nome: str
    direction: str
    valor: Decimal
    profit_esperado: Decimal
    payout: int
    expiration_seconds: int
    strategy_id: str
    confidence: int
    status: str
    resultado: str | None
    pnl: Decimal | None
    data_abertura: datetime
    data_expiracao: datetime
    data_fechamento: datetime | None
    open_quote: Decimal
    close_quote: Decimal | None
    balance_id: int
    session_id: str
    sequence: int
    correlation_id: str
    decided_at: datetime


class Written(msgspec.Struct, frozen=True):
    """When a row was written."""

    id: int
    created_at: datetime
    updated_at: datetime


async def rows_of(server: SupabaseServer, order: Order, type_: type[T]) -> list[T]:
    return read_rows(await server.as_service("GET", f"/rest/v1/trade_history?order_id=eq.{order.order_id}"), type_)


async def row_of(server: SupabaseServer, order: Order) -> Row:
    [row] = await rows_of(server, order, Row)
    return row


async def written(server: SupabaseServer, order: Order) -> Written:
    [row] = await rows_of(server, order, Written)
    return row


async def test_every_fact_of_a_trade_is_kept(supabase_server: SupabaseServer, trades: Trades, owner: Person) -> None:
    order = an_order(
        order_id=new_id(), user=owner.user, run=new_id(), sequence=7, account_type=AccountType.REAL, active_id=1,
        ticker="EURUSD-OTC", direction=Direction.PUT, stake=Decimal("12.34"), duration=60, strategy="aggressive",
        confidence=71, correlation_id="because", option=OptionKind.DIGITAL, expiration=NOW + timedelta(seconds=60),
    )  # fmt: skip
    position = Position(
        position_id=number(), balance_id=900004, opened_at=NOW + timedelta(milliseconds=123),
        expiry=NOW + timedelta(seconds=60), open_quote=1.0841512345, payout=85,
    )  # fmt: skip
    settlement = a_settlement(closed_at=NOW + timedelta(seconds=61), close_quote=1.08409, profit=Decimal("10.489"))
    recorded = await trades.record([an_opening(order=order, position=position)])
    row = Row(
        order_id=order.order_id, user_id=owner.user, external_id=position.position_id, type="digital-option",
        account_type="real", active_id=1, ativo_nome="EURUSD-OTC", direction="put", valor=Decimal("12.34"),
        profit_esperado=Decimal("10.49"), payout=85, expiration_seconds=60, strategy_id="aggressive", confidence=71,
        status="open", resultado=None, pnl=None, data_abertura=position.opened_at, data_expiracao=position.expiry,
        data_fechamento=None, open_quote=Decimal("1.0841512345"), close_quote=None, balance_id=900004,
        session_id=order.run, sequence=7, correlation_id="because", decided_at=NOW,
    )  # fmt: skip
    assert await row_of(supabase_server, order) == row
    assert recorded[order.order_id].id == (await written(supabase_server, order)).id
    await trades.record([a_closing(order=order, position=position, settlement=settlement)])
    assert await row_of(supabase_server, order) == msgspec.structs.replace(
        row,
        status="closed",
        resultado="WIN",
        pnl=Decimal("10.489"),
        data_fechamento=settlement.closed_at,
        close_quote=Decimal("1.08409"),
    )


async def test_any_order_of_deliveries_makes_the_same_row(
    supabase_server: SupabaseServer, trades: Trades, owner: Person
) -> None:
    for numbers in sorted(set(permutations((0, 0, 1, 1)))):
        story = a_story(owner)
        for index in numbers:
            recorded = await trades.record([story[index]])
        row = await row_of(supabase_server, story[0].order)
        assert (row.status, row.resultado, row.pnl) == ("closed", "WIN", Decimal("8.2")), numbers
        assert recorded[story[0].order.order_id].status == "closed"


async def test_a_settled_row_is_written_once(supabase_server: SupabaseServer, trades: Trades, owner: Person) -> None:
    """Clients add a point to a chart for every update they are told of."""
    opened, closed = a_story(owner)
    await trades.record([opened])
    await trades.record([closed])
    settled = await written(supabase_server, opened.order)
    assert settled.updated_at > settled.created_at
    await trades.record([opened])
    await trades.record([closed])
    await trades.record([a_closing(order=closed.order, settlement=a_settlement(profit=Decimal(-10)))])
    assert await written(supabase_server, opened.order) == settled
    assert (await row_of(supabase_server, opened.order)).pnl == Decimal("8.2")


async def test_a_trade_that_is_first_heard_of_closed_is_written_whole(
    supabase_server: SupabaseServer, trades: Trades, owner: Person
) -> None:
    _, closed = a_story(owner)
    await trades.record([closed])
    row = await row_of(supabase_server, closed.order)
    assert (row.status, row.open_quote) == ("closed", Decimal("1.08415"))
    times = await written(supabase_server, closed.order)
    assert times.updated_at == times.created_at


async def test_both_events_in_one_batch_make_one_row(
    supabase_server: SupabaseServer, trades: Trades, owner: Person
) -> None:
    opened, closed = a_story(owner)
    recorded = await trades.record([closed, opened, closed, opened])
    assert [trade.status for trade in recorded.values()] == ["closed"]
    assert (await row_of(supabase_server, opened.order)).resultado == "WIN"


async def test_more_are_written_at_once_than_a_server_answers_rows(trades: Trades, owner: Person) -> None:
    openings = [a_story(owner)[0] for _ in range(1200)]
    recorded = await trades.record(openings)
    assert recorded.keys() == {opening.order.order_id for opening in openings}


async def test_the_function_itself_takes_an_order_twice(
    supabase_server: SupabaseServer, trades: Trades, owner: Person
) -> None:
    opened, _ = a_story(owner)
    await trades.record([opened])
    [row] = await supabase_server.as_service("GET", f"/rest/v1/trade_history?user_id=eq.{owner.user}")
    twice = {"rows": [{**row, "order_id": (order_id := new_id()), "external_id": number()}] * 2}
    [recorded] = await supabase_server.as_service("POST", "/rest/v1/rpc/record_trades", twice)
    assert recorded["order_id"] == order_id


async def test_a_whole_batch_is_written_at_once(trades: Trades, owner: Person) -> None:
    stories = [a_story(owner) for _ in range(BATCH)]
    await trades.record(opened for opened, _ in stories)
    recorded = await trades.record(closed for _, closed in stories)
    assert {trade.status for trade in recorded.values()} == {"closed"}
    assert len({trade.id for trade in recorded.values()}) == BATCH


async def test_nothing_is_nothing(trades: Trades) -> None:
    assert await trades.record([]) == {}


async def test_a_trade_its_owner_deleted_does_not_come_back(
    supabase_server: SupabaseServer, trades: Trades, owner: Person
) -> None:
    opened, closed = a_story(owner)
    await trades.record([closed])
    path = f"/rest/v1/trade_history?user_id=eq.{owner.user}"
    assert len((await supabase_server.as_person(owner, "DELETE", path))[1]) == 1
    assert await trades.record([closed]) == {}
    assert await trades.record([opened]) == {}
    assert await supabase_server.as_service("GET", path) == []


async def test_a_trade_nobody_owns_is_refused_and_the_batch_is_left_as_it_was(
    supabase_server: SupabaseServer, trades: Trades, owner: Person
) -> None:
    good, _ = a_story(owner)
    orphan = an_opening(order=an_order(order_id=new_id(), user=new_id()), position=a_position(position_id=number()))
    with pytest.raises(StoreRefused, match="record_trades"):
        await trades.record([good, orphan])
    assert await supabase_server.as_service("GET", f"/rest/v1/trade_history?user_id=eq.{owner.user}") == []


async def test_one_position_is_never_booked_for_two_orders(trades: Trades, owner: Person, stranger: Person) -> None:
    first, _ = a_story(owner)
    await trades.record([first])
    with pytest.raises(StoreRefused):
        await trades.record(
            [an_opening(order=an_order(order_id=new_id(), user=stranger.user), position=first.position)]
        )


async def test_positions_of_two_kinds_may_have_the_same_number(
    supabase_server: SupabaseServer, trades: Trades, owner: Person
) -> None:
    blitz, _ = a_story(owner)
    digital = an_order(order_id=new_id(), user=owner.user, option=OptionKind.DIGITAL, expiration=NOW)
    await trades.record([blitz, an_opening(order=digital, position=blitz.position)])
    assert {(await row_of(supabase_server, order)).external_id for order in (blitz.order, digital)} == {
        blitz.position.position_id
    }


async def test_the_seeds_view_has_its_own_words(supabase_server: SupabaseServer, trades: Trades, owner: Person) -> None:
    order = an_order(order_id=new_id(), user=owner.user, run="run-1")
    tie = a_settlement(profit=Decimal(0))
    await trades.record([a_closing(order=order, position=a_position(position_id=number()), settlement=tie)])
    _, [row] = await supabase_server.as_person(owner, "GET", "/rest/v1/trades_history")
    del row["id"], row["created_at"]
    assert row == {
        "user_id": owner.user,
        "bot_id": "run-1",
        "ativo": "EURUSD-OTC",
        "direcao": "CALL",
        "valor": 10,
        "resultado": "DRAW",
        "profit_loss": 0,
        "strategy_id": "aggressive",
        "account_type": "demo",
        "horario_entrada": "2026-11-24 12:00:00+00",
        "horario_saida": "2026-11-24 12:00:10+00",
    }
