import asyncio
from decimal import Decimal
from typing import Any

import pytest

from libs.quadcode import Client, OrderOutcomeUnknown, OrderRejected, RequestTimeout
from libs.quadcode.actives import Active
from libs.quadcode.margin import Margin, MarginOrder, Side, Trigger, TriggerType
from libs.quadcode.margin_calculation import Exposure, MarginTerms, margin_terms
from libs.quadcode.margin_instruments import MarginInstrument, MarginKind, Window
from libs.quadcode.underlyings import Underlying
from tests.integration.quadcode.scripted_broker import Frame, ScriptedBroker, event, refusal, reply, result

INSTRUMENT = MarginInstrument(
    id="m.301", active_id=301, default_leverage=Decimal(20), min_qty=Decimal("0.01"), qty_step=Decimal("0.01"),
    tradable=Window(0, 2**31),
)  # fmt: skip
ORDER = MarginOrder(
    instrument=INSTRUMENT, side=Side.SELL, quantity=Decimal("0.50"), leverage=Decimal(20), balance_id=900005,
    take_profit=Trigger(Decimal("1.0700")), stop_loss=Trigger(Decimal(25), TriggerType.PIPS),
)  # fmt: skip
WIRE = {
    "side": "sell", "user_balance_id": 900005, "instrument_id": "m.301", "instrument_active_id": 301,
    "leverage": "20", "take_profit": {"value": "1.07", "type": "price"}, "stop_loss": {"value": "25", "type": "pips"},
}  # fmt: skip


def margin_of(client: Client, kind: MarginKind) -> Margin:
    return {"forex": client.margin_forex, "cfd": client.margin_cfd, "crypto": client.margin_crypto}[kind]


@pytest.mark.parametrize(("kind", "count"), [("forex", "50000"), ("cfd", "0.5"), ("crypto", "0.5")])
async def test_orders_read_as_the_protocol_says(
    client: Client, broker: ScriptedBroker, kind: MarginKind, count: str
) -> None:
    margin = margin_of(client, kind)
    names = [f"marginal-{kind}.place-{name}-order" for name in ("market", "stop", "limit")]
    numbered = iter((99001, 99002, 99003))
    for name in names:
        broker.answers[name] = lambda _: [result(), reply({"id": next(numbered)})]
    numbers = [
        await margin.market(ORDER),
        await margin.stop(ORDER, Decimal("1.0500")),
        await margin.limit(ORDER, Decimal("1.09")),
    ]
    assert numbers == [99001, 99002, 99003]
    assert [broker.asked(name) for name in names] == [
        [WIRE | {"count": count}],
        [WIRE | {"count": count, "stop_price": "1.05"}],
        [WIRE | {"count": count, "limit_price": "1.09"}],
    ]


@pytest.mark.parametrize("kind", MarginKind)
async def test_positions_are_closed_and_orders_cancelled_by_number(
    client: Client, broker: ScriptedBroker, kind: MarginKind
) -> None:
    await margin_of(client, kind).close(5)
    await margin_of(client, kind).cancel(99001)
    assert broker.asked(f"marginal-{kind}.close-position") == [{"position_id": 5}]
    assert broker.asked(f"marginal-{kind}.cancel-pending-order") == [{"order_id": 99001}]


async def test_the_brokers_refusal_is_told(client: Client, broker: ScriptedBroker) -> None:
    words = "create order: user_id: 1 user_balance_id: 2 user balance has no deposits"
    broker.answers["marginal-forex.place-market-order"] = lambda _: [refusal(4008, words)]
    with pytest.raises(OrderRejected) as rejected:
        await client.margin_forex.market(ORDER)
    assert (rejected.value.status, rejected.value.message) == (4008, words)


@pytest.mark.parametrize("kind", ["market", "stop", "limit"])
async def test_an_order_whose_connection_drops_is_unknown_and_never_sent_again(
    client: Client, broker: ScriptedBroker, kind: str
) -> None:
    name = f"marginal-cfd.place-{kind}-order"
    broker.answers[name] = lambda _: []
    margin = client.margin_cfd
    send = {
        "market": lambda: margin.market(ORDER),
        "stop": lambda: margin.stop(ORDER, Decimal(1)),
        "limit": lambda: margin.limit(ORDER, Decimal(1)),
    }
    sent = asyncio.create_task(send[kind]())
    await broker.until(lambda: broker.asked(name))
    await broker.drop()
    with pytest.raises(OrderOutcomeUnknown):
        await sent
    await broker.until(lambda: client.connections == 2)
    await client.margin_cfd.cancel(1)
    assert len(broker.asked(name)) == 1


