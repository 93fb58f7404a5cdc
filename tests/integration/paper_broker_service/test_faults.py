"""Misbehaviour on demand, as tests of other services use it."""

import asyncio
import time

import aiohttp
import pytest

from tests.integration.paper_broker import PaperBroker, StartPaperBroker
from tests.integration.paper_broker_service.wire import USER, Wire, connected, dialled


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
    ):
        with pytest.raises(aiohttp.ClientResponseError) as refused:
            await paper_broker.fault(kind, user, **details)  # type: ignore[arg-type]  # on purpose
        assert refused.value.status == 400, kind


async def test_without_the_setting_there_is_no_control(start_paper_broker: StartPaperBroker) -> None:
    broker = await start_paper_broker(PREGAO_PAPER_CONTROL="0")
    with pytest.raises(aiohttp.ClientResponseError) as refused:
        await broker.balances(USER)
    assert refused.value.status == 404
    await asyncio.wait_for(broker.session(USER), 5)
