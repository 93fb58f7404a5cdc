"""Margin trading over a real socket, as the official client does it (quadcode-protocol §16, §18)."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.paper_broker.faults import SuspendActive
from tests.integration.paper_broker import PaperBroker, StartPaperBroker
from tests.integration.paper_broker_service.wire import EURUSD, USER, Frame, Wire, connected

pytestmark = pytest.mark.takes(40)

BTC = 2270
ADA = {
    "id": USER,
    "email": "ada@sim.invalid",
    "balances": [
        {"type": "real", "amount": 0},
        {"type": "demo", "amount": 10000},
        {"type": "demo", "amount": 5000, "is_marginal": True},
    ],
    "closed_positions": {"marginal-forex": 35, "marginal-cfd": 3},
}
TYPES = ["marginal-cfd", "marginal-crypto", "marginal-forex"]
DECIDED = ("filled", "rejected", "canceled")


@pytest.fixture
def accounts(tmp_path: Path) -> str:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"accounts": [ADA]}))
    return str(path)


@pytest.fixture
async def ada(start_paper_broker: StartPaperBroker, accounts: str) -> PaperBroker:
    return await start_paper_broker(PREGAO_PAPER_ACCOUNTS=accounts)


async def listening(wire: Wire) -> int:
    """The margin balance, after the sequences of the official client's balances, orders, positions and margin."""
    balances = await wire.call("balances.get-available-balances", "1.0", {"types_ids": [1, 4]})
    for balance in balances:
        body = {"user_balance_id": balance["id"]}
        assert (await wire.call("marginal-portfolio.subscribe-balance-changed", "1.0", body))["success"] is True
        if balance["is_marginal"]:
            await wire.call("marginal-portfolio.get-marginal-balance", "1.0", body)
        await wire.call("portfolio.get-orders", "2.0", body | {"kind": "deferred"})
    await wire.subscribe("marginal-portfolio.balance-changed", "1.0")
    await wire.subscribe("portfolio.position-changed", "3.0", user_id=USER)
    await wire.subscribe("portfolio.positions-state", "1.0")
    for kind in TYPES:
        await wire.subscribe("portfolio.order-changed", "2.0", user_id=USER, instrument_type=kind)
        await wire.subscribe(f"{kind}-instruments.underlying-list-changed", "1.0")
        await wire.call(f"{kind}-instruments.get-underlying-list", "1.0", {})
    return int(next(balance["id"] for balance in balances if balance["is_marginal"]))


def order(balance_id: int, **changes: object) -> Frame:
    return {
        "side": "buy",
        "user_balance_id": balance_id,
        "count": "10000",
        "instrument_id": f"mforex.{EURUSD}",
        "instrument_active_id": EURUSD,
        "leverage": "100",
    } | changes


async def place(wire: Wire, body: Frame, sort: str = "market") -> int:
    return int((await wire.call(f"marginal-forex.place-{sort}-order", "1.0", body))["id"])


async def decided(wire: Wire, number: int, timeout: float = 10.0) -> Frame:
    """The event that ends an order."""

    def ends(frame: Frame) -> bool:
        msg = frame["msg"]
        return bool(
            frame["name"] == "order-changed"
            and msg["status"] in DECIDED
            and {"id": number} in msg["raw_event"].values()
        )

    return dict((await wire.wait(ends, timeout))["msg"])


async def margin_told(wire: Wire, margin: str) -> Frame:
    """The event that says so of the margin balance."""
    frame = await wire.wait(
        lambda frame: frame.get("microserviceName") == "marginal-portfolio" and frame["msg"].get("margin") == margin
    )
    return dict(frame["msg"])


async def test_a_position_from_the_order_to_the_history(ada: PaperBroker) -> None:
    async with connected(ada) as wire:
        balance_id = await listening(wire)
        number = await place(wire, order(balance_id))
        filled = await decided(wire, number)
        opened = await wire.event("position-changed", status="open")
        assert (filled["status"], filled["position_id"]) == ("filled", opened["id"])
        assert opened["raw_event"] == {"marginal_forex_position_changed1": {"order_ids": [number]}}
        worth = await margin_told(wire, f"{opened['invest']:.2f}")
        assert Decimal(worth["cash"]) == 5000
        await wire.call("portfolio.subscribe-positions", "1.0", {"frequency": "frequent", "ids": [opened["id"]]})
        state = (await wire.event("positions-state"))["positions"][0]
        assert (state["id"], state["margin"], state["open_price"]) == (
            opened["id"],
            opened["invest"],
            opened["open_quote"],
        )

        close = {"position_id": opened["external_id"]}
        assert (await wire.call("marginal-forex.close-position", "1.0", close))["success"] is True
        lookup = {"instrument_types": TYPES, "external_id": opened["external_id"]}
        (past,) = (await wire.call("portfolio.get-history-positions", "2.0", lookup))["positions"]
        closed = await wire.event("position-changed", status="closed")
        assert closed == past
        assert closed["close_profit"] == pytest.approx(closed["invest"] + closed["pnl"])
        flat = await margin_told(wire, "0.00")
        assert Decimal(flat["cash"]) == Decimal(flat["available"]) == 5000 + Decimal(str(closed["pnl"]))
        assert (await wire.call("marginal-forex.close-position", "1.0", close))["success"] is False
        gaps = [at for at, frame in wire.frames if frame["name"] in ("order", "order-changed", "position-changed")]
    assert gaps[1] - gaps[0] > 0.05  # the order after its reply
    assert gaps[2] - gaps[1] > 0.05  # the position after its order
    assert all(balance["amount"] == balance["ledger"] for balance in await ada.balances(USER))