async def test_what_is_on_offer(client: Client, broker: ScriptedBroker) -> None:
    underlying = {"active_id": 301, "is_suspended": False, "name": "Gold", "schedule": [{"open": 1, "close": 2}]}
    instrument = {
        "id": "m.301", "active_id": 301, "default_leverage": 20, "leverage_profile": 7, "is_suspended": False,
        "min_qty": "0.1", "qty_step": "0.1", "tradable": {"from": 1, "to": 2},
    }  # fmt: skip
    broker.answers["marginal-cfd-instruments.get-underlying-list"] = lambda _: [reply({"items": [underlying]})]
    broker.answers["marginal-cfd-instruments.get-instruments-list"] = lambda _: [reply({"items": [instrument]})]
    assert [each.active_id for each in await client.margin_cfd.underlyings()] == [301]
    [listed] = (await client.margin_cfd.instruments(301)).items
    assert (listed.id, listed.min_qty, listed.tradable) == ("m.301", Decimal("0.1"), Window(1, 2))
    assert broker.asked("marginal-cfd-instruments.get-instruments-list") == [{"active_id": 301}]
    heard: list[Underlying] = []
    await client.margin_cfd.watch_underlyings(lambda changed: heard.extend(changed.items))
    changed = {"type": "marginal-cfd", "items": [underlying | {"is_suspended": True}]}
    await broker.push(event("marginal-cfd-instruments", "underlying-list-changed", changed))
    await broker.until(lambda: heard)
    assert heard[0].is_suspended


RATES = {("USD", "GBP"): (0.8, 0.79), ("EUR", "USD"): (1.09, 1.08)}


def market(broker: ScriptedBroker) -> None:
    """Whoever subscribes to a rate or a price is told one."""

    def rate(message: dict[str, Any]) -> list[Frame | bytes]:
        pair = message["params"]["routingFilters"]
        ask, bid = RATES[pair["base_currency"], pair["quote_currency"]]
        msg = pair | {"ask": str(ask), "bid": str(bid), "changed_at": 1}
        return [result(), event("exchange-rates", "exchange-rate-generated", msg)]

    quote = {"active_id": 301, "time": 1, "ask": 4010, "bid": 3990, "value": 4000, "phase": "T"}
    broker.answers["exchange-rates.exchange-rate-generated"] = rate
    broker.answers["quote-generated"] = lambda _: [result(), event("quotes", "quote-generated", quote)]


def exposure(kind: MarginKind, currency: str = "USD") -> Exposure:
    active = Active(301, "EURGBP", pip_scale=4, currency_left_side="EUR", currency_right_side="GBP")
    return Exposure(kind=kind, active=active, currency=currency, quantity=Decimal("0.5"), leverage=Decimal(50))


@pytest.mark.parametrize(
    ("kind", "side", "pending", "margin"),
    [
        (MarginKind.FOREX, None, None, "1080"),
        (MarginKind.CFD, None, None, "50"),
        (MarginKind.CFD, Side.BUY, None, "50.125"),
        (MarginKind.CRYPTO, Side.SELL, None, "49.875"),
        (MarginKind.CRYPTO, Side.SELL, "800", "10"),
    ],
)
async def test_margin_is_calculated_at_the_prices_of_now(
    client: Client, broker: ScriptedBroker, kind: MarginKind, side: Side | None, pending: str | None, margin: str
) -> None:
    market(broker)
    price = None if pending is None else Decimal(pending)
    terms = await margin_terms(exposure(kind), client.quotes, client.exchange_rates, side, price)
    pip_value = Decimal("6.25") if kind is MarginKind.FOREX else Decimal("0.0000625")
    assert terms == MarginTerms(Decimal(margin), pip_value)
    assert len(broker.subscriptions("unsubscribeMessage")) == len(broker.subscriptions())


async def test_a_currency_needs_no_rate_to_itself(client: Client, broker: ScriptedBroker) -> None:
    market(broker)
    terms = await margin_terms(exposure(MarginKind.CFD, "GBP"), client.quotes, client.exchange_rates)
    assert terms == MarginTerms(Decimal(40), Decimal("0.00005"))
    assert [name for name, _ in broker.subscriptions()] == ["quote-generated"]


async def test_prices_that_do_not_come_are_not_waited_for_for_ever(client: Client, broker: ScriptedBroker) -> None:
    with pytest.raises(RequestTimeout, match="EURGBP"):
        await margin_terms(exposure(MarginKind.CFD), client.quotes, client.exchange_rates, patience=0.05)
    await broker.until(lambda: broker.subscriptions("unsubscribeMessage"))
