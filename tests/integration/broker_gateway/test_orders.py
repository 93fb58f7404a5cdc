"""The fate of orders, on a real bus. The broker's side of the port is scripted: what it answers, and what it books."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import ALERTS, ORDERS, TRADES
from libs.contracts.account import AccountType, Balance, Balances
from libs.contracts.clock import SystemClock
from libs.contracts.orders import OptionKind, Order, OrderRecord, OrderState, Position, RejectCode, Settlement
from libs.contracts.rpc import ErrorCode, RpcError, SellOrder, SubmitOrder
from services.broker_gateway.broker import (
    BrokerPosition,
    BrokerUnavailable,
    NotOffered,
    NotSent,
    Offer,
    Refused,
    Unanswered,
)
from services.broker_gateway.orders import OrderDesk
from services.broker_gateway.records import Records
from tests.integration.nats_server import eventually
from tests.messages import USER, a_position, an_order

CLOCK = SystemClock()
DEMO = Balance(id=900004, type=AccountType.DEMO, amount=Decimal(10000), currency="USD")


class Held:
    held = True


class ScriptedBroker:
    """Books what it is sent; may lose the answer, refuse, or be slow to answer."""

    def __init__(self) -> None:
        self.sent: list[Order] = []
        self.books: list[BrokerPosition] = []
        self.offered: Offer | Exception = Offer(payout=82)
        self.sales: list[int] = []
        self.sale_failure: Exception | None = None
        self.ahead = timedelta(0)
        """How far its clock is ahead of ours."""
        self.failure: Exception | None = None
        self.books_failures = True
        self.answer_when = asyncio.Event()
        self.answer_when.set()

    def now(self) -> datetime:
        return CLOCK.now() + self.ahead

    async def offer(self, order: Order) -> Offer:
        if isinstance(self.offered, Exception):
            raise self.offered
        return self.offered

    async def sell(self, position_id: int) -> None:
        self.sales.append(position_id)
        if self.sale_failure is not None:
            raise self.sale_failure

    async def buy(self, order: Order, balance_id: int, payout: int) -> Position:
        self.sent.append(order)
        if isinstance(self.failure, NotSent | Refused) or (self.failure and not self.books_failures):
            raise self.failure
        opened = self.now()
        position = a_position(
            position_id=1000 + len(self.sent),
            balance_id=balance_id,
            opened_at=opened,
            expiry=order.expiration or opened + timedelta(seconds=order.duration),
            payout=payout,
        )
        booked = BrokerPosition(position, order.active_id, order.direction, order.stake, None, order.option)
        self.books.append(booked)
        await self.answer_when.wait()
        if self.failure:
            raise self.failure
        return position

    async def positions(self, since: datetime) -> list[BrokerPosition]:
        return [booked for booked in self.books if booked.position.opened_at >= since]

    def settle(self, profit: str, *, sold: bool = False) -> BrokerPosition:
        """Close the last position."""
        settlement = Settlement(closed_at=self.now(), close_quote=1.1, profit=Decimal(profit), sold=sold)
        self.books[-1] = replace(self.books[-1], settlement=settlement)
        return self.books[-1]


class Floor:
    """A user's desk with everything around it, and what everybody else hears of it."""

    def __init__(self, bus: Bus, broker: ScriptedBroker) -> None:
        self.bus = bus
        self.broker = broker
        self.orders = bus.bucket(ORDERS)
        self.right = Held()
        self.balances: Balances | None = Balances(user=USER, at=CLOCK.now(), balances=(DEMO,))
        self.events: list[str] = []
        self.grace = timedelta(seconds=60)
        self.desk = self.another_desk()

    def another_desk(self) -> OrderDesk:
        """As after a restart, or in another gateway."""
        records = Records(USER, self.bus)
        return OrderDesk(records, self.broker, self.right, lambda: self.balances, CLOCK, self.grace)

    async def intend(self, **changes: Any) -> str:
        at = CLOCK.now()
        order = an_order(**({"at": at, "expires_at": at + timedelta(seconds=5)} | changes))
        await self.orders.create(f"{USER}.{order.order_id}", OrderRecord(order=order, updated_at=at))
        return order.order_id

    async def record(self, order_id: str) -> OrderRecord:
        entry = await self.orders.get(f"{USER}.{order_id}", OrderRecord)
        assert entry is not None
        return entry.value

    async def reconcile(self, desk: OrderDesk | None = None) -> None:
        entries = await self.orders.entries(f"{USER}.*", OrderRecord)
        await (desk or self.desk).reconcile([entry.value for entry in entries if not entry.value.state.final])

    async def submit(self, order_id: str, desk: OrderDesk | None = None) -> OrderRecord:
        return await (desk or self.desk).submit(SubmitOrder(order_id=order_id))


