import asyncio
from decimal import Decimal

import pytest

from services.paper_broker.accounts import Balance, BalanceType, Opening
from services.paper_broker.announcer import EVENT_GAP
from tests.unit.paper_broker.world import USER, Client, World


@pytest.fixture
def margin(world: World) -> Balance:
    with world.storage.transaction():
        world.broker.accounts.open(USER, Opening(BalanceType.DEMO, "EUR", Decimal("700.5"), is_marginal=True))
    return world.broker.accounts.balances(USER)[-1]


def reset(client: Client, balance: Balance) -> None:
    body = {"user_balance_id": balance.id, "amount": 10000}
    assert client.call("internal-billing.reset-training-balance", "4.0", body)["msg"]["success"] is True


def test_without_positions_all_the_cash_is_free(client: Client, margin: Balance) -> None:
    assert client.call("marginal-portfolio.get-marginal-balance", "1.0", {"user_balance_id": margin.id})["msg"] == {
        "id": margin.id,
        "type": 4,
        "cash": "700.50",
        "bonus": "0.00",
        "currency": "EUR",
        "user_id": USER,
        "pnl": "0.00",
        "pnl_net": "0.00",
        "equity": "700.50",
        "equity_usd": "756.54",
        "swap": "0.00",
        "dividends": "0.00",
        "margin": "0.00",
        "available": "700.50",
        "margin_level": "0",
        "stop_out_level": "50",
    }


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
