"""What a margin balance is worth, with and without positions (quadcode-protocol §8.3)."""

import asyncio
from decimal import Decimal

import pytest

from services.paper_broker.accounts import Balance
from services.paper_broker.announcer import EVENT_GAP
from services.paper_broker.epoch import ticks_before
from services.paper_broker.margin_balances import Worth
from services.paper_broker.margin_instruments import CRYPTO, FOREX
from tests.unit.paper_broker.test_margin_instruments import BTC
from tests.unit.paper_broker.test_ticker import advance
from tests.unit.paper_broker.world import USER, Client, Frame, World

NUMBERS = ("cash", "pnl", "equity", "margin", "available", "margin_level")


@pytest.fixture
def margin(world: World) -> Balance:
    return world.margin_balance("EUR", 700)


def told(client: Client, balance: Balance) -> Frame:
    reply = client.call("marginal-portfolio.get-marginal-balance", "1.0", {"user_balance_id": balance.id})
    assert reply["status"] == 2000
    return dict(reply["msg"])


def reset(client: Client, balance: Balance) -> None:
    body = {"user_balance_id": balance.id, "amount": 10000}
    assert client.call("internal-billing.reset-training-balance", "4.0", body)["msg"]["success"] is True


def test_without_positions_all_the_cash_is_free(world: World, client: Client, margin: Balance) -> None:
    rate = world.broker.rates.rate("EUR", "USD", ticks_before(world.broker.now()))
    assert rate is not None
    msg = told(client, margin)
    assert abs(Decimal(msg.pop("equity_usd")) - 700 * rate.bid) <= Decimal("0.005")
    assert msg == {
        "id": margin.id,
        "type": 4,
        "cash": "700.00",
        "bonus": "0.00",
        "currency": "EUR",
        "user_id": USER,
        "pnl": "0.00",
        "pnl_net": "0.00",
        "equity": "700.00",
        "swap": "0.00",
        "dividends": "0.00",
        "margin": "0.00",
        "available": "700.00",
        "margin_level": "0.00",
        "stop_out_level": "50",
    }


def test_open_positions_tie_up_margin_and_move_the_equity(world: World, client: Client) -> None:
    balance = world.margin_balance()
    forex = world.broker.margin.orders.market(USER, FOREX, world.margin_order()).position
    crypto = world.broker.margin.orders.market(USER, CRYPTO, world.margin_order(BTC, side="sell")).position
    for seconds in (0, 60, 3600):
        world.clock.advance(seconds)
        cash, pnl, equity, margin, available, level = (Decimal(told(client, balance)[name]) for name in NUMBERS)
        assert cash == 10000
        assert margin == forex.invest + crypto.invest
        assert equity == cash + pnl
        assert available == equity - margin
        assert abs(level - equity * 100 / margin) <= Decimal("0.005")
    assert pnl != 0


def test_below_half_the_margin_it_is_stopped_out() -> None:
    levels = [Worth(Decimal(100), Decimal(pnl), Decimal(80)).stopped_out for pnl in (-59, -60, -61, -200)]
    assert levels == [False, False, True, True]
    assert not Worth(Decimal(-5), Decimal(0), Decimal(0)).stopped_out


def test_only_margin_balances_of_ones_own_have_such_numbers(world: World, client: Client) -> None:
    for balance_id in (world.balance().id, 99):
        body = {"user_balance_id": balance_id}
        assert client.call("marginal-portfolio.get-marginal-balance", "1.0", body)["status"] == 4220


async def test_a_change_is_told_to_whoever_once_asked_for_it(world: World, margin: Balance) -> None:
    first = world.client()
    first.call("marginal-portfolio.subscribe-balance-changed", "1.0", {"user_balance_id": margin.id})
    again = world.client()
    again.subscribe("marginal-portfolio.balance-changed", "1.0")
    reset(again, margin)
    await asyncio.sleep(EVENT_GAP * 2)
    (event,) = again.received("balance-changed")
    assert event["microserviceName"] == "marginal-portfolio"
    assert (event["msg"]["id"], event["msg"]["cash"]) == (margin.id, "10000.00")


async def test_nobody_who_did_not_ask_is_told(world: World, margin: Balance) -> None:
    client = world.client()
    client.subscribe("marginal-portfolio.balance-changed", "1.0")
    reset(client, margin)
    await asyncio.sleep(EVENT_GAP * 2)
    assert client.received("balance-changed") == []


def test_while_something_is_open_its_worth_is_told_every_second(world: World, client: Client) -> None:
    balance = world.margin_balance()
    client.call("marginal-portfolio.subscribe-balance-changed", "1.0", {"user_balance_id": balance.id})
    client.subscribe("marginal-portfolio.balance-changed", "1.0")
    advance(world, 2)
    assert client.received("balance-changed") == []
    world.broker.margin.orders.market(USER, FOREX, world.margin_order())
    seen = []
    for _ in range(3):
        advance(world, 1)
        seen += client.received("balance-changed")
    assert len(seen) == 3
    assert len({event["msg"]["equity"] for event in seen}) > 1
