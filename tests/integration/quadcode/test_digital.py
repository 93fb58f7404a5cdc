import asyncio
from decimal import Decimal

import pytest

from libs.quadcode import Client, OrderOutcomeUnknown, OrderRejected
from libs.quadcode.digital import DigitalInstrument, InstrumentPrices, Strike
from libs.quadcode.options import OptionDirection
from libs.quadcode.orders import Order
from libs.quadcode.positions import InstrumentType
from tests.integration.quadcode.scripted_broker import USER_ID, Frame, ScriptedBroker, event, refusal, reply, result

PLACE = "digital-options.place-digital-option"
CLOSE = "digital-options.close-position"
STRIKE = Strike(OptionDirection.CALL, "SPT", "do76CSPT")
INSTRUMENT = DigitalInstrument(
    index=4711001, asset_id=76, period=60, expiration=1790003580, deadtime=10, data=(STRIKE,)
)
ORDER = {
    "id": "ord-5", "instrument_type": "digital-option", "kind": "instant", "position_id": "c0ffee-02",
    "status": "filled", "user_id": USER_ID, "user_balance_id": 900004,
    "raw_event": {"digital_options_order_changed1": {"id": 88001}},
}  # fmt: skip


async def test_a_purchase_states_its_stake_as_text_and_is_answered_with_the_orders_number(
    client: Client, broker: ScriptedBroker
) -> None:
    broker.answers[PLACE] = lambda _: [result(), reply({"id": 88001})]
    assert await client.digital.place(INSTRUMENT, STRIKE, Decimal("1.2E+3"), 900004) == 88001
    assert broker.asked(PLACE) == [
        {
            "amount": "1200", "asset_id": 76, "instrument_id": "do76CSPT", "instrument_index": 4711001,
            "user_balance_id": 900004,
        }
    ]  # fmt: skip


async def test_a_refused_purchase_is_told(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[PLACE] = lambda _: [refusal(4103, "too late")]
    with pytest.raises(OrderRejected, match="too late"):
        await client.digital.place(INSTRUMENT, STRIKE, Decimal(10), 900004)


async def test_a_purchase_whose_connection_drops_is_unknown_and_never_sent_again(
    client: Client, broker: ScriptedBroker
) -> None:
    broker.answers[PLACE] = lambda _: []
    purchase = asyncio.create_task(client.digital.place(INSTRUMENT, STRIKE, Decimal(10), 900004))
    await broker.until(lambda: broker.asked(PLACE))
    await broker.drop()
    with pytest.raises(OrderOutcomeUnknown):
        await purchase
    await broker.until(lambda: client.connections == 2)
    broker.answers["portfolio.get-orders"] = lambda _: [reply({"items": []})]
    await client.orders.deferred(900004)
    assert len(broker.asked(PLACE)) == 1


@pytest.mark.parametrize("answer", [result(success=False, reason="too late"), refusal(4100, "too late")])
async def test_a_refused_closing_is_told(client: Client, broker: ScriptedBroker, answer: Frame) -> None:
    broker.answers[CLOSE] = lambda _: [answer]
    with pytest.raises(OrderRejected, match="too late"):
        await client.digital.close(5)
    assert broker.asked(CLOSE) == [{"position_id": 5}]


@pytest.mark.parametrize("name", [CLOSE, "binary-options.sell-options"])
async def test_a_fault_of_the_platform_leaves_a_sale_unknown(client: Client, broker: ScriptedBroker, name: str) -> None:
    broker.answers[name] = lambda _: [refusal(5000, "internal error")]
    with pytest.raises(OrderOutcomeUnknown):
        await (client.digital.close(5) if name == CLOSE else client.options.sell([5]))


async def test_orders_of_the_watched_type_are_heard_over_reconnects(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Order] = []
    await client.orders.watch(InstrumentType.DIGITAL_OPTION, heard.append)
    await broker.drop()
    await broker.until(lambda: client.connections == 2 and client.state == "connected")
    await broker.push(
        event("portfolio", "order-changed", ORDER | {"instrument_type": "marginal-cfd"}),
        event("portfolio", "order-changed", ORDER),
    )
    await broker.until(lambda: heard)
    assert [(order.number, order.status, order.ended) for order in heard] == [(88001, "filled", True)]
    wanted = ("portfolio.order-changed", {"user_id": USER_ID, "instrument_type": "digital-option"})
    assert broker.subscriptions().count(wanted) == 2


async def test_prices_are_heard_of_the_watched_instrument_only(client: Client, broker: ScriptedBroker) -> None:
    heard: list[InstrumentPrices] = []
    await be_at(client, broker, INSTRUMENT.expiration - 30)
    await client.digital.watch_prices(INSTRUMENT, heard.append)
    side = {"symbol": "do76CSPT", "ask": 50}
    prices = {"asset_id": 76, "prices": [{"strike": "SPT", "call": side, "put": side}]}
    for index in (4711002, 4711001):
        await broker.push(
            event("trading-settings", "digital-option-client-price-generated", prices | {"instrument_index": index})
        )
    await broker.until(lambda: heard)
    assert [(one.instrument_index, one.prices[0].call.profit_percent) for one in heard] == [(4711001, 100)]


async def test_prices_are_unsubscribed_when_the_instrument_has_expired(client: Client, broker: ScriptedBroker) -> None:
    await be_at(client, broker, INSTRUMENT.expiration - 30)
    prices = await client.digital.watch_prices(INSTRUMENT, lambda _: None)
    await be_at(client, broker, INSTRUMENT.expiration - 1)
    assert broker.subscriptions("unsubscribeMessage") == []
    await broker.until(lambda: broker.subscriptions("unsubscribeMessage"))
    assert client.clock.now().timestamp() >= INSTRUMENT.expiration
    assert broker.subscriptions("unsubscribeMessage") == broker.subscriptions()
    await broker.drop()
    await broker.until(lambda: client.connections == 2)
    await prices.stop()
    assert len(broker.subscriptions()) == len(broker.subscriptions("unsubscribeMessage")) == 1


async def test_prices_that_are_stopped_are_unsubscribed_once(client: Client, broker: ScriptedBroker) -> None:
    await be_at(client, broker, INSTRUMENT.expiration - 30)
    prices = await client.digital.watch_prices(INSTRUMENT, lambda _: None)
    await prices.stop()
    await prices.stop()
    assert len(broker.subscriptions("unsubscribeMessage")) == 1
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "quadcode:prices" and not task.cancelling()]


async def be_at(client: Client, broker: ScriptedBroker, second: int) -> None:
    """The broker's time is `second`."""
    await broker.push({"name": "timeSync", "msg": second * 1000})
    await broker.until(lambda: 0 <= client.clock.now().timestamp() - second < 10)
