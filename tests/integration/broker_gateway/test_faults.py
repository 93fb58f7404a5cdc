"""What a gateway, a broker and a network do at the worst moment: one position, one opening, one closing."""

import asyncio

import pytest

from libs.bus.topology import CATALOGUE
from libs.contracts.account import SessionState
from libs.contracts.market import Catalogue
from libs.contracts.orders import OrderState, RejectCode
from libs.contracts.rpc import RpcError
from tests.integration.broker_gateway.rig import BROKER_USER, Rig, until
from tests.integration.nats_server import eventually

pytestmark = pytest.mark.takes(58)


async def trading(rig: Rig) -> None:
    """The user is connected and the broker's catalogue is known."""

    async def known() -> bool:
        return await rig.bus.bucket(CATALOGUE).get("actives", Catalogue) is not None

    await until(known)
    await rig.connect()


async def exactly_once(rig: Rig, order_id: str) -> None:
    """The broker booked one position, and everybody heard of one opening and one closing."""
    await rig.becomes(order_id, OrderState.CLOSED, timeout=40)
    await eventually(lambda: len(rig.events) == 2)
    assert rig.events == {f"{order_id}.opened": 1, f"{order_id}.closed": 1}
    booked = await rig.broker_positions()
    assert len(booked) == 1
    assert rig.closings[order_id].position.position_id == booked[0]["external_id"]


async def test_a_gateway_killed_with_an_order_in_flight_sends_it_once(rig: Rig) -> None:
    gateway = await rig.start_gateway()
    await trading(rig)
    await rig.broker.fault("delay-reply", BROKER_USER, seconds=30)
    order_id = await rig.intend()
    answer = asyncio.create_task(rig.submit(order_id, timeout=3))

    async def booked() -> bool:
        return len(await rig.broker_positions()) == 1

    await until(booked)
    assert (await rig.record(order_id)).state is OrderState.SENDING
    await gateway.kill()
    with pytest.raises(RpcError):
        await answer
    await rig.start_gateway()
    await exactly_once(rig, order_id)


async def test_a_gateway_killed_with_a_position_open_settles_it_after_its_return(rig: Rig) -> None:
    gateway = await rig.start_gateway()
    await trading(rig)
    order_id = await rig.intend()
    await rig.submit(order_id)
    await gateway.kill()

    async def settled() -> bool:
        return bool((await rig.broker_positions())[0]["status"] == "closed")

    await until(settled)
    await rig.start_gateway()
    await exactly_once(rig, order_id)


async def test_a_connection_cut_after_booking_and_before_the_reply(rig: Rig) -> None:
    await rig.start_gateway()
    await trading(rig)
    await rig.broker.fault("drop-before-reply", BROKER_USER)
    order_id = await rig.intend()
    record = await rig.submit(order_id)
    assert record.state in (OrderState.SENDING, OrderState.OPENED)
    await exactly_once(rig, order_id)


async def test_a_reply_that_never_comes(rig: Rig) -> None:
    await rig.start_gateway()
    await trading(rig)
    await rig.broker.fault("swallow-reply", BROKER_USER)
    order_id = await rig.intend()
    answer = asyncio.create_task(rig.submit(order_id, timeout=20))
    await exactly_once(rig, order_id)
    await answer


async def test_a_broker_that_dies_with_a_position_open(rig: Rig) -> None:
    await rig.start_gateway()
    await trading(rig)
    order_id = await rig.intend()
    await rig.submit(order_id)
    await rig.broker.restart()
    await exactly_once(rig, order_id)


async def test_a_session_the_broker_ends_is_renewed_by_itself(rig: Rig) -> None:
    await rig.start_gateway()
    await trading(rig)
    await rig.broker.fault("expire-session", BROKER_USER)

    async def trades_again() -> bool:
        try:
            record = await rig.submit(await rig.intend())
        except RpcError:
            return False
        return record.state is OrderState.OPENED

    await until(trades_again)
    assert await rig.session() is SessionState.CONNECTED


async def test_a_frozen_gateway_that_wakes_up_sends_nothing(rig: Rig) -> None:
    first = await rig.start_gateway()
    await trading(rig)
    first.pause()
    order_id = await rig.intend()
    waiting = asyncio.create_task(rig.submit(order_id, timeout=2))
    with pytest.raises(RpcError):
        await waiting
    await rig.start_gateway()

    async def taken_over() -> bool:
        late = await rig.record(order_id)
        return late.state is OrderState.REJECTED

    await until(taken_over, timeout=30)
    first.resume()
    replacement = await rig.intend()

    async def opened() -> bool:
        try:
            return (await rig.submit(replacement)).state in (OrderState.OPENED, OrderState.CLOSED)
        except RpcError:
            return False

    try:
        await until(opened, timeout=4)
    except TimeoutError:
        replacement = await rig.intend()
        await until(opened, timeout=4)
    booked = await rig.broker_positions()
    assert len(booked) == 1, "the order of before the freeze was never sent"
    assert (await rig.record(order_id)).code == RejectCode.EXPIRED


async def test_two_gateways_hold_one_session_between_them(rig: Rig) -> None:
    gateways = [await rig.start_gateway(), await rig.start_gateway()]
    await trading(rig)
    order_id = await rig.intend()
    await asyncio.gather(*(rig.submit(order_id) for _ in range(5)))
    assert len(await rig.broker_positions()) == 1
    await gateways[0].kill()
    another = await rig.intend()

    async def opened() -> bool:
        nonlocal another
        try:
            record = await rig.submit(another)
        except RpcError:
            return False
        if record.state is OrderState.REJECTED:
            another = await rig.intend()
        return record.state in (OrderState.OPENED, OrderState.CLOSED)

    await until(opened, timeout=20)
    assert len(await rig.broker_positions()) == 2
