"""A fresh session on request: another session id, another connection, and the same orders."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from libs.bus.topology import CATALOGUE
from libs.contracts import rpc
from libs.contracts.account import SessionState, SessionStatus
from libs.contracts.market import Catalogue
from libs.contracts.orders import OrderState
from libs.contracts.rpc import ErrorCode, OfUser, RpcError
from services.paper_broker.faults import ExpireSession
from tests.integration.broker_gateway.rig import BROKER_USER, SYSTEM_USER, Rig, until
from tests.integration.broker_gateway.session_api import SessionApi
from tests.integration.broker_gateway.test_renewal import issued
from tests.integration.nats_server import eventually
from tests.messages import OTHER_USER, USER

pytestmark = pytest.mark.takes(60)

ONE_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
FRESH = (SessionState.CONNECTING, "a fresh session was asked for")


@pytest.fixture
async def told(rig: Rig) -> AsyncIterator[list[tuple[SessionState, str]]]:
    """State and reason, as bots and browsers hear them."""
    told: list[tuple[SessionState, str]] = []

    async def hear(_: str, status: SessionStatus) -> None:
        told.append((status.state, status.reason))

    subscription = await rig.bus.subscribe(f"account.{USER}.session", SessionStatus, hear)
    yield told
    await subscription.stop()


async def trading(rig: Rig) -> None:
    """The user is connected and the broker's catalogue is known."""

    async def known() -> bool:
        return await rig.bus.bucket(CATALOGUE).get("actives", Catalogue) is not None

    await until(known)
    await rig.connect()


async def exactly_once(rig: Rig, order_id: str) -> None:
    """The broker booked one position, and everybody heard of one opening and one closing."""
    await rig.becomes(order_id, OrderState.CLOSED, timeout=30)
    await eventually(lambda: len(rig.events) == 2)
    assert rig.events == {f"{order_id}.opened": 1, f"{order_id}.closed": 1}
    assert len(await rig.broker_positions()) == 1


async def test_reconnecting_takes_another_id_over_another_connection(
    rig: Rig, told: list[tuple[SessionState, str]]
) -> None:
    gateway = await rig.start_gateway()
    first, second = await rig.connect(), await rig.reconnect()
    assert second.status.state is SessionState.CONNECTED
    assert second.status.request > first.status.request
    assert second.balances is not None
    assert len(issued(gateway)) == 2
    assert FRESH in told
    assert told[-1] == (SessionState.CONNECTED, "")


async def test_what_is_open_is_settled_once(rig: Rig) -> None:
    await rig.start_gateway()
    await trading(rig)
    order_id = await rig.intend()
    assert (await rig.submit(order_id)).state is OrderState.OPENED
    await rig.reconnect()
    assert (await rig.record(order_id)).state is OrderState.OPENED
    await exactly_once(rig, order_id)


async def test_an_order_that_is_being_sent_is_answered_first(rig: Rig) -> None:
    gateway = await rig.start_gateway()
    await trading(rig)
    await rig.broker.fault("delay-reply", BROKER_USER, seconds=2, request="binary-options.open-option")
    order_id = await rig.intend()
    answer = asyncio.create_task(rig.submit(order_id))

    async def booked() -> bool:
        return len(await rig.broker_positions()) == 1

    await until(booked)
    report = await rig.reconnect()
    assert (await answer).state is OrderState.OPENED
    assert report.status.state is SessionState.CONNECTED
    assert gateway.logged("order_outcome_unknown") == []
    await exactly_once(rig, order_id)


async def test_an_answer_that_never_comes_keeps_nobody_from_it(rig: Rig) -> None:
    await rig.start_gateway()
    await trading(rig)
    await rig.broker.fault("swallow-reply", BROKER_USER, request="binary-options.open-option")
    order_id = await rig.intend()
    answer = asyncio.create_task(rig.submit(order_id))

    async def booked() -> bool:
        return len(await rig.broker_positions()) == 1

    await until(booked)
    assert (await rig.reconnect()).status.state is SessionState.CONNECTED
    answer.cancel()
    await exactly_once(rig, order_id)


