"""The fate of orders, on a real bus and with a scripted broker."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import nats
import pytest

from libs.bus import BusError
from libs.bus.permissions import ADMIN
from libs.bus.topology import TRADES
from libs.contracts.account import AccountType, Balance, Balances
from libs.contracts.orders import OptionKind, OrderState, RejectCode
from libs.contracts.rpc import ErrorCode, RpcError
from services.broker_gateway.broker import (
    BrokerUnavailable,
    NotOffered,
    NotSent,
    Offer,
    Refused,
)
from tests.integration.broker_gateway.floor import CLOCK, DEMO, Floor, alerts, heard
from tests.integration.nats_server import NatsServer, eventually
from tests.messages import USER, an_order

SECOND = "01890a5d-0000-774b-bcce-0000000000aa"


async def test_an_order_is_sent_opened_and_closed(floor: Floor) -> None:
    order_id = await floor.intend()
    record = await floor.submit(order_id)
    assert (record.state, record.balance_id) == (OrderState.OPENED, DEMO.id)
    await floor.desk.position_changed(floor.broker.settle("8.20"))
    record = await floor.record(order_id)
    assert record.state is OrderState.CLOSED
    assert record.settlement is not None
    assert record.settlement.profit == Decimal("8.20")
    await heard(floor, "opened", "closed")


async def test_a_repeated_call_answers_and_does_not_send_again(floor: Floor) -> None:
    order_id = await floor.intend()
    first = await floor.submit(order_id)
    assert await floor.submit(order_id) == first
    assert len(floor.broker.sent) == 1


async def test_of_many_calls_at_once_in_several_gateways_one_sends(floor: Floor) -> None:
    order_id = await floor.intend()
    desks = [floor.another_desk() for _ in range(4)]
    await asyncio.gather(*(floor.submit(order_id, desk) for desk in desks for _ in range(3)))
    assert len(floor.broker.sent) == 1
    await heard(floor, "opened")


async def test_a_late_order_is_rejected_and_never_sent(floor: Floor) -> None:
    order_id = await floor.intend(expires_at=CLOCK.now() - timedelta(milliseconds=1))
    record = await floor.submit(order_id)
    assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.EXPIRED)
    assert floor.broker.sent == []
    await heard(floor, "rejected")


async def test_an_intent_nobody_submitted_is_rejected_once_late(floor: Floor) -> None:
    order_id = await floor.intend(expires_at=CLOCK.now() - timedelta(seconds=1))
    await floor.reconcile()
    assert (await floor.record(order_id)).code == RejectCode.EXPIRED
    assert (await floor.submit(order_id)).state is OrderState.REJECTED
    assert floor.broker.sent == []


async def test_an_intent_that_is_not_late_is_left_alone(floor: Floor) -> None:
    order_id = await floor.intend()
    await floor.reconcile()
    assert (await floor.record(order_id)).state is OrderState.INTENDED


@pytest.mark.parametrize("balances", [None, "real only"])
async def test_without_a_balance_of_exactly_that_type_nothing_is_sent(floor: Floor, balances: str | None) -> None:
    real = Balance(id=1, type=AccountType.REAL, amount=Decimal(50), currency="USD")
    floor.balances = Balances(user=USER, at=CLOCK.now(), balances=(real,)) if balances else None
    record = await floor.submit(await floor.intend())
    assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.NO_BALANCE)
    assert floor.broker.sent == []


async def test_a_gateway_that_lost_its_right_does_not_send(floor: Floor) -> None:
    floor.right.held = False
    record = await floor.submit(await floor.intend())
    assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.NO_SESSION)
    assert floor.broker.sent == []


@pytest.mark.parametrize(
    ("failure", "code"), [(Refused("Insufficient funds"), RejectCode.REFUSED), (NotSent("cut"), RejectCode.NO_SESSION)]
)
async def test_a_refusal_is_rejected_in_the_brokers_words(floor: Floor, failure: Exception, code: RejectCode) -> None:
    floor.broker.failure = failure
    record = await floor.submit(await floor.intend())
    assert (record.state, record.code, record.reason) == (OrderState.REJECTED, code, str(failure))
    await heard(floor, "rejected")


async def test_a_closing_that_comes_before_the_answer_is_not_lost(floor: Floor) -> None:
    floor.broker.answer_when.clear()
    order_id = await floor.intend()
    answer = asyncio.create_task(floor.submit(order_id))
    await eventually(lambda: floor.broker.books)
    await floor.desk.position_changed(floor.broker.settle("8.20"))
    floor.broker.answer_when.set()
    await answer
    assert (await floor.record(order_id)).state is OrderState.CLOSED
    await heard(floor, "opened", "closed")


async def test_a_repeated_closing_is_one_event(floor: Floor) -> None:
    order_id = await floor.intend()
    await floor.submit(order_id)
    closed = floor.broker.settle("8.20")
    await asyncio.gather(*(floor.desk.position_changed(closed) for _ in range(3)))
    await floor.reconcile()
    await heard(floor, "opened", "closed")


async def test_a_closing_missed_while_offline_is_found_after_a_restart(floor: Floor) -> None:
    order_id = await floor.intend()
    await floor.submit(order_id)
    floor.broker.settle("-10")
    await floor.reconcile(floor.another_desk())
    assert (await floor.record(order_id)).state is OrderState.CLOSED
    await heard(floor, "opened", "closed")


async def test_after_a_restart_a_live_closing_reaches_its_order(floor: Floor) -> None:
    order_id = await floor.intend()
    await floor.submit(order_id)
    restarted = floor.another_desk()
    await floor.reconcile(restarted)
    await restarted.position_changed(floor.broker.settle("8.20"))
    assert (await floor.record(order_id)).state is OrderState.CLOSED


async def test_a_closing_counts_while_the_books_cannot_be_read(floor: Floor) -> None:
    order_id = await floor.intend()
    await floor.submit(order_id)
    restarted = floor.another_desk()
    floor.broker.unreadable = True
    with pytest.raises(BrokerUnavailable):
        await floor.reconcile(restarted)
    await restarted.position_changed(floor.broker.settle("8.20"))
    assert (await floor.record(order_id)).state is OrderState.CLOSED


async def test_an_operator_is_told_of_orders_whose_result_is_due_while_the_books_cannot_be_read(floor: Floor) -> None:
    order_id = await floor.intend()
    await floor.submit(order_id)
    floor.broker.unreadable = True
    async with alerts(floor) as told:
        for ahead in (69, 71, 72):
            floor.broker.ahead = timedelta(seconds=ahead)
            with pytest.raises(BrokerUnavailable):
                await floor.reconcile()
            assert (await floor.record(order_id)).state is OrderState.OPENED
        await eventually(lambda: told)
    assert [(alert.kind, alert.details["order_id"]) for alert in told] == [("order_overdue", order_id)]


async def test_trades_made_by_hand_are_ignored(floor: Floor) -> None:
    await floor.broker.buy(an_order(), DEMO.id, Offer(82))
    await floor.desk.position_changed(floor.broker.settle("8.20"))
    await floor.reconcile()
    await floor.bus.ready()
    assert floor.events == []


async def test_an_unknown_order_is_not_found(floor: Floor) -> None:
    with pytest.raises(RpcError) as raised:
        await floor.submit("01890a5d-0000-774b-bcce-000000000009")
    assert raised.value.code is ErrorCode.NOT_FOUND


async def test_what_pays_less_than_the_bot_insists_on_is_not_bought(floor: Floor) -> None:
    record = await floor.submit(await floor.intend(min_payout=83))
    assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.PAYOUT_TOO_LOW)
    assert "82 %" in record.reason
    assert floor.broker.sent == []
    await heard(floor, "rejected")


async def test_what_pays_exactly_the_minimum_is_bought_at_what_is_offered(floor: Floor) -> None:
    record = await floor.submit(await floor.intend(min_payout=82))
    assert (record.state, record.position and record.position.payout) == (OrderState.OPENED, 82)


@pytest.mark.parametrize(
    ("offered", "code"),
    [
        (NotOffered("closed"), RejectCode.REFUSED),
        (BrokerUnavailable("cut"), RejectCode.NO_SESSION),
        (Offer(82, closes_at=CLOCK.now()), RejectCode.EXPIRED),
    ],
)
async def test_what_is_not_on_offer_is_not_sent(floor: Floor, offered: Offer | Exception, code: RejectCode) -> None:
    floor.broker.offered = offered
    record = await floor.submit(await floor.intend())
    assert (record.state, record.code) == (OrderState.REJECTED, code)
    assert floor.broker.sent == []


async def test_a_result_that_never_comes_is_unknown_after_the_grace_and_not_before(floor: Floor) -> None:
    order_id = await floor.intend()
    await floor.submit(order_id)
    floor.broker.ahead = timedelta(seconds=69)
    await floor.reconcile()
    assert (await floor.record(order_id)).state is OrderState.OPENED
    floor.broker.ahead = timedelta(seconds=71)
    await floor.reconcile()
    record = await floor.record(order_id)
    assert (record.state, record.code) == (OrderState.UNKNOWN, RejectCode.UNDECIDED)
    await heard(floor, "opened", "unknown")


async def test_a_result_that_comes_after_it_was_given_up_counts_all_the_same(floor: Floor) -> None:
    order_id = await floor.intend()
    await floor.submit(order_id)
    floor.broker.ahead = timedelta(seconds=71)
    await floor.reconcile()
    await floor.desk.position_changed(floor.broker.settle("8.20"))
    record = await floor.record(order_id)
    assert (record.state, record.code) == (OrderState.CLOSED, "")
    await heard(floor, "opened", "unknown", "closed")


@pytest.mark.timeout(60)
async def test_a_result_that_could_not_be_stored_when_it_was_told_is_not_lost(
    floor: Floor, nats_server: NatsServer
) -> None:
    """Also of a position that no list shows (field-notes §C1)."""
    order_id = await floor.intend(option=OptionKind.DIGITAL, expiration=CLOCK.now() + timedelta(seconds=60))
    opened = await floor.submit(order_id)
    result = floor.broker.settle("8.20")
    floor.broker.books.clear()
    nats_server.freeze()
    with pytest.raises(BusError):
        await floor.desk.position_changed(result)
    nats_server.thaw()
    await floor.bus.ready()
    await floor.desk.reconcile([opened])
    assert (await floor.record(order_id)).state is OrderState.CLOSED
    await heard(floor, "opened", "closed")


@pytest.mark.timeout(60)
async def test_a_record_does_not_move_before_its_event_is_stored(floor: Floor, nats_server: NatsServer) -> None:
    """A crash between the two may repeat an event, and must not lose it."""
    admin = await nats.connect(nats_server.url, user=ADMIN, password=nats_server.passwords[ADMIN])
    await admin.jetstream().delete_stream(TRADES.name)
    await admin.close()
    order_id = await floor.intend()
    with pytest.raises(RpcError) as error:
        await floor.submit(order_id)
    assert error.value.code is ErrorCode.TIMEOUT
    assert (await floor.record(order_id)).state is OrderState.SENDING
    await floor.bus.ensure(TRADES)
    await floor.reconcile(floor.another_desk())
    assert (await floor.record(order_id)).state is OrderState.OPENED
    assert len(floor.broker.sent) == 1