@pytest.fixture
async def floor(bus: Bus) -> AsyncIterator[Floor]:
    floor = Floor(bus, ScriptedBroker())

    async def hear(batch: list[Delivery]) -> None:
        floor.events += [delivery.subject.rsplit(".", 1)[1] for delivery in batch]

    consumption = await bus.consume(Consumer(TRADES.name, "everybody"), hear)
    yield floor
    await consumption.stop()


async def heard(floor: Floor, *events: str) -> None:
    await eventually(lambda: len(floor.events) >= len(events))
    await floor.bus.ready()
    assert floor.events == list(events)


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


async def test_an_unanswered_order_that_was_booked_is_found_and_never_sent_again(floor: Floor) -> None:
    floor.broker.failure = Unanswered("connection lost")
    order_id = await floor.intend()
    assert (await floor.submit(order_id)).state is OrderState.SENDING
    assert (await floor.submit(order_id)).state is OrderState.SENDING
    await floor.reconcile(floor.another_desk())
    record = await floor.record(order_id)
    assert (record.state, record.position and record.position.position_id) == (OrderState.OPENED, 1001)
    assert len(floor.broker.sent) == 1
    await heard(floor, "opened")


async def test_an_unanswered_order_that_closed_meanwhile_is_opened_and_closed(floor: Floor) -> None:
    floor.broker.failure = Unanswered("connection lost")
    order_id = await floor.intend()
    await floor.submit(order_id)
    floor.broker.settle("-10")
    await floor.reconcile()
    assert (await floor.record(order_id)).state is OrderState.CLOSED
    await heard(floor, "opened", "closed")


async def test_an_unanswered_order_that_was_not_booked_waits_and_is_then_rejected(floor: Floor) -> None:
    floor.broker.failure, floor.broker.books_failures = Unanswered("connection lost"), False
    order_id = await floor.intend(expires_at=CLOCK.now() + timedelta(seconds=0.2))
    await floor.submit(order_id)
    await floor.reconcile()
    assert (await floor.record(order_id)).state is OrderState.SENDING
    floor.grace = timedelta(0)
    impatient = floor.another_desk()

    async def rejected() -> bool:
        await floor.reconcile(impatient)
        return (await floor.record(order_id)).state is OrderState.REJECTED

    async with asyncio.timeout(5):
        while not await rejected():
            await asyncio.sleep(0.05)
    assert (await floor.record(order_id)).code == RejectCode.NOT_BOOKED
    await heard(floor, "rejected")


async def test_when_two_positions_could_be_it_the_outcome_is_unknown_and_an_operator_is_told(floor: Floor) -> None:
    alerts: list[str] = []

    async def alarm(batch: list[Delivery]) -> None:
        alerts.extend(delivery.subject for delivery in batch)

    consumption = await floor.bus.consume(Consumer(ALERTS.name, "operator"), alarm)
    floor.broker.failure = Unanswered("connection lost")
    order_id = await floor.intend()
    await floor.submit(order_id)
    twin = floor.broker.books[0]
    floor.broker.books.append(
        BrokerPosition(
            a_position(
                position_id=4711,
                balance_id=DEMO.id,
                opened_at=twin.position.opened_at,
                expiry=twin.position.expiry,
            ),
            twin.active_id,
            twin.direction,
            twin.stake,
            None,
        )
    )
    await floor.reconcile()
    record = await floor.record(order_id)
    assert (record.state, record.code) == (OrderState.UNKNOWN, RejectCode.UNDECIDED)
    await eventually(lambda: alerts)
    await consumption.stop()
    assert alerts == ["alert.critical"]
    await heard(floor, "unknown")


