"""Selling what an order bought: sent once, told as a closing; on a real bus and with a scripted broker."""

import asyncio

import pytest

from libs.contracts.orders import OrderRecord, OrderState
from libs.contracts.rpc import ErrorCode, RpcError, SellOrder
from services.broker_gateway.broker import (
    Refused,
    Unanswered,
)
from tests.integration.broker_gateway.floor import Floor, a_turbo, heard


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
