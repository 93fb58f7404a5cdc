"""The broker dies and comes back: nothing that was booked is lost, nothing is booked twice."""

import asyncio
import time

from tests.integration.paper_broker import PaperBroker
from tests.integration.paper_broker_service.wire import EURUSD, USER, connected, dialled

TYPES = ["blitz-option"]


async def test_open_positions_are_settled_for_the_time_that_passed(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        short, long = await wire.buy(expiration_size=5), await wire.buy(expiration_size=300)
    await paper_broker.kill()
    while time.time() <= short["exp"]:
        await asyncio.sleep(0.05)
    await paper_broker.start()
    async with connected(paper_broker) as wire:
        query = {"active_id": EURUSD, "size": 1, "from": short["exp"] - 1, "to": short["exp"] - 1}
        (candle,) = (await wire.call("quotes-history.get-candles", "2.0", query))["candles"]
        lookup = {"instrument_types": TYPES, "external_id": short["id"]}
        async with asyncio.timeout(5):
            while not (found := (await wire.call("portfolio.get-history-positions", "2.0", lookup))["positions"]):
                await asyncio.sleep(0.05)
        (closed,) = found
        assert closed["close_quote"] == candle["close"]
        assert closed["close_time"] == short["exp"] * 1000
        (still,) = (await wire.call("portfolio.get-positions", "4.0", {"instrument_types": TYPES}))["positions"]
        assert still["external_id"] == long["id"]
        assert (await wire.buy())["id"] > long["id"]
    assert all(balance["amount"] == balance["ledger"] for balance in await paper_broker.balances(USER))


async def test_sessions_and_the_market_go_on(paper_broker: PaperBroker) -> None:
    ssid = await paper_broker.session(USER)
    query = {"active_id": EURUSD, "size": 5, "to": 1_790_000_000, "count": 100}
    histories = []
    for _ in range(2):
        async with dialled(paper_broker) as wire:
            await wire.login(ssid)
            histories.append(await wire.call("quotes-history.get-candles", "2.0", query))
        await paper_broker.restart()
    assert histories[0] == histories[1]


async def test_an_order_is_either_booked_with_its_stake_or_not_at_all(paper_broker: PaperBroker) -> None:
    for _ in range(3):
        async with connected(paper_broker) as wire:
            order = await wire.order(expiration_size=300, price=1)
            message = {"name": "binary-options.open-option", "version": "2.0", "body": order}
            replies = [await wire.send("sendMessage", message) for _ in range(50)]
            await wire.wait(lambda frame, first=replies[0]: frame.get("request_id") == first)
            await paper_broker.kill()
            answered = [frame["msg"]["id"] for _, frame in wire.frames if frame["name"] == "option"]
        await paper_broker.start()
        booked = await paper_broker.positions(USER)
        assert set(answered) <= {position["external_id"] for position in booked}
        demo = (await paper_broker.balances(USER))[1]
        assert demo["amount"] == demo["ledger"] == 10000 - len(booked)