async def test_positions_of_earlier_orders_are_not_taken_for_this_one(floor: Floor) -> None:
    first = await floor.intend(order_id="01890a5d-0000-774b-bcce-000000000001")
    await floor.submit(first)
    floor.broker.failure, floor.broker.books_failures = Unanswered("connection lost"), False
    second = await floor.intend(order_id="01890a5d-0000-774b-bcce-000000000002")
    await floor.submit(second)
    await floor.reconcile()
    assert (await floor.record(second)).state is OrderState.SENDING


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


async def test_an_order_in_hand_is_not_judged_by_its_own_gateway(floor: Floor) -> None:
    floor.broker.answer_when.clear()
    order_id = await floor.intend()
    answer = asyncio.create_task(floor.submit(order_id))
    await eventually(lambda: floor.broker.books)
    await floor.reconcile()
    assert (await floor.record(order_id)).state is OrderState.SENDING
    floor.broker.answer_when.set()
    assert (await answer).state is OrderState.OPENED


async def test_trades_made_by_hand_are_ignored(floor: Floor) -> None:
    await floor.broker.buy(an_order(), DEMO.id, 82)
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


async def a_turbo(floor: Floor) -> str:
    expiration = floor.broker.now() + timedelta(seconds=60)
    return await floor.intend(option=OptionKind.TURBO, expiration=expiration)


async def sell(floor: Floor, order_id: str) -> OrderRecord:
    return await floor.desk.sell(SellOrder(order_id=order_id))


async def test_a_sale_is_sent_once_and_its_outcome_is_a_closing(floor: Floor) -> None:
    order_id = await a_turbo(floor)
    await floor.submit(order_id)
    await asyncio.gather(*(sell(floor, order_id) for _ in range(3)))
    assert floor.broker.sales == [1001]
    await floor.desk.position_changed(floor.broker.settle("-1.50", sold=True))
    record = await sell(floor, order_id)
    assert record.state is OrderState.CLOSED
    assert record.settlement is not None
    assert record.settlement.sold
    assert floor.broker.sales == [1001]
    await heard(floor, "opened", "closed")


async def test_a_blitz_option_cannot_be_sold(floor: Floor) -> None:
    order_id = await floor.intend()
    await floor.submit(order_id)
    with pytest.raises(RpcError) as raised:
        await sell(floor, order_id)
    assert raised.value.code is ErrorCode.NOT_SELLABLE
    assert floor.broker.sales == []


async def test_what_is_not_open_cannot_be_sold(floor: Floor) -> None:
    order_id = await a_turbo(floor)
    with pytest.raises(RpcError) as raised:
        await sell(floor, order_id)
    assert raised.value.code is ErrorCode.NOT_OPEN


async def test_a_sale_that_was_refused_may_be_asked_for_again(floor: Floor) -> None:
    order_id = await a_turbo(floor)
    await floor.submit(order_id)
    floor.broker.sale_failure = Refused("too late")
    for _ in range(2):
        with pytest.raises(RpcError) as raised:
            await sell(floor, order_id)
        assert raised.value.code is ErrorCode.BROKER_REFUSED
    assert floor.broker.sales == [1001, 1001]


async def test_a_sale_whose_answer_is_lost_is_not_sent_again(floor: Floor) -> None:
    order_id = await a_turbo(floor)
    await floor.submit(order_id)
    floor.broker.sale_failure = Unanswered("cut")
    with pytest.raises(RpcError) as raised:
        await sell(floor, order_id)
    assert raised.value.code is ErrorCode.TIMEOUT
    assert (await sell(floor, order_id)).state is OrderState.OPENED
    assert floor.broker.sales == [1001]


async def test_an_unanswered_order_is_found_by_its_expiration(floor: Floor) -> None:
    floor.broker.failure = Unanswered("cut")
    order_id = await a_turbo(floor)
    await floor.submit(order_id)
    await floor.reconcile()
    assert (await floor.record(order_id)).state is OrderState.OPENED


async def test_an_unanswered_order_is_found_though_the_brokers_clock_is_ahead(floor: Floor) -> None:
    floor.broker.ahead = timedelta(hours=3)
    floor.broker.failure = Unanswered("cut")
    order_id = await floor.intend()
    await floor.submit(order_id)
    await floor.reconcile()
    assert (await floor.record(order_id)).state is OrderState.OPENED


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
