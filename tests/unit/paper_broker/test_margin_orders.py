"""Margin orders from the request to the events (quadcode-protocol §15, §16.4, §16.5)."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.paper_broker.accounts import BalanceType, Opening
from services.paper_broker.announcer import EVENT_GAP
from services.paper_broker.epoch import ticks_before
from services.paper_broker.errors import Refused
from services.paper_broker.faults import DropBeforeReply, InsufficientFundsOnce, RejectOrder, SwallowReply
from services.paper_broker.ledger import Reason
from services.paper_broker.margin_instruments import CFD, CRYPTO, FOREX
from services.paper_broker.margin_orders import MAX_PENDING
from services.paper_broker.market import Quote
from services.paper_broker.positions import CloseReason, Position
from tests.unit.paper_broker.test_margin_instruments import BTC, GOLD
from tests.unit.paper_broker.test_ticker import advance, messages
from tests.unit.paper_broker.world import APPLE, EURUSD, OTHER_USER, USER, Client, Frame, World

TYPES = ["marginal-forex", "marginal-cfd", "marginal-crypto"]


def quote(world: World, active_id: int = EURUSD) -> Quote:
    active = world.broker.catalogue.get(active_id)
    assert active is not None
    return world.broker.market.quote(active, ticks_before(world.broker.now()))


def body(world: World, active_id: int = EURUSD, **changes: Any) -> Frame:
    """As clients write it: all numbers in text."""
    asked = msgspec.to_builtins(world.margin_order(active_id))
    wanted = {name: value for name, value in asked.items() if value is not None}
    return wanted | changes


def bought(world: World, **changes: Any) -> Position:
    return world.broker.margin.orders.market(USER, FOREX, world.margin_order(**changes)).position


def listening(world: World) -> Client:
    client = world.client()
    client.subscribe("portfolio.position-changed", "3.0", user_id=USER)
    for kind in TYPES:
        client.subscribe("portfolio.order-changed", "2.0", user_id=USER, instrument_type=kind)
    return client


async def happened(client: Client, count: int) -> list[Frame]:
    """The next events about orders and positions, and no more that come with them."""

    def received() -> list[Frame]:
        return [each for each in client.received() if each["name"] in ("order-changed", "position-changed")]

    seen: list[Frame] = []
    async with asyncio.timeout(5):
        while len(seen) < count:
            await asyncio.sleep(EVENT_GAP / 4)
            seen += received()
    await asyncio.sleep(EVENT_GAP * 2)
    seen += received()
    assert len(seen) == count
    return seen


def until_gone(world: World) -> None:
    """The market goes on until nothing waits for its price any more."""
    for _ in range(3600):
        advance(world, 1)
        if not world.broker.margin.book.actives():
            return
    raise AssertionError("the price never came")


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_it_opens_at_the_worse_price_and_closes_at_the_other(world: World, side: Any) -> None:
    now = quote(world)
    position = bought(world, side=side)
    closed = world.broker.margin.positions.close_by_user(USER, FOREX, position.external_id)
    assert closed.closing is not None
    paid, got = position.open_quote, closed.closing.quote
    assert (paid, got) == ((now.ask, now.bid) if side == "buy" else (now.bid, now.ask))
    spread = round(Decimal(str(now.ask)) - Decimal(str(now.bid)), 6) * 10_000
    assert closed.closing.profit - position.invest == -round(spread, 2)


def test_the_margin_is_that_of_the_specification(world: World) -> None:
    """§16.6: forex in the base currency, the others at the price; both in the currency of the balance."""
    tick = ticks_before(world.broker.now())
    euros = world.margin_balance("EUR")
    rate = world.broker.rates.rate("EUR", "USD", tick)
    assert rate is not None
    assert bought(world).invest == round(10_000 * rate.bid / 100, 2)
    assert bought(world, user_balance_id=euros.id).invest == 100
    order = world.margin_order(GOLD, user_balance_id=euros.id)
    gold = world.broker.margin.orders.market(USER, CFD, order).position
    expected = order.count * Decimal(str(quote(world, GOLD).ask)) / order.leverage / rate.ask
    assert abs(gold.invest - expected) <= Decimal("0.005")


@pytest.mark.parametrize("currency", ["USD", "EUR", "BRL", "JPY"])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_profit_is_so_many_pips_of_the_value_of_the_specification(world: World, currency: str, side: Any) -> None:
    """§16.6: 10^-4 × count, divided by the ask of the balance's currency in the quote currency."""
    balance = world.margin_balance(currency, 1_000_000)
    position = bought(world, user_balance_id=balance.id, side=side, leverage=Decimal(50))
    world.clock.advance(3600)
    rate = world.broker.rates.rate(currency, "USD", ticks_before(world.broker.now()))
    assert rate is not None
    closed = world.broker.margin.positions.close_by_user(USER, FOREX, position.external_id)
    assert closed.closing is not None
    pips = (Decimal(str(closed.closing.quote)) - Decimal(str(position.open_quote))) / Decimal("0.0001")
    expected = (pips if side == "buy" else -pips) * Decimal("0.0001") * 10_000 / rate.ask
    assert abs(closed.closing.profit - closed.invest - expected) <= (
        Decimal("0.5") if currency == "JPY" else Decimal("0.005")
    )
    assert abs(pips) > 1


