import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from libs.quadcode import Client, NotConnected, OrderOutcomeUnknown, OrderRejected
from libs.quadcode.options import OpenOption, OptionDirection
from tests.integration.quadcode.scripted_broker import Frame, ScriptedBroker, refusal, reply, result

OPEN = "binary-options.open-option"
PURCHASE = OpenOption.blitz(
    active_id=76,
    direction=OptionDirection.PUT,
    duration=10,
    price=Decimal("25.50"),
    balance_id=900004,
    profit_percent=82,
)
OPTION = {
    "id": 77120031, "act": 76, "direction": "put", "exp": 1790003510, "price": 25.5, "profit_income": 82,
    "time_rate": 1790003500, "type": "blitz", "value": 1.08415,
}  # fmt: skip


async def test_a_purchase_reads_as_the_protocol_says(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[OPEN] = lambda _: [result(), reply(OPTION, name="option")]
    option = await client.options.open(PURCHASE)
    assert broker.asked(OPEN) == [
        {
            "active_id": 76, "direction": "put", "expiration_size": 10, "expired": 0, "option_type_id": 12,
            "price": 25.5, "user_balance_id": 900004, "profit_percent": 82,
        }
    ]  # fmt: skip
    assert (option.id, option.value, option.price) == (77120031, 1.08415, Decimal("25.5"))
    assert option.expires_at == datetime.fromtimestamp(1790003510, UTC)
    assert (option.expires_at - option.opened_at).total_seconds() == 10


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (refusal(4103, "Insufficient funds for this transaction."), 4103, "Insufficient funds for this transaction."),
        (result(success=False, reason="too late"), 2000, "too late"),
    ],
)
async def test_a_refused_purchase_carries_the_brokers_words(
    client: Client, broker: ScriptedBroker, answer: Frame, status: int, words: str
) -> None:
    broker.answers[OPEN] = lambda _: [answer]
    with pytest.raises(OrderRejected) as rejected:
        await client.options.open(PURCHASE)
    assert (rejected.value.status, rejected.value.message) == (status, words)


async def test_a_purchase_that_is_not_answered_is_unknown(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[OPEN] = lambda _: [result()]
    with pytest.raises(OrderOutcomeUnknown):
        await client.options.open(PURCHASE, timeout=0.2)


async def test_a_purchase_answered_with_nonsense_is_unknown(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[OPEN] = lambda _: [reply({"id": None})]
    with pytest.raises(OrderOutcomeUnknown):
        await client.options.open(PURCHASE)


async def test_a_purchase_whose_connection_drops_is_unknown_and_never_sent_again(
    client: Client, broker: ScriptedBroker
) -> None:
    broker.answers[OPEN] = lambda _: []
    purchase = asyncio.create_task(client.options.open(PURCHASE))
    await broker.until(lambda: broker.asked(OPEN))
    await broker.drop()
    with pytest.raises(OrderOutcomeUnknown):
        await purchase
    await broker.until(lambda: client.connections == 2)
    broker.answers["balances.get-available-balances"] = lambda _: [reply([])]
    await client.balances.all()
    assert len(broker.asked(OPEN)) == 1


async def test_a_purchase_without_a_connection_is_certainly_not_sent(client: Client, broker: ScriptedBroker) -> None:
    await broker.stop()
    await broker.until(lambda: client.state == "disconnected")
    with pytest.raises(NotConnected):
        await client.options.open(PURCHASE)
    assert broker.asked(OPEN) == []


async def test_a_purchase_is_written_before_anything_is_awaited(client: Client, broker: ScriptedBroker) -> None:
    """So that what its caller checked just before, the time and the right to send, still holds."""
    purchase = client.options.open(PURCHASE)
    purchase.send(None)  # to the first await, and no further
    await broker.until(lambda: broker.asked(OPEN))
    purchase.close()


async def test_a_broker_that_does_not_read_gets_no_more_orders(client: Client, broker: ScriptedBroker) -> None:
    broker.connections[0].transport.pause_reading()
    noise = OpenOption.blitz(
        active_id=76,
        direction=OptionDirection.CALL,
        duration=10,
        price=Decimal("9" * 100_000),
        balance_id=900004,
        profit_percent=82,
    )
    attempts = [asyncio.create_task(client.options.open(noise, timeout=0.5)) for _ in range(200)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert isinstance(outcomes[0], OrderOutcomeUnknown)
    assert isinstance(outcomes[-1], NotConnected)


async def test_selling_asks_for_the_options_by_id(client: Client, broker: ScriptedBroker) -> None:
    await client.options.sell([1, 2])
    assert broker.asked("binary-options.sell-options") == [{"options_ids": [1, 2]}]


@pytest.mark.parametrize("answer", [result(success=False, reason="too late"), refusal(4100, "too late")])
async def test_a_refused_sale_is_told(client: Client, broker: ScriptedBroker, answer: Frame) -> None:
    broker.answers["binary-options.sell-options"] = lambda _: [answer]
    with pytest.raises(OrderRejected, match="too late"):
        await client.options.sell([1])


async def test_offers_may_be_mappings_or_lists(client: Client, broker: ScriptedBroker) -> None:
    blitz = {
        "id": 76, "name": "front.EURUSD-OTC", "ticker": "EURUSD-OTC", "is_suspended": False,
        "schedule": [[1789948800, 1790035200]],
        "option": {"expiration_times": [5, 10], "profit": {"commission": 18}},
    }  # fmt: skip
    timed = blitz | {"deadtime": 30, "buyback_deadtime": 60, "is_buyback": True}
    special = {"1790380800": {"title": "front.End of week", "enabled": True}}
    binary = timed | {
        "option": {"count": 4, "expiration_times": [900], "profit": {"commission": 15}, "special": special}
    }
    data = {"binary": {"actives": {"76": binary}}, "turbo": {"actives": [timed]}, "blitz": {"actives": {"76": blitz}}}
    broker.answers["binary-options.get-initialization-data"] = lambda _: [reply(data)]
    offers = await client.options.offers()
    [active] = offers.blitz.all()
    assert (active.id, active.option.profit.percent, active.option.expiration_times) == (76, 82, (5, 10))
    assert active.tradable(datetime.fromtimestamp(1789948800, UTC))
    assert not active.tradable(datetime.fromtimestamp(1790035201, UTC))
    assert offers.turbo.all()[0].deadtime == 30
    assert offers.binary.all()[0].option.special["1790380800"].enabled
