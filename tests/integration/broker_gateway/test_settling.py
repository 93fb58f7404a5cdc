"""Asking the broker for results that are missing."""

import asyncio

import pytest

from libs.bus import Bus
from libs.contracts.orders import OrderState
from libs.contracts.rpc import SETTLE, ErrorCode, OfUser, RpcError, Settled
from libs.contracts.subjects import session_rpc
from services.broker_gateway.records import Records
from tests.integration.broker_gateway.floor import Floor, heard
from tests.integration.broker_gateway.rig import Rig
from tests.integration.broker_gateway.test_faults import trading
from tests.messages import USER

ME = OfUser(user=USER)


async def settle(rig: Rig) -> Settled:
    return await rig.bus.call(SETTLE, ME, subject=session_rpc(USER, "settle"))


async def test_a_result_nobody_told_is_found_once(floor: Floor) -> None:
    assert await floor.desk.settle(ME) == Settled(total=0, closed=0)
    order_id = await floor.intend()
    await floor.submit(order_id)
    assert await floor.desk.settle(ME) == Settled(total=1, closed=0)
    floor.broker.settle("8.20")
    answers = await asyncio.gather(*(floor.desk.settle(ME) for _ in range(3)))
    assert Settled(total=1, closed=1) in answers
    assert (await floor.record(order_id)).state is OrderState.CLOSED
    assert await floor.desk.settle(ME) == Settled(total=0, closed=0)
    await heard(floor, "opened", "closed")


async def test_what_was_given_up_counts_when_the_broker_tells_it_in_the_end(floor: Floor, bus: Bus) -> None:
    order_id = await floor.intend()
    await floor.submit(order_id)
    await Records(USER, bus).give_up(order_id, OrderState.OPENED, "the books do not tell")
    assert await floor.desk.settle(ME) == Settled(total=1, closed=0)
    assert (await floor.record(order_id)).state is OrderState.UNKNOWN
    floor.broker.settle("-10")
    assert await floor.desk.settle(ME) == Settled(total=1, closed=1)
    await heard(floor, "opened", "unknown", "closed")


async def test_books_that_cannot_be_read_are_no_result(floor: Floor) -> None:
    order_id = await floor.intend()
    await floor.submit(order_id)
    floor.broker.unreadable = True
    with pytest.raises(RpcError) as raised:
        await floor.desk.settle(ME)
    assert raised.value.code is ErrorCode.BROKER_UNREACHABLE
    assert (await floor.record(order_id)).state is OrderState.OPENED


async def test_it_is_asked_of_whoever_holds_the_session(rig: Rig) -> None:
    await rig.start_gateway()
    with pytest.raises(RpcError) as raised:
        await settle(rig)
    assert raised.value.code is ErrorCode.UNAVAILABLE
    await trading(rig)
    order_id = await rig.intend()
    assert (await rig.submit(order_id)).state is OrderState.OPENED
    assert await settle(rig) == Settled(total=1, closed=0)
    await rig.becomes(order_id, OrderState.CLOSED)
    assert await settle(rig) == Settled(total=0, closed=0)
    assert rig.events[f"{order_id}.closed"] == 1