async def test_the_refusal_that_is_known_of_the_real_platform(ada: PaperBroker) -> None:
    async with connected(ada) as wire:
        real, *_ = await wire.call("balances.get-available-balances", "1.0", {"types_ids": [1]})
        message = {"name": "marginal-forex.place-market-order", "version": "1.0", "body": order(real["id"])}
        refused = await wire.ask("sendMessage", message)
    words = f"create order: user_id: {USER} user_balance_id: {real['id']} user balance has no deposits"
    assert (refused["status"], refused["msg"]) == (4008, {"message": words})


async def test_a_pending_order_is_cancelled_or_outlives_the_broker(ada: PaperBroker) -> None:
    async with connected(ada) as wire:
        balance_id = await listening(wire)
        first = await place(wire, order(balance_id, stop_price="2"), "stop")
        second = await place(wire, order(balance_id, limit_price="0.5"), "limit")
        query = {"user_balance_id": balance_id, "kind": "deferred"}
        waiting = (await wire.call("portfolio.get-orders", "2.0", query))["items"]
        assert [each["status"] for each in waiting] == ["new", "new"]
        assert (await wire.call("marginal-forex.cancel-pending-order", "1.0", {"order_id": first}))["success"] is True
        assert (await decided(wire, first))["status"] == "canceled"
    await ada.restart()
    async with connected(ada) as wire:
        await listening(wire)
        (still,) = (await wire.call("portfolio.get-orders", "2.0", query))["items"]
        assert still["raw_event"] == {"marginal_forex_order_changed1": {"id": second}}
        assert (await wire.call("marginal-forex.cancel-pending-order", "1.0", {"order_id": second}))["success"] is True
        assert (await decided(wire, second))["status"] == "canceled"


async def test_protections_and_pending_orders_come_true_on_a_fast_platform(
    start_paper_broker: StartPaperBroker, accounts: str
) -> None:
    """Half a pip away at 60 times the speed: within seconds one of the two protections has closed each position."""
    broker = await start_paper_broker(PREGAO_PAPER_ACCOUNTS=accounts, PREGAO_PAPER_CLOCK_SPEED="60")
    near = {"value": "0.0003", "type": "delta"}
    async with connected(broker) as wire:
        balance_id = await listening(wire)
        await wire.subscribe("quote-generated", "2.0", active_id=EURUSD)
        ask = (await wire.event("quote-generated"))["ask"]
        body = order(balance_id, stop_loss=near, take_profit=near)
        numbers = [await place(wire, body), await place(wire, body | {"limit_price": f"{ask - 0.0001:.6f}"}, "limit")]
        for number in numbers:
            filled = await decided(wire, number, 30)
            closed = await wire.wait(
                lambda frame, position=filled["position_id"]: (
                    frame["name"] == "position-changed"
                    and frame["msg"]["id"] == position
                    and frame["msg"]["status"] == "closed"
                ),
                30,
            )
            assert closed["msg"]["close_reason"] in ("stop_loss", "take_profit")
            won = closed["msg"]["close_reason"] == "take_profit"
            assert (closed["msg"]["pnl"] > 0) == won
        await margin_told(wire, "0.00")
    assert all(balance["amount"] == balance["ledger"] for balance in await broker.balances(USER))


