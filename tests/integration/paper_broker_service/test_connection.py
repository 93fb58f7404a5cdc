"""Connections over a real socket: the clock, feeds, reconnects, goodbyes (quadcode-protocol §3, §20)."""

import asyncio
import time
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest

from tests.integration.paper_broker import PaperBroker, StartPaperBroker
from tests.integration.paper_broker_service.wire import EURUSD, USER, Wire, connected, dialled

_QUOTES = 12
"""Of about three seconds."""


async def test_the_clock_is_told_at_once_and_every_second(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        async with asyncio.timeout(10):
            while len(wire.events("timeSync")) < 4:
                await asyncio.sleep(0.05)
        synced = wire.events("timeSync")
        assert abs(synced[0][1] - time.time() * 1000) < 10_000
        assert all(after[1] - before[1] == pytest.approx(1000, abs=400) for before, after in pairwise(synced[1:]))
        assert all("microserviceName" not in frame for _, frame in wire.frames if frame["name"] == "timeSync")


async def test_a_refused_session_is_told_before_anything_is_closed(paper_broker: PaperBroker) -> None:
    async with dialled(paper_broker) as wire:
        assert (await wire.ask("authenticate", {"ssid": "wrong"}))["msg"] is False
        reply = await wire.ask("sendMessage", {"name": "core.get-profile", "version": "1.0", "body": {}})
        assert reply["status"] == 4001


async def test_live_candles_and_quotes_agree_with_history(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        for size in (1, 5):
            await wire.subscribe("candle-generated", "1.0", active_id=EURUSD, size=size)
        await wire.subscribe("quote-generated", "2.0", active_id=EURUSD)
        await wire.wait(
            lambda frame: (
                frame["name"] == "candle-generated"
                and frame["msg"]["size"] == 5
                and frame["msg"]["at"] == frame["msg"]["to"] * 10**9
                and len(wire.events("quote-generated")) > _QUOTES
            )
        )
        updates = [msg for _, msg in wire.events("candle-generated") if msg["size"] == 1]
        assert all(after["at"] > before["at"] for before, after in pairwise(updates))
        final = [update for update in updates if update["at"] == update["to"] * 10**9]
        assert [after["id"] - before["id"] for before, after in pairwise(final)] == [1] * (len(final) - 1)
        query = {"active_id": EURUSD, "size": 1, "from_id": final[0]["id"], "to_id": final[-1]["id"]}
        history = (await wire.call("quotes-history.get-candles", "2.0", query))["candles"]
        assert [(each["open"], each["close"], each["min"], each["max"]) for each in history] == [
            (each["open"], each["close"], each["min"], each["max"]) for each in final
        ]
        quotes = {msg["time"]: msg["value"] for _, msg in wire.events("quote-generated")}
        seconds = {each["from"]: each for each in history}
        shown = [(value, seconds[second]) for at, value in quotes.items() if (second := (at - 1) // 1000) in seconds]
        assert shown
        assert all(candle["min"] <= value <= candle["max"] for value, candle in shown)


async def test_feeds_come_at_least_once_a_second(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await wire.subscribe("candle-generated", "1.0", active_id=EURUSD, size=60)
        async with asyncio.timeout(10):
            while len(wire.events("candle-generated")) < 6:
                await asyncio.sleep(0.05)
        updates = [msg["at"] for _, msg in wire.events("candle-generated")]
        assert all(0 < after - before <= 10**9 for before, after in pairwise(updates))


async def test_after_a_reconnect_everything_can_be_subscribed_to_again(paper_broker: PaperBroker) -> None:
    ssid = await paper_broker.session(USER)
    for _ in range(2):
        async with dialled(paper_broker) as wire:
            await wire.login(ssid)
            await wire.subscribe("balances.balance-changed", "1.0")
            await wire.subscribe("portfolio.position-changed", "3.0", user_id=USER)
            await wire.subscribe("candle-generated", "1.0", active_id=EURUSD, size=5)
            await wire.event("candle-generated")


async def test_two_hundred_connections_of_one_session(paper_broker: PaperBroker) -> None:
    ssid = await paper_broker.session(USER)
    async with AsyncExitStack() as stack:
        wires = await asyncio.gather(*(stack.enter_async_context(dialled(paper_broker)) for _ in range(200)))

        async def listen(wire: Wire) -> None:
            assert (await wire.ask("authenticate", {"ssid": ssid}))["msg"] is True
            await wire.subscribe("portfolio.position-changed", "3.0")

        await asyncio.gather(*(listen(wire) for wire in wires))
        bought = await wires[0].buy()
        told = await asyncio.gather(*(wire.event("position-changed", status="open") for wire in wires))
        assert {each["external_id"] for each in told} == {bought["id"]}


async def test_a_client_that_does_not_read_its_answers_disturbs_nobody(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker, 1) as greedy, connected(paper_broker, 2) as modest:
        greedy._reader.cancel()
        query = {"active_id": EURUSD, "size": 60, "count": 1000}
        for _ in range(300):
            await greedy.send("sendMessage", {"name": "quotes-history.get-candles", "version": "2.0", "body": query})
        await modest.subscribe("quote-generated", "2.0", active_id=EURUSD)
        async with asyncio.timeout(10):
            while len(modest.events("quote-generated")) < 5:
                await asyncio.sleep(0.05)
        times = [msg["time"] for _, msg in modest.events("quote-generated")]
        assert all(0 < after - before <= 1000 for before, after in pairwise(times))
        greedy.socket.transport.abort()


async def test_a_session_ends_its_connections_when_it_is_over(start_paper_broker: StartPaperBroker) -> None:
    broker = await start_paper_broker(PREGAO_PAPER_SESSION_SECONDS="2")
    ssid = await broker.session(USER)
    async with dialled(broker) as wire:
        await wire.login(ssid)
        assert await wire.ended() == 1006
    async with dialled(broker) as wire:
        assert (await wire.ask("authenticate", {"ssid": ssid}))["msg"] is False


async def test_told_to_stop_it_says_goodbye_and_ends_in_order(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        stopping = asyncio.create_task(paper_broker.process.terminate())
        assert await wire.ended() == 1001
        assert await stopping == 0
    assert paper_broker.process.logged("stopped")[0]["exit_code"] == 0


async def test_with_everybody_gone_nothing_is_left_behind(paper_broker: PaperBroker) -> None:
    for _ in range(20):
        async with connected(paper_broker) as wire:
            await wire.subscribe("candle-generated", "1.0", active_id=EURUSD, size=60)
            wire.socket.transport.abort()
    async with connected(paper_broker) as wire:
        await wire.subscribe("candle-generated", "1.0", active_id=EURUSD, size=60)
        await wire.event("candle-generated")
    assert paper_broker.process.logged("request_failed") == []