def test_opposite_positions_stand_side_by_side(world: World) -> None:
    balance = world.margin_balance()
    first, second = bought(world), bought(world, side="sell")
    assert [each.id for each in world.broker.margin.book.of(balance.id)] == [first.id, second.id]
    worth = world.broker.margin.balances.worth(balance, ticks_before(world.broker.now()))
    assert worth.margin == first.invest + second.invest


async def test_a_market_order_is_answered_filled_and_opened(world: World) -> None:
    client = listening(world)
    reply = client.call("marginal-forex.place-market-order", "1.0", body(world, count="10000"))
    assert (reply["status"], set(reply["msg"])) == (2000, {"id"})
    order, position = await happened(client, 2)
    assert (order["name"], position["name"]) == ("order-changed", "position-changed")
    assert order["msg"]["raw_event"] == {"marginal_forex_order_changed1": {"id": reply["msg"]["id"]}}
    assert (order["msg"]["status"], order["msg"]["kind"]) == ("filled", "instant")
    assert order["msg"]["position_id"] == position["msg"]["id"]
    shown = position["msg"]
    assert shown["raw_event"] == {"marginal_forex_position_changed1": {"order_ids": [reply["msg"]["id"]]}}
    assert (shown["status"], shown["instrument_type"], shown["source"]) == ("open", "marginal-forex", "marginal-forex")
    listed = client.call("portfolio.get-positions", "4.0", {"instrument_types": TYPES})["msg"]["positions"]
    assert listed == [shown]


async def test_closing_is_acknowledged_told_and_in_the_history_at_once(world: World) -> None:
    client, position = listening(world), bought(world)
    world.clock.advance(60)
    asked = {"position_id": position.external_id}
    assert client.call("marginal-forex.close-position", "1.0", asked)["msg"]["success"] is True
    query = {"instrument_types": ["marginal-forex"], "user_id": USER, "limit": 30, "offset": 0}
    (past,) = client.call("portfolio.get-history-positions", "2.0", query)["msg"]["positions"]
    (event,) = await happened(client, 1)
    assert event["msg"] == past
    assert (past["status"], past["close_reason"], past["version"]) == ("closed", "default", 2)
    assert past["close_profit"] == pytest.approx(past["invest"] + past["pnl"])
    assert (
        client.call("portfolio.get-history-positions", "2.0", query | {"instrument_types": ["marginal-cfd"]})["msg"][
            "positions"
        ]
        == []
    )
    again = client.call("marginal-forex.close-position", "1.0", asked)["msg"]
    assert (again["success"], again["reason"]) == (False, f"Position {position.external_id} is closed.")