async def test_what_the_market_did_while_the_broker_was_down_is_found_in_the_history(
    start_paper_broker: StartPaperBroker, accounts: str
) -> None:
    broker = await start_paper_broker(PREGAO_PAPER_ACCOUNTS=accounts, PREGAO_PAPER_CLOCK_SPEED="60")
    async with connected(broker) as wire:
        balance_id = await listening(wire)
        near = {"value": "0.0004", "type": "delta"}
        number = await place(wire, order(balance_id, stop_loss=near, take_profit=near))
        opened = await wire.event("position-changed", status="open")
    await broker.kill()
    lookup: dict[str, Any] = {"instrument_types": TYPES, "external_id": opened["external_id"]}
    async with asyncio.timeout(45):
        while True:
            await asyncio.sleep(2)  # two minutes of the platform's time
            await broker.start()
            async with connected(broker) as wire:
                found = (await wire.call("portfolio.get-history-positions", "2.0", lookup))["positions"]
                told = min(time for _, time in wire.events("timeSync"))
            if found:
                break
            await broker.kill()
    assert found[0]["raw_event"] == {"marginal_forex_position_changed1": {"order_ids": [number]}}
    assert found[0]["open_time"] < found[0]["close_time"] < told
    assert found[0]["close_reason"] in ("stop_loss", "take_profit")
    assert all(balance["amount"] == balance["ledger"] for balance in await broker.balances(USER))


async def test_lists_change_only_for_those_who_have_them(ada: PaperBroker) -> None:
    """P1."""
    async with connected(ada) as unaware, connected(ada) as wire:
        await unaware.subscribe("marginal-crypto-instruments.underlying-list-changed", "1.0")
        await listening(wire)
        await ada.inject(SuspendActive(active=BTC))
        changed = await wire.event("underlying-list-changed")
        assert [(item["active_id"], item["is_suspended"]) for item in changed["items"]] == [(BTC, True)]
        body = {"active_id": BTC}
        listed = await wire.call("marginal-crypto-instruments.get-instruments-list", "1.0", body)
        assert listed["items"][0]["is_suspended"] is True
        await unaware.call("core.get-profile", "1.0", {})
        assert unaware.events("underlying-list-changed") == []


async def test_the_seeded_past_can_be_paged_through_by_kind(ada: PaperBroker) -> None:
    async with connected(ada) as wire:
        seen = []
        for offset in (0, 30):
            page = {"instrument_types": ["marginal-forex"], "user_id": USER, "limit": 30, "offset": offset}
            seen.append((await wire.call("portfolio.get-history-positions", "2.0", page))["positions"])
        cfds = {"instrument_types": ["marginal-cfd"], "user_id": USER, "limit": 30, "offset": 0}
        others = (await wire.call("portfolio.get-history-positions", "2.0", cfds))["positions"]
    assert [len(page) for page in seen] == [30, 5]
    assert len(others) == 3
    assert {position["instrument_type"] for page in seen for position in page} == {"marginal-forex"}


@pytest.mark.parametrize(("kind", "booked"), [("reject-order", 0), ("drop-before-reply", 1), ("swallow-reply", 1)])
async def test_faults_meet_margin_orders(ada: PaperBroker, kind: str, booked: int) -> None:
    async with connected(ada) as wire:
        balance_id = await listening(wire)
        await ada.fault(kind, USER)
        message = {"name": "marginal-forex.place-market-order", "version": "1.0", "body": order(balance_id)}
        number = await wire.send("sendMessage", message)
        if kind == "reject-order":
            assert (await wire.wait(lambda frame: frame.get("request_id") == number))["status"] == 4100
        elif kind == "drop-before-reply":
            assert await wire.ended() == 1006
        else:
            await wire.event("position-changed", status="open")
    async with connected(ada) as wire:
        listed = (await wire.call("portfolio.get-positions", "4.0", {"instrument_types": TYPES}))["positions"]
    assert len(listed) == booked


async def test_a_stopped_out_account_ends_flat_and_owes_nothing(
    start_paper_broker: StartPaperBroker, accounts: str
) -> None:
    """All of the money at 1:10 in crypto, then the money is taken away: the next look closes everything."""
    broker = await start_paper_broker(PREGAO_PAPER_ACCOUNTS=accounts)
    async with connected(broker) as wire:
        balance_id = await listening(wire)
        body = order(balance_id, instrument_id=f"mcrypto.{BTC}", instrument_active_id=BTC, count="0.1", leverage="10")
        await wire.call("marginal-crypto.place-market-order", "1.0", body)
        await wire.event("position-changed", status="open")
        reset = {"user_balance_id": balance_id, "amount": 0}
        await wire.call("internal-billing.reset-training-balance", "4.0", reset)
        closed = await wire.event("position-changed", status="closed")
        assert closed["close_reason"] == "stop_out"
        flat = await margin_told(wire, "0.00")
    assert (Decimal(flat["equity"]) >= 0, flat["margin_level"]) == (True, "0.00")
    assert all(balance["amount"] == balance["ledger"] >= 0 for balance in await broker.balances(USER))
