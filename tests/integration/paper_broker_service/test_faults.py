"""Misbehaviour on demand, as tests of other services use it."""

import asyncio
import time

import aiohttp
import pytest

from services.paper_broker.faults import (
    DropConnections,
    FailSessionRequest,
    FreezeMarket,
    HangSessionRequest,
    StallConnections,
    SuspendActive,
)
from tests.integration.paper_broker import PaperBroker, StartPaperBroker
from tests.integration.paper_broker_service.wire import EURUSD, USER, Wire, connected, dialled


async def send_order(wire: Wire) -> str:
    message = {"name": "binary-options.open-option", "version": "2.0", "body": await wire.order()}
    return await wire.send("sendMessage", message)


async def test_a_late_reply(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await wire.subscribe("portfolio.position-changed", "3.0")
        await paper_broker.fault("delay-reply", USER, seconds=1, count=1)
        sent = time.monotonic()
        request_id = await send_order(wire)
        await wire.event("position-changed", status="open")
        assert len(await paper_broker.positions(USER)) == 1
        reply = await wire.wait(lambda frame: frame.get("request_id") == request_id)
        assert reply["name"] == "option"
        assert time.monotonic() - sent > 0.9


async def test_a_swallowed_reply(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await wire.subscribe("portfolio.position-changed", "3.0")
        await paper_broker.fault("swallow-reply", USER)
        request_id = await send_order(wire)
        await wire.event("position-changed", status="closed")
        assert all(frame.get("request_id") != request_id for _, frame in wire.frames)


async def test_a_connection_that_ends_between_booking_and_reply(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire, connected(paper_broker, USER + 1) as other:
        await paper_broker.fault("drop-before-reply", USER)
        request_id = await send_order(wire)
        assert await wire.ended() == 1006
        assert all(frame.get("request_id") != request_id for _, frame in wire.frames)
        assert len(await paper_broker.positions(USER)) == 1
        await other.call("core.get-profile", "1.0", {})


async def test_a_rejected_order(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await paper_broker.fault("reject-order", USER, status=4117, message="Not today.")
        request_id = await send_order(wire)
        reply = await wire.wait(lambda frame: frame.get("request_id") == request_id)
        assert (reply["status"], reply["msg"]) == (4117, {"message": "Not today."})
        assert await paper_broker.positions(USER) == []
        assert (await wire.buy())["act"] == 76


async def test_connections_dropped_now(paper_broker: PaperBroker) -> None:
    ssid = await paper_broker.session(USER)
    async with dialled(paper_broker) as wire, connected(paper_broker, USER + 1) as other:
        await wire.login(ssid)
        await paper_broker.fault("drop-connections", USER)
        assert await wire.ended() == 1006
        await other.call("core.get-profile", "1.0", {})
    async with dialled(paper_broker) as wire:
        await wire.login(ssid)


async def test_an_expired_session(paper_broker: PaperBroker) -> None:
    ssid = await paper_broker.session(USER)
    async with dialled(paper_broker) as wire:
        await wire.login(ssid)
        await paper_broker.fault("expire-session", USER)
        assert await wire.ended() == 1006
    async with dialled(paper_broker) as wire:
        assert (await wire.ask("authenticate", {"ssid": ssid}))["msg"] is False
    async with connected(paper_broker):
        pass


async def test_faults_can_be_forgotten(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await paper_broker.fault("swallow-reply", USER, count=5)
        await paper_broker.forget_faults(USER)
        assert (await wire.buy())["act"] == 76


async def test_a_fault_that_makes_no_sense_is_refused(paper_broker: PaperBroker) -> None:
    for kind, user, details in (
        ("", 1, {}),
        ("explode", 1, {}),
        ("delay-reply", 1, {}),
        ("delay-reply", 1, {"seconds": -1}),
        ("reject-order", 1, {"status": 2000}),
        ("swallow-reply", 1, {"count": 0}),
        ("swallow-reply", "x", {}),
        ("swallow-reply", 1, {"seconds": 1}),
        ("suspend-active", 1, {"active": 76}),
        ("duplicate-event", 1, {"event": "candle-generated"}),
    ):
        with pytest.raises(aiohttp.ClientResponseError) as refused:
            await paper_broker.fault(kind, user, **details)  # type: ignore[arg-type]  # on purpose
        assert refused.value.status == 400, kind


async def test_connections_dropped_later_unless_that_is_forgotten(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await paper_broker.inject(DropConnections(user=USER, seconds=60))
        assert [each["kind"] for each in await paper_broker.armed_faults(USER)] == ["drop-connections"]
        await paper_broker.forget_faults(USER)
        assert await paper_broker.armed_faults(USER) == []
        await paper_broker.inject(DropConnections(user=USER, seconds=0.1))
        assert await wire.ended() == 1006


async def test_stalled_connections(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire, connected(paper_broker, USER + 1) as other:
        assert await paper_broker.inject(StallConnections(user=USER, seconds=60)) == {"stalled": 1}
        request_id = await wire.send("sendMessage", {"name": "core.get-profile", "version": "1.0", "body": {}})
        await other.call("core.get-profile", "1.0", {})
        assert all(frame.get("request_id") != request_id for _, frame in wire.frames)
        await paper_broker.forget_faults(USER)
        await wire.wait(lambda frame: frame.get("request_id") == request_id)


async def test_a_session_api_that_fails(paper_broker: PaperBroker) -> None:
    await paper_broker.inject(FailSessionRequest(user=USER, status=429))
    await paper_broker.inject(HangSessionRequest(user=USER, seconds=0.1))
    answers = []
    for _ in range(2):
        with pytest.raises(aiohttp.ClientResponseError) as refused:
            await paper_broker.session(USER)
        answers.append(refused.value.status)
    assert sorted(answers) == [429, 503]
    assert await paper_broker.session(USER)


async def test_a_market_that_stops(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        stopped = await paper_broker.inject(SuspendActive(active=EURUSD))
        assert stopped == {"suspended": [EURUSD], "frozen": []}
        assert await paper_broker.inject(FreezeMarket(active=EURUSD)) == {"suspended": [EURUSD], "frozen": [EURUSD]}
        request_id = await send_order(wire)
        assert (await wire.wait(lambda frame: frame.get("request_id") == request_id))["status"] == 4101
        await paper_broker.restore_market(EURUSD)
        assert (await wire.buy())["act"] == EURUSD


async def test_the_ledger_is_in_plain_sight(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await wire.buy(price=10)
        balances, entries = await paper_broker.balances(USER), await paper_broker.ledger(USER)
    assert entries[-1]["reason"] == "stake"
    assert entries[-1]["change"] == -10
    for balance in balances:
        assert balance["amount"] == sum(each["change"] for each in entries if each["balance_id"] == balance["id"])


async def test_without_the_setting_there_is_no_control(start_paper_broker: StartPaperBroker) -> None:
    broker = await start_paper_broker(PREGAO_PAPER_CONTROL="0")
    with pytest.raises(aiohttp.ClientResponseError) as refused:
        await broker.balances(USER)
    assert refused.value.status == 404
    await asyncio.wait_for(broker.session(USER), 5)