def test_nobody_closes_what_is_not_theirs_or_of_another_kind(world: World) -> None:
    position = bought(world)
    asked = {"position_id": position.external_id}
    stranger, client = world.client(OTHER_USER), world.client()
    assert stranger.call("marginal-forex.close-position", "1.0", asked)["msg"]["success"] is False
    assert client.call("marginal-cfd.close-position", "1.0", asked)["msg"]["success"] is False
    assert world.broker.positions.open(USER) == [position]


def test_a_position_never_expires(world: World) -> None:
    position = bought(world)
    world.clock.advance(400 * 86400)
    assert world.broker.options.settle() == []
    assert world.broker.positions.open(USER) == [position]


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"count": "0"}, 4220, "count"),
        ({"count": "1500"}, 4220, "count"),
        ({"count": "NaN"}, 4220, "count"),
        ({"count": "1e400"}, 4220, "count"),
        ({"count": "-1000"}, 4220, "count"),
        ({"count": "lots"}, 4220, "count"),
        ({"leverage": "501"}, 4220, "leverage"),
        ({"leverage": "0"}, 4220, "leverage"),
        ({"side": "call"}, 4220, "side"),
        ({"instrument_id": "mforex.81"}, 4220, "instrument_id"),
        ({"instrument_active_id": BTC}, 4220, "instrument_active_id"),
        ({"instrument_active_id": 9}, 4220, "instrument_active_id"),
        ({"user_balance_id": 99}, 4220, "user_balance_id"),
        ({"user_balance_id": 2}, 4220, "user_balance_id"),
        ({"stop_loss": {"value": "1", "type": "percent"}}, 4220, "stop_loss.type"),
        ({"stop_loss": {"value": "2000", "type": "price"}}, 4220, "stop_loss"),
        ({"take_profit": {"value": "0.5", "type": "price"}}, 4220, "take_profit"),
        ({"count": "100000000"}, 4103, "message"),
    ],
)
@pytest.mark.parametrize("request_", ["place-market-order", "place-limit-order"])
async def test_an_order_that_cannot_be_meant_is_refused_by_name(
    world: World, client: Client, request_: str, changes: Frame, status: int, field: str
) -> None:
    asked = body(world) | {"limit_price": "1.1"} | changes
    reply = client.call(f"marginal-forex.{request_}", "1.0", asked)
    if status == 4103 and request_ == "place-limit-order":
        assert reply["status"] == 2000  # it is paid when its price comes
        return
    assert (reply["status"], list(reply["msg"])) == (status, [field])
    assert world.broker.positions.all(USER) == []
    assert client.call("portfolio.get-orders", "2.0", {"user_balance_id": asked["user_balance_id"]})["msg"] == {
        "items": []
    }


def test_a_real_balance_without_deposits_is_refused_as_on_the_real_platform(world: World, client: Client) -> None:
    real = world.balance(BalanceType.REAL)
    reply = client.call("marginal-forex.place-market-order", "1.0", body(world, user_balance_id=real.id))
    assert (reply["status"], reply["msg"]) == (
        4008,
        {"message": f"create order: user_id: {USER} user_balance_id: {real.id} user balance has no deposits"},
    )
    with world.storage.transaction():
        world.broker.accounts.open(USER, Opening(BalanceType.REAL, "EUR", Decimal(500), is_marginal=True))
    paid = world.broker.accounts.balances(USER)[-1]
    assert bought(world, user_balance_id=paid.id).invest == 100


def test_a_closed_market_trades_nothing(world: World, client: Client) -> None:
    reply = client.call("marginal-cfd.place-market-order", "1.0", body(world, APPLE))
    assert reply["status"] == 4101
    opened = world.clock.second + 3 * 3600
    world.clock.advance(3 * 3600)
    position = world.broker.margin.orders.market(USER, CFD, world.margin_order(APPLE)).position
    assert position.open_time // 1000 == opened
    world.clock.advance(12 * 3600)
    closing = client.call("marginal-cfd.close-position", "1.0", {"position_id": position.external_id})["msg"]
    assert closing == {"success": False, "reason": "The market is closed."}