async def test_trading_goes_on_afterwards(rig: Rig) -> None:
    await rig.start_gateway()
    await trading(rig)
    await rig.reconnect()
    order_id = await rig.intend()
    await rig.submit(order_id)
    await exactly_once(rig, order_id)


async def test_several_at_once_are_one(rig: Rig, told: list[tuple[SessionState, str]]) -> None:
    gateway = await rig.start_gateway()
    await rig.connect()
    reports = await asyncio.gather(*(rig.reconnect() for _ in range(4)))
    assert {report.status.state for report in reports} == {SessionState.CONNECTED}
    assert len(issued(gateway)) == 2
    assert told.count(FRESH) == 1


async def test_who_is_not_connected_is_afterwards(rig: Rig) -> None:
    await rig.start_gateway()
    assert (await rig.reconnect()).status.state is SessionState.CONNECTED
    await rig.bus.call(rpc.DISCONNECT, OfUser(user=USER))
    assert (await rig.reconnect()).status.state is SessionState.CONNECTED


async def test_a_session_that_was_given_up_comes_back(rig: Rig, api: SessionApi) -> None:
    await rig.start_gateway()
    await rig.connect()
    api.refused = {BROKER_USER}
    await rig.broker.inject(ExpireSession(user=BROKER_USER))

    async def failed() -> bool:
        return await rig.session() is SessionState.FAILED

    await until(failed)
    api.refused = set()
    assert (await rig.reconnect()).status.state is SessionState.CONNECTED


@pytest.mark.parametrize(
    ("fault", "code"), [(404, ErrorCode.BROKER_REFUSED), (503, ErrorCode.BROKER_UNREACHABLE)], ids=["refused", "down"]
)
async def test_without_a_fresh_id_the_session_stays(
    rig: Rig, api: SessionApi, told: list[tuple[SessionState, str]], fault: int, code: ErrorCode
) -> None:
    await rig.start_gateway()
    await trading(rig)
    api.refused, api.status = {BROKER_USER}, fault
    with pytest.raises(RpcError) as raised:
        await rig.reconnect()
    assert raised.value.code is code
    order_id = await rig.intend()
    assert (await rig.submit(order_id)).state is OrderState.OPENED
    assert told[-1] == (SessionState.CONNECTED, "")
    assert FRESH not in told


async def test_it_is_the_fresh_id_that_is_used(rig: Rig, api: SessionApi) -> None:
    await rig.start_gateway()
    await rig.connect()
    api.instead = {BROKER_USER: 5151}
    with pytest.raises(RpcError, match="of broker user 5151") as raised:
        await rig.reconnect()
    assert raised.value.code is ErrorCode.BROKER_REFUSED


async def test_the_account_of_the_market_data_is_nobodys_to_reconnect(rig: Rig) -> None:
    gateway = await rig.start_gateway()
    with pytest.raises(RpcError) as raised:
        await rig.reconnect(broker_user=SYSTEM_USER)
    assert raised.value.code is ErrorCode.BROKER_REFUSED
    assert len(gateway.logged("session_id_issued")) <= 1


async def test_nobody_elses_session_is_interrupted(rig: Rig, told: list[tuple[SessionState, str]]) -> None:
    gateway = await rig.start_gateway()
    await rig.connect()
    with pytest.raises(RpcError) as raised:
        await rig.reconnect(OTHER_USER)
    assert raised.value.code is ErrorCode.BROKER_UNREACHABLE
    assert (len(issued(gateway)), told[-1]) == (1, (SessionState.CONNECTED, ""))
    assert FRESH not in told
    await rig.reconnect()
    assert (len(issued(gateway)), told[-1]) == (2, (SessionState.CONNECTED, ""))
    assert FRESH in told


async def test_a_gateway_that_takes_over_does_not_take_another_id(rig: Rig) -> None:
    gateway = await rig.start_gateway(PREGAO_SESSION_KEYS=ONE_KEY)
    await rig.connect()
    await rig.reconnect()
    await gateway.kill()
    successor = await rig.start_gateway(PREGAO_SESSION_KEYS=ONE_KEY)
    await eventually(lambda: [line for line in successor.logged("session_state") if line["state"] == "connected"])
    assert issued(successor) == []
