"""Blitz options over a real socket, from purchase to history (quadcode-protocol §12, §14)."""

from decimal import Decimal

from tests.integration.paper_broker import PaperBroker
from tests.integration.paper_broker_service.wire import EURUSD, USER, Wire, connected

TYPES = ["digital-option", "binary-option", "turbo-option", "blitz-option"]


async def listening(wire: Wire) -> Wire:
    await wire.subscribe("balances.balance-changed", "1.0")
    await wire.subscribe("portfolio.position-changed", "3.0", user_id=USER)
    await wire.subscribe("portfolio.positions-state", "1.0")
    return wire


async def test_an_option_from_purchase_to_history(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await listening(wire)
        option = await wire.buy()
        opened = await wire.event("position-changed", external_id=option["id"], status="open")
        assert opened["open_quote"] == option["value"]
        (listed,) = (await wire.call("portfolio.get-positions", "4.0", {"instrument_types": TYPES}))["positions"]
        assert listed == opened
        await wire.call("portfolio.subscribe-positions", "1.0", {"frequency": "frequent", "ids": [opened["id"]]})
        state = await wire.event("positions-state")
        assert [each["id"] for each in state["positions"]] == [opened["id"]]

        closed = await wire.event("position-changed", external_id=option["id"], status="closed")
        assert closed["version"] > opened["version"]
        lookup = {"instrument_types": TYPES, "external_id": option["id"]}
        history = await wire.call("portfolio.get-history-positions", "2.0", lookup)
        assert history["positions"] == [closed]
        assert (await wire.call("portfolio.get-positions", "4.0", {"instrument_types": TYPES}))["positions"] == []


async def test_events_follow_the_reply_and_the_balance_is_absolute(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await listening(wire)
        option = await wire.buy(price=25)
        await wire.event("balance-changed")
        names = [frame["name"] for _, frame in wire.frames]
        assert names.index("option") < names.index("position-changed") < names.index("balance-changed")
        assert wire.events("position-changed")[0][1]["external_id"] == option["id"]
        assert wire.events("balance-changed")[0][1]["current_balance"]["amount"] == 9975


async def test_it_is_settled_in_its_second_at_the_close_of_the_second_before(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await listening(wire)
        option = await wire.buy()
        closed = await wire.event("position-changed", status="closed")
        now = await wire.wait(lambda frame: frame["name"] == "timeSync" and frame["msg"] >= option["exp"] * 1000)
        assert now["msg"] < option["exp"] * 1000 + 2000
        query = {"active_id": EURUSD, "size": 1, "from": option["exp"] - 1, "to": option["exp"] - 1}
        (candle,) = (await wire.call("quotes-history.get-candles", "2.0", query))["candles"]
        assert closed["close_quote"] == candle["close"]
        rose, fell = candle["close"] > option["value"], candle["close"] < option["value"]
        assert closed["close_reason"] == ("win" if rose else "loose" if fell else "equal")
        assert closed["close_profit"] == {"win": 18.6, "loose": 0, "equal": 10}[closed["close_reason"]]


async def test_the_books_agree_after_many_options(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await listening(wire)
        bought = [await wire.buy(direction=("call", "put")[index % 2], price=index + 1) for index in range(40)]
        for option in bought:
            await wire.event("position-changed", external_id=option["id"], status="closed")
        balances = await paper_broker.balances(USER)
        assert all(balance["amount"] == balance["ledger"] for balance in balances)
        positions = await paper_broker.positions(USER)
        assert [position["external_id"] for position in positions] == [option["id"] for option in bought]
        profit = sum((Decimal(str(position["pnl_realized"])) for position in positions), Decimal(0))
        assert balances[1]["amount"] == 10000 + profit
        told = [msg for _, msg in wire.events("position-changed") if msg["status"] == "closed"]
        assert sorted(msg["external_id"] for msg in told) == [option["id"] for option in bought]


async def test_a_refused_purchase_changes_nothing(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        order = await wire.order(price=10001)
        reply = await wire.ask("sendMessage", {"name": "binary-options.open-option", "version": "2.0", "body": order})
        assert (reply["status"], reply["msg"]["message"]) == (4103, "Insufficient funds for this transaction.")
        assert await paper_broker.positions(USER) == []
        assert [balance["amount"] for balance in await paper_broker.balances(USER)] == [0, 10000]


async def test_a_demo_balance_is_reset_with_an_acknowledgement_and_then_an_event(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await listening(wire)
        body = {"user_balance_id": await wire.demo_balance(), "amount": 500}
        assert (await wire.call("internal-billing.reset-training-balance", "4.0", body))["success"] is True
        assert (await wire.event("balance-changed"))["current_balance"]["amount"] == 500
        names = [frame["name"] for _, frame in wire.frames]
        assert names.index("balance-changed") > len(names) - 1 - names[::-1].index("result")