def test_more_equity_allows_less_leverage(world: World, client: Client) -> None:
    rich = world.margin_balance("BRL", 1_000_000)
    order = body(world, user_balance_id=rich.id)
    refused = client.call("marginal-forex.place-stop-order", "1.0", order | {"leverage": "200", "stop_price": "1.2"})
    assert refused["msg"] == {"leverage": "must be between 1 and 100"}


def test_no_more_orders_wait_than_can_be_watched(world: World) -> None:
    order = world.margin_order(limit_price=Decimal("0.5"))
    orders = world.broker.margin.orders
    waiting = [orders.defer(USER, FOREX, order, "limit_price") for _ in range(MAX_PENDING)]
    with pytest.raises(Refused, match="At most 200 orders"):
        orders.defer(USER, FOREX, order, "limit_price")
    orders.cancel(USER, FOREX, waiting[0].id)
    orders.defer(USER, FOREX, order, "limit_price")


async def test_a_pending_order_waits_in_the_list_and_can_be_cancelled(world: World) -> None:
    client = listening(world)
    asked = body(world, limit_price="1.0")
    number = client.call("marginal-forex.place-limit-order", "1.0", asked)["msg"]["id"]
    (placed,) = await happened(client, 1)
    assert (placed["msg"]["kind"], placed["msg"]["status"]) == ("deferred", "new")
    query = {"user_balance_id": asked["user_balance_id"], "kind": "deferred"}
    assert client.call("portfolio.get-orders", "2.0", query)["msg"]["items"] == [placed["msg"]]
    assert client.call("marginal-cfd.cancel-pending-order", "1.0", {"order_id": number})["msg"]["success"] is False
    theirs = world.client(OTHER_USER)
    assert theirs.call("marginal-forex.cancel-pending-order", "1.0", {"order_id": number})["msg"]["success"] is False
    assert client.call("marginal-forex.cancel-pending-order", "1.0", {"order_id": number})["msg"]["success"] is True
    (cancelled,) = await happened(client, 1)
    assert cancelled["msg"] == placed["msg"] | {"status": "canceled"}
    assert client.call("portfolio.get-orders", "2.0", query)["msg"]["items"] == []
    assert client.call("marginal-forex.cancel-pending-order", "1.0", {"order_id": number})["msg"]["success"] is False
    assert not world.broker.margin.book


@pytest.mark.parametrize("request_", ["place-stop-order", "place-limit-order"])
async def test_a_pending_order_is_filled_when_its_price_comes(world: World, request_: str) -> None:
    """From whichever side: a stop on the wrong side of the market is a limit."""
    client, field = listening(world), request_.split("-")[1] + "_price"
    for distance in (0.0002, -0.0002):
        price = {field: f"{quote(world).ask + distance:.6f}"}
        client.call(f"marginal-forex.{request_}", "1.0", body(world) | price)
    (first, second) = await happened(client, 2)
    until_gone(world)
    seen = await happened(client, 4)
    filled = [each["msg"] for each in seen if each["name"] == "order-changed"]
    opened = [each["msg"] for each in seen if each["name"] == "position-changed"]
    assert [each["status"] for each in filled] == ["filled", "filled"]
    assert {each["id"] for each in filled} == {first["msg"]["id"], second["msg"]["id"]}
    assert [each["position_id"] for each in filled] == [each["id"] for each in opened]
    highest, lowest = sorted((each["open_quote"] for each in opened), reverse=True)
    assert highest - lowest >= 0.0004


