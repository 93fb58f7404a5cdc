"""Orders that were sent and not answered: found in the books, never sent again, and not mixed up with each other."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import msgspec
import nats
import pytest

from libs.bus import BusError
from libs.bus.permissions import ADMIN
from libs.bus.topology import ALERTS
from libs.contracts.orders import OrderState, RejectCode
from services.broker_gateway.broker import Offer, Unanswered
from services.broker_gateway.records import Records
from tests.integration.broker_gateway.floor import CLOCK, DEMO, Floor, a_turbo, alerts, heard
from tests.integration.nats_server import NatsServer, eventually
from tests.messages import USER, an_order

SECOND = "01890a5d-0000-774b-bcce-0000000000aa"


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
    order_id = await ambiguous(floor)
    async with alerts(floor) as told:
        await floor.reconcile()
        record = await floor.record(order_id)
        assert (record.state, record.code) == (OrderState.UNKNOWN, RejectCode.UNDECIDED)
        await eventually(lambda: told)
    assert [(alert.severity, alert.kind) for alert in told] == [("critical", "order_unknown")]
    await heard(floor, "unknown")


async def test_an_alert_that_cannot_be_stored_is_told_later(floor: Floor, nats_server: NatsServer) -> None:
    order_id = await ambiguous(floor)
    admin = await nats.connect(nats_server.url, user=ADMIN, password=nats_server.passwords[ADMIN])
    await admin.jetstream().delete_stream(ALERTS.name)
    await admin.close()
    with pytest.raises(BusError):
        await floor.reconcile()
    assert (await floor.record(order_id)).state is OrderState.SENDING
    await floor.bus.ensure(ALERTS)
    async with alerts(floor) as told:
        await floor.reconcile(floor.another_desk())
        await eventually(lambda: told)
    assert (await floor.record(order_id)).state is OrderState.UNKNOWN
    await heard(floor, "unknown")


async def ambiguous(floor: Floor) -> str:
    """An unanswered order that could be either of two positions."""
    floor.broker.failure = Unanswered("connection lost")
    order_id = await floor.intend()
    await floor.submit(order_id)
    twin = floor.broker.books[0]
    floor.broker.books.append(replace(twin, position=msgspec.structs.replace(twin.position, position_id=4711)))
    return order_id


async def test_positions_of_earlier_orders_are_not_taken_for_this_one(floor: Floor) -> None:
    first = await floor.intend(order_id="01890a5d-0000-774b-bcce-000000000001")
    await floor.submit(first)
    floor.broker.failure, floor.broker.books_failures = Unanswered("connection lost"), False
    second = await floor.intend(order_id="01890a5d-0000-774b-bcce-000000000002")
    await floor.submit(second)
    await floor.reconcile()
    assert (await floor.record(second)).state is OrderState.SENDING


async def test_an_order_in_hand_is_not_judged_by_its_own_gateway(floor: Floor) -> None:
    floor.broker.answer_when.clear()
    order_id = await floor.intend()
    answer = asyncio.create_task(floor.submit(order_id))
    await eventually(lambda: floor.broker.books)
    await floor.reconcile()
    assert (await floor.record(order_id)).state is OrderState.SENDING
    floor.broker.answer_when.set()
    assert (await answer).state is OrderState.OPENED


async def test_an_order_in_hand_stays_so_when_it_is_submitted_again(floor: Floor) -> None:
    """Or its position would be taken for that of another unanswered order that is like it."""
    lost = await unbooked(floor)
    floor.broker.answer_when.clear()
    order_id = await floor.intend(order_id=SECOND)
    answer = asyncio.create_task(floor.submit(order_id))
    await eventually(lambda: floor.broker.books)
    assert (await floor.submit(order_id)).state is OrderState.SENDING
    await floor.reconcile()
    floor.broker.answer_when.set()
    assert (await answer).state is OrderState.OPENED
    assert (await floor.record(lost)).state is OrderState.SENDING


async def test_an_answer_after_the_take_over_does_not_open_a_position_twice(floor: Floor) -> None:
    lost = await unbooked(floor)
    floor.broker.answer_when.clear()
    order_id = await floor.intend(order_id=SECOND)
    answer = asyncio.create_task(floor.submit(order_id))
    await eventually(lambda: floor.broker.books)
    floor.right.held = False
    successor = floor.another_desk()
    await successor.reconcile([await floor.record(lost)])
    assert (await floor.record(lost)).state is OrderState.OPENED
    floor.broker.answer_when.set()
    assert (await answer).position is None
    await successor.position_changed(floor.broker.settle("8.20"))
    await heard(floor, "opened", "closed")


async def unbooked(floor: Floor) -> str:
    """An order that was sent, not answered and not booked."""
    floor.broker.failure, floor.broker.books_failures = Unanswered("connection lost"), False
    order_id = await floor.intend()
    await floor.submit(order_id)
    floor.broker.failure = None
    return order_id


async def test_what_was_claimed_and_never_sent_is_given_nobodys_position(floor: Floor) -> None:
    """The process died between the claim without a balance and the rejection."""
    order_id = await floor.intend()
    records = Records(USER, floor.bus)
    assert await records.claim(await records.read(order_id), None, floor.broker.now()) is not None
    await floor.broker.buy(an_order(), DEMO.id, Offer(82))
    await floor.reconcile()
    record = await floor.record(order_id)
    assert (record.state, record.position) == (OrderState.REJECTED, None)


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
