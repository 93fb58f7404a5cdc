import asyncio
from typing import Any

import pytest

from services.paper_broker.errors import Refused, Status
from services.paper_broker.faults import (
    MAX_ARMED,
    DelayReply,
    DropBeforeReply,
    DropConnections,
    DuplicateEvent,
    Faults,
    HideDigitalPosition,
    InsufficientFundsOnce,
    RefuseLogin,
    RejectOrder,
    ReorderEvents,
    SwallowEvent,
    SwallowReply,
    TooLate,
    WithholdResult,
)
from services.paper_broker.ticker import Ticker
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
    loop = asyncio.get_running_loop()
    faults.arm(DelayReply(user=USER, seconds=0.2))
    sent = loop.time()
    send(client, world)
    assert options(client) == []
    assert len(world.broker.positions.open(USER)) == 1
    while not (replies := options(client)):
        await asyncio.sleep(0.01)
    assert loop.time() >= sent + 0.2
    assert [reply["msg"]["act"] for reply in replies] == [76]


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
    assert len(faults.armed(USER)) == 3
    for _ in range(4):
        send(client, world)
    assert [frame["name"] for frame in client.received()] == ["error", "error", "option"]
    assert len(world.broker.positions.open(USER)) == 2
    assert faults.armed(USER) == []


async def test_faults_meet_nobody_else_and_can_be_forgotten(world: World, client: Client, faults: Faults) -> None:
    faults.arm(RejectOrder(user=OTHER_USER))
    faults.arm(RejectOrder(user=USER))
    faults.disarm(USER)
    send(client, world)
    assert len(options(client)) == 1
    assert len(faults.armed(OTHER_USER)) == 1


@pytest.mark.parametrize(
    ("fault", "status"),
    [(InsufficientFundsOnce(user=USER), Status.INSUFFICIENT_FUNDS), (TooLate(user=USER), Status.TOO_LATE)],
)
async def test_an_order_is_refused_for_a_reason_that_is_not_there(
    world: World, client: Client, faults: Faults, fault: InsufficientFundsOnce | TooLate, status: Status
) -> None:
    faults.arm(fault)
    send(client, world)
    assert [reply["status"] for reply in client.received("error")] == [status]
    assert world.broker.positions.all(USER) == []


def test_any_request_can_lose_its_reply(client: Client, faults: Faults) -> None:
    faults.arm(SwallowReply(user=USER, request="core.get-profile"))
    client.call("get-currency", "5.0", {"name": "USD"})
    client.send("sendMessage", {"name": "core.get-profile", "version": "1.0", "body": {}})
    assert client.received() == []
    assert client.call("core.get-profile", "1.0")["name"] == "profile"


def test_a_valid_session_id_can_be_refused(world: World, faults: Faults) -> None:
    ssid = world.broker.sessions.create(USER)
    faults.arm(RefuseLogin(user=USER, count=2))
    stranger = world.stranger()
    assert [stranger.ask("authenticate", {"ssid": ssid})["msg"] for _ in range(3)] == [False, False, True]