async def test_what_cannot_be_paid_when_its_price_comes_is_rejected(world: World) -> None:
    client = listening(world)
    asked = body(world, count="100000000", stop_price=f"{quote(world).ask:.6f}")
    client.call("marginal-forex.place-stop-order", "1.0", asked)
    await happened(client, 1)
    until_gone(world)
    (rejected,) = await happened(client, 1)
    assert (rejected["msg"]["status"], "position_id" in rejected["msg"]) == ("rejected", False)
    assert world.broker.positions.all(USER) == []


async def test_open_positions_are_valued_every_second(world: World) -> None:
    client, position = listening(world), bought(world)
    client.subscribe("portfolio.positions-state", "1.0")
    client.call("portfolio.subscribe-positions", "1.0", {"frequency": "frequent", "ids": [position.id]})
    seen = []
    for _ in range(3):
        advance(world, 1)
        seen += [state for msg in messages(client, "positions-state") for state in msg["positions"]]
    assert len(seen) == 3
    for state in seen:
        assert state.keys() >= {"current_price", "sell_profit", "pnl", "pnl_net", "open_price", "currency_conversion"}
        assert state["margin"] == pytest.approx(float(position.invest))
        assert state["sell_profit"] == pytest.approx(state["margin"] + state["pnl"])
    assert seen[-1]["current_price"] == quote(world).bid


@pytest.mark.parametrize(
    ("fault", "booked"),
    [
        (RejectOrder(user=USER), 0),
        (InsufficientFundsOnce(user=USER), 0),
        (SwallowReply(user=USER), 1),
        (DropBeforeReply(user=USER), 1),
    ],
)
async def test_faults_of_orders_meet_margin_orders(world: World, fault: Any, booked: int) -> None:
    client = world.client()
    world.broker.faults.arm(fault)
    message = {"name": "marginal-forex.place-market-order", "version": "1.0", "body": body(world)}
    request_id = client.send("sendMessage", message)
    answered = [each for each in client.received() if each.get("request_id") == request_id]
    assert len(answered) == (1 if booked == 0 else 0)
    assert len(world.broker.positions.open(USER)) == booked
    assert world.broker.faults.armed(USER) == []


def test_what_was_won_and_lost_is_in_the_ledger(world: World) -> None:
    balance = world.margin_balance()
    position = bought(world)
    world.clock.advance(600)
    closed = world.broker.margin.positions.close_by_user(USER, FOREX, position.external_id)
    assert closed.closing is not None
    pnl = closed.closing.profit - closed.invest
    entry = world.broker.ledger.entries(balance.id)[-1]
    assert (entry.reason, entry.change, entry.position_id) == (Reason.PNL, pnl, position.external_id)
    assert world.margin_balance().amount == 10_000 + pnl == world.broker.ledger.total(balance.id)


def test_an_active_that_is_gone_costs_nothing(tmp_path: Path) -> None:
    database, world = str(tmp_path / "broker.sqlite"), World(database=str(tmp_path / "broker.sqlite"))
    order = world.margin_order(BTC)
    position = world.broker.margin.orders.market(USER, CRYPTO, order).position
    pending = world.broker.margin.orders.defer(
        USER, CRYPTO, msgspec.structs.replace(order, stop_price=Decimal(200_000)), "stop_price"
    )
    world.storage.close()
    actives = tmp_path / "actives.json"
    actives.write_text('[{"id": 76, "ticker": "E", "name": "EUR/USD OTC", "category": "forex", "price": 1.1}]')
    world = World(world.clock, database, paper_actives=actives)
    world.clock.advance(3600)
    assert world.broker.margin.watch.advance(world.broker.now()) == []
    assert world.broker.margin.orders.cancel(USER, CRYPTO, pending.id) is not None
    closed = world.broker.margin.positions.close_by_user(USER, CRYPTO, position.external_id)
    assert closed.closing is not None
    assert (closed.closing.profit, closed.closing.reason) == (position.invest, CloseReason.DEFAULT)
    with pytest.raises(Refused, match="unknown active"):
        world.broker.margin.orders.market(USER, CRYPTO, order)
    assert not world.broker.margin.book
