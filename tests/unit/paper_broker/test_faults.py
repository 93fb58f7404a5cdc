import asyncio
from typing import Any

import pytest

from services.paper_broker.faults import DelayReply, DropBeforeReply, Faults, RejectOrder, SwallowReply
from tests.unit.paper_broker.world import OTHER_USER, USER, Client, Frame, World


def order(world: World) -> Frame:
    return {
        "active_id": 76, "direction": "call", "expiration_size": 60, "option_type_id": 12, "price": 10,
        "user_balance_id": world.balance().id,
    }  # fmt: skip


def send(client: Client, world: World) -> None:
    """An order, without waiting for its reply."""
    frame = {"name": "binary-options.open-option", "version": "2.0", "body": order(world)}
    client.send("sendMessage", frame)


def options(client: Client) -> list[Any]:
    return client.received("option")


@pytest.fixture
def faults(world: World) -> Faults:
    return world.broker.faults


async def test_a_delayed_reply_comes_late_and_the_position_is_there_at_once(
    world: World, client: Client, faults: Faults
) -> None:
    faults.arm(DelayReply(user=USER, seconds=0.2))
    send(client, world)
    assert options(client) == []
    assert len(world.broker.positions.open(USER)) == 1
    await asyncio.sleep(0.1)
    assert options(client) == []
    await asyncio.sleep(0.2)
    assert [reply["msg"]["act"] for reply in options(client)] == [76]


async def test_the_events_of_a_delayed_order_do_not_wait_for_the_reply(
    world: World, client: Client, faults: Faults
) -> None:
    client.subscribe("portfolio.position-changed", "3.0")
    faults.arm(DelayReply(user=USER, seconds=60))
    send(client, world)
    await asyncio.sleep(0.1)
    assert [frame["name"] for frame in client.received()] == ["position-changed"]


async def test_a_swallowed_reply_never_comes_and_the_order_is_booked(
    world: World, client: Client, faults: Faults
) -> None:
    faults.arm(SwallowReply(user=USER))
    send(client, world)
    await asyncio.sleep(0.1)
    assert options(client) == []
    assert len(world.broker.positions.open(USER)) == 1


async def test_a_connection_can_end_between_booking_and_reply(world: World, client: Client, faults: Faults) -> None:
    other = world.client(OTHER_USER)
    faults.arm(DropBeforeReply(user=USER))
    send(client, world)
    assert client.aborted
    assert not other.aborted
    assert options(client) == []
    assert len(world.broker.positions.open(USER)) == 1


async def test_a_rejected_order_is_not_booked(world: World, client: Client, faults: Faults) -> None:
    faults.arm(RejectOrder(user=USER, status=4117, message="Not today."))
    send(client, world)
    (reply,) = client.received("error")
    assert (reply["status"], reply["msg"]) == (4117, {"message": "Not today."})
    assert world.broker.positions.all(USER) == []


async def test_a_fault_meets_as_many_orders_as_it_counts_then_the_next_one(
    world: World, client: Client, faults: Faults
) -> None:
    faults.arm(RejectOrder(user=USER, count=2))
    faults.arm(SwallowReply(user=USER))
    assert faults.armed(USER) == 3
    for _ in range(4):
        send(client, world)
    assert [frame["name"] for frame in client.received()] == ["error", "error", "option"]
    assert len(world.broker.positions.open(USER)) == 2
    assert faults.armed(USER) == 0


async def test_faults_meet_nobody_else_and_can_be_forgotten(world: World, client: Client, faults: Faults) -> None:
    faults.arm(RejectOrder(user=OTHER_USER))
    faults.arm(RejectOrder(user=USER))
    faults.disarm(USER)
    send(client, world)
    assert len(options(client)) == 1
    assert faults.armed(OTHER_USER) == 1
