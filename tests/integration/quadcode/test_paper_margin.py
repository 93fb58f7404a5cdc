"""The client trades on margin against the paper broker: what it computes is what the broker does."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from libs.contracts.clock import SystemClock
from libs.quadcode import Client, FixedSessionId, OrderOutcomeUnknown, OrderRejected
from libs.quadcode.balances import Balance
from libs.quadcode.exchange_rates import ExchangeRate
from libs.quadcode.margin import Margin, MarginOrder, Side, Trigger, TriggerType
from libs.quadcode.margin_balances import MarginBalance, available_for_margin
from libs.quadcode.margin_calculation import Exposure, MarginTerms, margin_terms
from libs.quadcode.margin_instruments import MarginInstrument
from libs.quadcode.orders import Order, OrderStatus
from libs.quadcode.position_book import PositionBook, PositionState
from libs.quadcode.positions import InstrumentType, Position
from libs.quadcode.quotes import Quote
from libs.quadcode.underlyings import Underlying
from services.paper_broker.faults import SuspendActive
from tests.integration.nats_server import eventually
from tests.integration.paper_broker import PaperBroker, StartPaperBroker

pytestmark = pytest.mark.takes(25)

USER = 5150
EURUSD, GOLD, BTC = 76, 2086, 2270
ACTIVES = {"forex": EURUSD, "cfd": GOLD, "crypto": BTC}
ADA = {
    "id": USER, "email": "ada@sim.invalid",
    "balances": [
        {"type": "real"}, {"type": "demo", "amount": 10000},
        {"type": "demo", "currency": "BRL", "amount": 20000, "is_marginal": True},
    ],
}  # fmt: skip


@pytest.fixture
def accounts(tmp_path: Path) -> str:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"accounts": [ADA]}))
    return str(path)


@pytest.fixture
async def ada(start_paper_broker: StartPaperBroker, accounts: str) -> PaperBroker:
    return await start_paper_broker(PREGAO_PAPER_ACCOUNTS=accounts)


@pytest.fixture
async def client(ada: PaperBroker) -> AsyncIterator[Client]:
    session_ids = FixedSessionId(await ada.session(USER))
    async with Client(ada.ws_url, session_ids, clock=SystemClock(), jitter=lambda: 0.0) as client:
        yield client


async def _balance(client: Client) -> Balance:
    return next(each for each in await client.balances.all() if each.is_marginal)


async def _order(client: Client, margin: Margin, lots: int = 10, **changes: object) -> MarginOrder:
    """So many of the least quantities of an active of its kind, at the leverage that the account has."""
    balance = await _balance(client)
    listed = await margin.instruments(ACTIVES[margin.kind])
    [instrument] = listed.items
    assert instrument.tradable_at(client.clock.now())
    worth = await client.margin_balances.get(balance.id)
    fields = {
        "instrument": instrument,
        "side": Side.BUY,
        "quantity": instrument.qty_step * lots,
        "leverage": listed.leverage(instrument, worth.equity_usd),
        "balance_id": balance.id,
    }
    return MarginOrder(**(fields | changes))  # type: ignore[arg-type]  # its own check is what counts


async def _terms(client: Client, margin: Margin, order: MarginOrder) -> MarginTerms:
    exposure = Exposure(
        kind=margin.kind,
        active=await client.actives.get(order.instrument.active_id),
        currency="BRL",
        quantity=order.quantity,
        leverage=order.leverage,
    )
    return await margin_terms(exposure, client.quotes, client.exchange_rates, order.side)


def _margins(client: Client) -> list[Margin]:
    return [client.margin_forex, client.margin_cfd, client.margin_crypto]


async def test_what_is_computed_is_what_is_tied_up(client: Client) -> None:
    """§16.6: within 3 % while one position is open, and nothing when flat."""
    balance = await _balance(client)
    for margin in _margins(client):
        order = await _order(client, margin)
        expected = (await _terms(client, margin, order)).margin
        await margin.market(order)
        worth = await client.margin_balances.get(balance.id)
        assert abs(worth.margin - expected) <= expected * Decimal("0.03") + Decimal("0.01")
        [position] = await client.positions.open([margin.kind.instrument_type])
        assert position.invest == worth.margin
        await margin.close(position.external_id)
        assert (await client.margin_balances.get(balance.id)).margin == 0


@pytest.mark.parametrize("side", Side)
async def test_a_position_is_followed_from_order_to_history(client: Client, ada: PaperBroker, side: Side) -> None:
    orders: list[Order] = []
    heard: list[Position] = []
    states: list[PositionState] = []
    balances: list[MarginBalance] = []
    margin, balance = client.margin_forex, await _balance(client)
    await client.orders.watch(InstrumentType.MARGINAL_FOREX, orders.append)
    await client.margin_balances.watch(balance.id, balances.append)
    since = client.clock.now() - timedelta(seconds=1)
    async with PositionBook(client, heard.append, states.append) as book:
        number = await margin.market(await _order(client, margin, side=side))
        await eventually(lambda: heard and states)
        assert [(each.number, each.status, each.position_id) for each in orders] == [(number, "filled", heard[0].id)]
        assert heard[0].order_ids == (number,)
        await eventually(lambda: len({each.equity for each in balances}) > 1)
        await margin.close(heard[0].external_id)
        await eventually(lambda: heard[-1].closed)
        assert book.open == {}
    assert await client.positions.history(since) == [heard[-1]]
    assert heard[-1].profit is not None
    await eventually(lambda: balances[-1].margin == 0)
    assert balances[-1].cash == balances[-1].available == 20_000 + heard[-1].profit
    assert all(each.equity == each.cash + each.pnl == each.available + each.margin for each in balances)
    assert all(each["amount"] == each["ledger"] for each in await ada.balances(USER))


async def test_every_kind_of_protection_is_understood(start_paper_broker: StartPaperBroker, accounts: str) -> None:
    """Three pips away on both sides, where time is fast: one of them comes true soon."""
    broker = await start_paper_broker(PREGAO_PAPER_ACCOUNTS=accounts, PREGAO_PAPER_CLOCK_SPEED="60")
    session_ids = FixedSessionId(await broker.session(USER))
    async with Client(broker.ws_url, session_ids, clock=SystemClock(), jitter=lambda: 0.0) as client:
        margin, distance = client.margin_forex, Decimal("0.0003")
        terms = await _terms(client, margin, await _order(client, margin))
        heard: list[Position] = []
        await client.positions.watch(heard.append)
        around: dict[int, Decimal | None] = {}
        for kind in TriggerType:
            price = Decimal(str((await _quote(client)).ask))
            loss, profit = {
                TriggerType.PRICE: (price - distance, price + distance),
                TriggerType.PIPS: (Decimal(3), Decimal(3)),
                TriggerType.DELTA: (distance, distance),
                TriggerType.PNL: (terms.pip_value * 3, terms.pip_value * 3),
            }[kind]
            order = await _order(client, margin, stop_loss=Trigger(loss, kind), take_profit=Trigger(profit, kind))
            around[await margin.market(order)] = price if kind is TriggerType.PRICE else None
        await eventually(lambda: len([each for each in heard if each.closed]) == len(around), timeout=40)
    for closed in (each for each in heard if each.closed):
        assert closed.close_quote is not None
        by = closed.close_quote - float(around[closed.order_ids[0]] or closed.open_quote)
        assert closed.close_reason == ("take_profit" if by > 0 else "stop_loss")
        assert abs(by) > 0.00029


async def _quote(client: Client) -> Quote:
    seen: list[Quote] = []
    watching = await client.quotes.watch(EURUSD, seen.append)
    await eventually(lambda: seen)
    await watching.stop()
    return seen[0]


async def test_pending_orders_are_listed_cancelled_and_filled(client: Client) -> None:
    orders: list[Order] = []
    margin, balance = client.margin_crypto, await _balance(client)
    await client.orders.watch(InstrumentType.MARGINAL_CRYPTO, orders.append)
    order = await _order(client, margin)
    far = await margin.limit(order, Decimal("0.01"))
    assert [each.number for each in await client.orders.deferred(balance.id)] == [far]
    await margin.cancel(far)
    await eventually(lambda: [each.status for each in orders] == ["new", OrderStatus.CANCELED])
    assert await client.orders.deferred(balance.id) == ()
    near = await margin.stop(order, Decimal("0.01"))  # on the wrong side of the market: a limit
    assert [each.number for each in await client.orders.deferred(balance.id)] == [near]
    there = await margin.limit(order, Decimal(10**7))  # the same the other way round: a stop
    assert [each.number for each in await client.orders.deferred(balance.id)] == [near, there]
    assert (await client.margin_balances.get(balance.id)).margin == 0


async def test_refusals_are_told(client: Client) -> None:
    margin = client.margin_forex
    order = await _order(client, margin)
    real = next(each for each in await client.balances.all() if each.type == 1)
    poor = MarginOrder(
        instrument=order.instrument, side=Side.BUY, quantity=order.quantity, leverage=order.leverage, balance_id=real.id
    )
    with pytest.raises(OrderRejected, match="user balance has no deposits") as rejected:
        await margin.market(poor)
    assert rejected.value.status == 4008
    with pytest.raises(OrderRejected, match="Insufficient funds"):
        await margin.market(await _order(client, margin, lots=10**6))
    with pytest.raises(OrderRejected, match="leverage"):
        await margin.market(await _order(client, margin, leverage=Decimal(10**6)))


async def test_an_order_whose_answer_is_lost_is_booked_once(client: Client, ada: PaperBroker) -> None:
    margin = client.margin_forex
    order = await _order(client, margin)
    await ada.fault("drop-before-reply", USER)
    with pytest.raises(OrderOutcomeUnknown):
        await margin.market(order, timeout=1)
    await client.wait_connected(10)
    assert len(await client.positions.open()) == len(await ada.positions(USER)) == 1


async def test_subscriptions_outlive_the_broker(client: Client, ada: PaperBroker) -> None:
    balances: list[MarginBalance] = []
    rates: list[ExchangeRate] = []
    changed: list[Underlying] = []
    orders: list[Order] = []
    margin, balance = client.margin_forex, await _balance(client)
    await client.margin_balances.watch(balance.id, balances.append)
    await client.exchange_rates.watch("EUR", "BRL", rates.append)
    await client.orders.watch(InstrumentType.MARGINAL_FOREX, orders.append)
    await margin.watch_underlyings(lambda items: changed.extend(items.items))
    assert EURUSD in {each.active_id for each in await margin.underlyings()}
    await margin.market(await _order(client, margin))
    [position] = await client.positions.open()
    await ada.restart()
    await eventually(lambda: client.connections == 2, timeout=20)
    assert await client.positions.open() == [position]
    for heard in (balances, rates, orders):
        heard.clear()
    await eventually(lambda: balances and rates)
    assert balances[-1].margin == position.invest
    await margin.underlyings()
    await ada.inject(SuspendActive(active=EURUSD))
    await eventually(lambda: changed)
    assert (changed[-1].active_id, changed[-1].is_suspended) == (EURUSD, True)
    await margin.close(position.external_id)
    await eventually(lambda: balances[-1].margin == 0)
    assert available_for_margin(balance, balances[-1]) == balances[-1].cash


async def test_the_least_quantity_of_every_kind_can_be_traded(client: Client) -> None:
    for margin in _margins(client):
        order = await _order(client, margin, lots=1)
        instrument: MarginInstrument = order.instrument
        assert order.quantity == instrument.min_qty
        await margin.market(order)
    assert {each.instrument_type for each in await client.positions.open()} == {
        margin.kind.instrument_type for margin in _margins(client)
    }