async def told(world: World, client: Client) -> list[tuple[str, str]]:
    """Name and status of the events of an option, from its purchase to its end."""
    client.subscribe("portfolio.position-changed", "3.0")
    client.subscribe("balances.balance-changed", "1.0")
    send(client, world)
    await asyncio.sleep(0.1)
    world.clock.advance(61)
    Ticker(world.broker).tick(world.broker.now() // 1000 * 1000)
    events = [each for each in client.received() if each["name"].endswith("-changed")]
    return [(each["name"], each["msg"].get("status", "")) for each in events]


HISTORY = ("portfolio.get-history-positions", "2.0")
OPENED, CLOSED, BALANCE = ("position-changed", "open"), ("position-changed", "closed"), ("balance-changed", "")


@pytest.mark.parametrize(
    ("fault", "events"),
    [
        (DuplicateEvent(user=USER), [OPENED, OPENED, BALANCE, CLOSED, BALANCE]),
        (DuplicateEvent(user=USER, event="balance-changed", count=2), [OPENED, *[BALANCE] * 2, CLOSED, *[BALANCE] * 2]),
        (ReorderEvents(user=USER), [BALANCE, CLOSED, OPENED, BALANCE]),
        (SwallowEvent(user=USER, count=2), [BALANCE, BALANCE]),
        (WithholdResult(user=USER), [OPENED, BALANCE]),
        (DuplicateEvent(user=OTHER_USER), [OPENED, BALANCE, CLOSED, BALANCE]),
    ],
)
async def test_events_come_twice_late_or_never(
    world: World, client: Client, faults: Faults, fault: DuplicateEvent, events: list[tuple[str, str]]
) -> None:
    faults.arm(fault)
    assert await told(world, client) == events
    for balance in world.broker.accounts.balances(USER):
        assert balance.amount == world.broker.ledger.total(balance.id)


async def test_an_event_that_nothing_overtakes_comes_by_itself(world: World, client: Client, faults: Faults) -> None:
    client.subscribe("portfolio.position-changed", "3.0")
    faults.arm(ReorderEvents(user=USER, seconds=0.01))
    send(client, world)
    await asyncio.sleep(0.2)
    assert len(client.received("position-changed")) == 1


async def test_history_may_tell_a_withheld_result_late(world: World, client: Client, faults: Faults) -> None:
    faults.arm(WithholdResult(user=USER, seconds=30))
    await told(world, client)
    query = {"instrument_types": ["blitz-option"]}
    (position,) = world.broker.positions.all(USER)
    assert position.closing is not None
    assert client.call(*HISTORY, query)["msg"]["positions"] == []
    assert client.call("portfolio.get-positions", "4.0", query)["msg"]["positions"] == []
    world.clock.advance(30)
    assert len(client.call(*HISTORY, query)["msg"]["positions"]) == 1


async def test_what_is_withheld_shortens_no_page_of_history(world: World, client: Client, faults: Faults) -> None:
    """A client takes a page that is shorter than its limit for the last one."""
    shown = []
    for number in range(6):
        if number in (1, 4):
            faults.arm(WithholdResult(user=USER, seconds=600))
        await told(world, client)
        if number not in (1, 4):
            shown.append(world.broker.positions.all(USER)[-1].external_id)
    query = {"instrument_types": ["blitz-option"], "limit": 2}
    pages = [
        [position["external_id"] for position in client.call(*HISTORY, query | {"offset": offset})["msg"]["positions"]]
        for offset in (0, 2, 4)
    ]
    assert pages == [shown[:1:-1], shown[1::-1], []]


def test_a_hidden_position_is_in_no_list_for_a_while(world: World, client: Client, faults: Faults) -> None:
    position = world.broker.options.buy(USER, world.order(expiration_size=60))
    query = {"instrument_types": ["blitz-option"]}
    faults.arm(HideDigitalPosition(user=USER, seconds=20))
    faults.opened_digital(position)
    assert client.call("portfolio.get-positions", "4.0", query)["msg"]["positions"] == []
    world.clock.advance(20)
    assert len(client.call("portfolio.get-positions", "4.0", query)["msg"]["positions"]) == 1


def test_a_drop_that_was_forgotten_is_not_due(faults: Faults) -> None:
    fault = DropConnections(user=USER, seconds=5)
    faults.arm(fault)
    assert faults.due(fault)
    assert not faults.due(fault)
    faults.arm(fault)
    faults.disarm(USER)
    assert not faults.due(fault)


def test_no_more_are_armed_than_can_be_kept(faults: Faults) -> None:
    faults.arm(SwallowReply(user=USER, count=MAX_ARMED - 1))
    with pytest.raises(Refused):
        faults.arm(SwallowReply(user=USER, count=2))
    faults.arm(SwallowReply(user=USER))
    faults.arm(SwallowReply(user=OTHER_USER))
    assert len(faults.armed(USER)) == MAX_ARMED
