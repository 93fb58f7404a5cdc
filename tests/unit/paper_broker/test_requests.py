"""Every request with its reply as in the specification (quadcode-protocol §6 to §15)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from libs.contracts.market import CANDLE_SIZES
from services.paper_broker.accounts import BalanceType
from tests.unit.paper_broker.world import APPLE, EURUSD, OTHER_USER, START, USER, Client, Frame, World

NOW = int(START.timestamp())
ALL_TYPES = ["digital-option", "binary-option", "turbo-option", "blitz-option", "marginal-cfd"]
ACK = {"success": True, "reason": ""}


def order(world: World, **changes: Any) -> Frame:
    return {
        "active_id": EURUSD,
        "direction": "put",
        "expiration_size": 10,
        "expired": 0,
        "option_type_id": 12,
        "price": 25,
        "user_balance_id": world.balance().id,
        "profit_percent": 86,
    } | changes


async def buy(world: World, client: Client, **changes: Any) -> Frame:
    """A coroutine, for the events that come after the reply need a running loop."""
    return client.call("binary-options.open-option", "2.0", order(world, **changes))


def test_the_profile_names_the_user(client: Client) -> None:
    result = client.call("core.get-profile", "1.0")["msg"]["result"]
    assert result["user_id"] == USER
    assert {type(result[field]) for field in ("first_name", "last_name", "email")} == {str}


def test_balances_are_a_bare_array(world: World, client: Client) -> None:
    reply = client.call("balances.get-available-balances", "1.0", {"types_ids": [1, 4]})
    assert reply["msg"][1] == {
        "id": world.balance().id,
        "type": 4,
        "amount": 10000,
        "bonus_amount": 0,
        "currency": "USD",
        "user_id": USER,
        "is_marginal": False,
    }
    assert [balance["type"] for balance in reply["msg"]] == [1, 4]


def test_balances_are_filtered_by_type(client: Client) -> None:
    reply = client.call("balances.get-available-balances", "1.0", {"types_ids": [4, 7]})
    assert [balance["type"] for balance in reply["msg"]] == [4]


def test_margin_changes_of_any_balance_can_be_subscribed_to(world: World, client: Client) -> None:
    for type_ in BalanceType:
        body = {"user_balance_id": world.balance(type_).id}
        assert client.call("marginal-portfolio.subscribe-balance-changed", "1.0", body)["msg"] == ACK
        assert world.balance(type_).watched
    assert client.call("marginal-portfolio.subscribe-balance-changed", "1.0", {"user_balance_id": 99})["status"] == 4220


async def test_a_demo_balance_can_be_reset(world: World, client: Client) -> None:
    await buy(world, client)
    body = {"user_balance_id": world.balance().id, "amount": 10000}
    assert client.call("internal-billing.reset-training-balance", "4.0", body)["msg"] == ACK
    assert world.balance().amount == Decimal(10000)


@pytest.mark.parametrize(("amount", "status"), [(-1, 4220), (1_000_001, 4220), (1.001, 4220), ("NaN", 4220), (0, 2000)])
async def test_a_reset_has_bounds(world: World, client: Client, amount: object, status: int) -> None:
    body = {"user_balance_id": world.balance().id, "amount": amount}
    assert client.call("internal-billing.reset-training-balance", "4.0", body)["status"] == status


def test_a_real_balance_cannot_be_reset(world: World, client: Client) -> None:
    body = {"user_balance_id": world.balance(BalanceType.REAL).id, "amount": 10000}
    assert client.call("internal-billing.reset-training-balance", "4.0", body)["status"] == 4003
    assert world.balance(BalanceType.REAL).amount == 0


def test_a_currency_has_all_fields_of_the_specification(client: Client) -> None:
    assert client.call("get-currency", "5.0", {"name": "BRL"})["msg"] == {
        "id": 6,
        "name": "BRL",
        "description": "Brazilian Real",
        "symbol": "R$",
        "is_visible": True,
        "mask": "R$%s",
        "is_tradable": True,
        "code": "BRL",
        "unit": 1,
        "rate": 0.18,
        "rate_usd": 0.18,
        "min_deal_amount": 5,
        "max_deal_amount": 100000,
        "minor_units": 2,
        "image": "currency/brl.png",
        "is_crypto": False,
        "is_inout": True,
        "interest_rate": 0,
    }
    assert client.call("get-currency", "5.0", {"name": "XXX"})["status"] == 4040


def test_an_active_has_all_fields_of_the_specification(client: Client) -> None:
    active = client.call("get-active", "5.0", {"id": EURUSD})["msg"]
    assert active | {"image": "", "description": ""} == {
        "id": 76,
        "name": "EURUSD-OTC",
        "description": "",
        "image": "",
        "is_otc": True,
        "time_from": "00:00:00",
        "time_to": "23:59:59",
        "precision": 6,
        "pip_scale": 4,
        "spread_plus": 11,
        "spread_minus": 11,
        "expiration_days": [1, 2, 3, 4, 5, 6, 7],
        "currency_left_side": "EUR",
        "currency_right_side": "USD",
        "type": "forex",
        "min_qty": 0.01,
        "qty_step": 0.01,
        "type_qty": "lots",
    }
    assert active["image"].startswith("/")
    assert client.call("get-active", "5.0", {"id": 9})["status"] == 4040


def test_an_active_with_hours_tells_when_its_day_ends(client: Client) -> None:
    shown = client.call("get-active", "5.0", {"id": APPLE})["msg"]
    assert (shown["time_from"], shown["time_to"], shown["is_otc"]) == ("14:30:00", "20:59:59", False)


def test_initialization_data_has_all_actives_in_three_kinds(client: Client) -> None:
    data = client.call("binary-options.get-initialization-data", "3.0")["msg"]
    assert set(data) == {"binary", "turbo", "blitz"}
    assert {len(kind["actives"]) for kind in data.values()} == {len(data["blitz"]["actives"])} != {0}
    offers = {name: kind["actives"]["76"] for name, kind in data.items()}
    same = {"id": 76, "name": "front.EURUSD-OTC", "ticker": "EURUSD-OTC", "is_suspended": False, "schedule": []}
    profit = {"commission": 14}
    assert offers["blitz"] | {"schedule": []} == same | {
        "option": {"expiration_times": [5, 10, 15, 30, 60, 120, 300], "profit": profit},
    }
    assert offers["turbo"] | {"schedule": []} == same | {
        "is_buyback": True,
        "deadtime": 15,
        "buyback_deadtime": 5,
        "option": {"count": 5, "expiration_times": [60], "profit": profit},
    }
    saturday = str(int(datetime(2026, 11, 28, tzinfo=UTC).timestamp()))
    assert offers["binary"] | {"schedule": []} == same | {
        "is_buyback": True,
        "deadtime": 60,
        "buyback_deadtime": 30,
        "option": {
            "count": 4,
            "expiration_times": [900],
            "profit": profit,
            "special": {saturday: {"title": "front.End of week", "enabled": True}},
        },
    }
    assert any(opens <= NOW <= closes for opens, closes in offers["turbo"]["schedule"])


def test_initialization_data_shows_trading_hours(client: Client) -> None:
    active = client.call("binary-options.get-initialization-data", "3.0")["msg"]["blitz"]["actives"][str(APPLE)]
    assert not any(opens <= NOW <= closes for opens, closes in active["schedule"])
    assert any(opens <= NOW + 3 * 3600 <= closes for opens, closes in active["schedule"])


def test_candles_have_the_fields_of_the_specification(client: Client) -> None:
    body = {"active_id": EURUSD, "size": 60, "count": 2, "kind": "mid", "split_normalization": False, "backoff": 5}
    closed, running = client.call("quotes-history.get-candles", "2.0", body)["msg"]["candles"]
    assert set(closed) == {"id", "from", "to", "open", "close", "min", "max", "volume"}
    assert set(running) == set(closed) | {"at"}
    assert running["id"] == closed["id"] + 1


def test_a_refused_candle_query_is_a_map_of_fields(client: Client) -> None:
    reply = client.call("quotes-history.get-candles", "2.0", {"active_id": EURUSD, "size": 60, "from": NOW + 60})
    assert (reply["status"], reply["msg"]) == (4220, {"from": ["from must not be in the future"]})


def test_first_candles_are_keyed_by_size(client: Client) -> None:
    reply = client.call("get-first-candles", "1.0", {"active_id": EURUSD, "split_normalization": False})
    assert set(reply["msg"]["candles_by_size"]) == {str(size) for size in CANDLE_SIZES}


async def test_a_purchase_is_answered_as_in_the_specification(world: World, client: Client) -> None:
    msg = (await buy(world, client))["msg"]
    (position,) = world.broker.positions.open(USER)
    assert msg == {
        "id": position.external_id,
        "act": 76,
        "direction": "put",
        "exp": NOW + 10,
        "price": 25,
        "profit_income": 86,
        "time_rate": NOW,
        "type": "blitz",
        "value": position.open_quote,
    }


async def test_insufficient_funds_have_the_known_words(world: World, client: Client) -> None:
    reply = await buy(world, client, price=20000)
    assert (reply["status"], reply["msg"]) == (4103, {"message": "Insufficient funds for this transaction."})


@pytest.mark.parametrize("price", ["25", "NaN", "Infinity", None, True, 1e300, 1e-300])
async def test_a_stake_that_is_no_sensible_number_is_refused(world: World, client: Client, price: object) -> None:
    reply = await buy(world, client, price=price)
    if price == "25":
        assert reply["status"] == 2000  # a decimal string is as good as a number
    else:
        assert reply["status"] in (4220, 4104)


async def test_a_direction_that_is_none_is_refused(world: World, client: Client) -> None:
    assert (await buy(world, client, direction="up"))["status"] == 4220


async def test_a_blitz_option_cannot_be_sold(world: World, client: Client) -> None:
    option = (await buy(world, client))["msg"]["id"]
    reply = client.call("binary-options.sell-options", "3.0", {"options_ids": [option]})
    assert reply["msg"] == {"success": False, "reason": "Blitz options cannot be sold before they expire."}
    unknown = client.call("binary-options.sell-options", "3.0", {"options_ids": [999]})
    assert unknown["msg"] == {"success": False, "reason": "unknown option 999"}


async def test_open_positions_have_the_fields_of_the_specification(world: World, client: Client) -> None:
    option = (await buy(world, client))["msg"]
    body = {"instrument_types": ALL_TYPES, "limit": 30, "offset": 0}
    msg = client.call("portfolio.get-positions", "4.0", body)["msg"]
    assert (msg["limit"], msg["total"]) == (30, 1)
    (position,) = msg["positions"]
    assert position | {"id": ""} == {
        "id": "",
        "external_id": option["id"],
        "user_id": USER,
        "user_balance_id": world.balance().id,
        "active_id": EURUSD,
        "instrument_type": "blitz-option",
        "source": "binary-options",
        "status": "open",
        "version": 1,
        "invest": 25,
        "open_quote": option["value"],
        "open_time": NOW * 1000 + 100,
        "quote_timestamp": NOW * 1000,
        "expected_profit": 46.5,
        "pnl": 0,
        "pnl_realized": 0,
        "raw_event": {
            "binary_options_option_changed1": {
                "order_ids": [option["id"]],
                "direction": "put",
                "expiration_time": NOW + 10,
            }
        },
    }


async def test_open_positions_come_in_pages_of_the_types_asked_for(world: World, client: Client) -> None:
    ids = [(await buy(world, client))["msg"]["id"] for _ in range(5)]
    pages = []
    for offset in (0, 2, 4):
        body = {"instrument_types": ALL_TYPES, "limit": 2, "offset": offset}
        page = client.call("portfolio.get-positions", "4.0", body)["msg"]["positions"]
        pages.append([position["external_id"] for position in page])
    assert pages == [ids[:2], ids[2:4], ids[4:]]
    other = client.call("portfolio.get-positions", "4.0", {"instrument_types": ["turbo-option"]})["msg"]
    assert (other["total"], other["positions"]) == (0, [])


async def test_a_closed_position_is_in_history_by_page_and_by_id(world: World, client: Client) -> None:
    option = (await buy(world, client))["msg"]["id"]
    world.clock.advance(10)
    world.broker.options.settle()
    page_query = {"instrument_types": ALL_TYPES, "user_id": USER, "end": NOW + 10, "limit": 30, "offset": 0}
    page = client.call("portfolio.get-history-positions", "2.0", page_query)["msg"]
    lookup_query = {"instrument_types": ALL_TYPES, "external_id": option}
    lookup = client.call("portfolio.get-history-positions", "2.0", lookup_query)["msg"]
    assert page["limit"] == lookup["limit"] == 30
    assert page["positions"] == lookup["positions"]
    (position,) = page["positions"]
    assert (position["status"], position["version"], position["close_time"]) == ("closed", 2, (NOW + 10) * 1000)
    assert position["close_reason"] in ("win", "equal", "loose")
    profit = {"win": 46.5, "equal": 25, "loose": 0}[position["close_reason"]]
    assert position["close_profit"] == profit
    assert position["pnl"] == position["pnl_net"] == position["pnl_realized"] == profit - 25
    assert "close_quote" in position


async def test_an_open_position_is_not_in_history_and_has_no_field_of_its_closing(world: World, client: Client) -> None:
    option = (await buy(world, client))["msg"]["id"]
    query = {"instrument_types": ALL_TYPES, "external_id": option}
    assert client.call("portfolio.get-history-positions", "2.0", query)["msg"]["positions"] == []
    (position,) = client.call("portfolio.get-positions", "4.0", {"instrument_types": ALL_TYPES})["msg"]["positions"]
    assert not {"close_quote", "close_time", "close_profit", "close_reason"} & set(position)
    assert None not in position.values()


async def test_positions_of_others_cannot_be_seen(world: World, client: Client) -> None:
    option = (await buy(world, client))["msg"]["id"]
    world.clock.advance(10)
    world.broker.options.settle()
    other = world.client(OTHER_USER)
    query = {"instrument_types": ALL_TYPES, "user_id": USER}
    assert other.call("portfolio.get-history-positions", "2.0", query)["status"] == 4003
    lookup = {"instrument_types": ALL_TYPES, "external_id": option}
    assert other.call("portfolio.get-history-positions", "2.0", lookup)["msg"]["positions"] == []
    assert other.call("portfolio.get-positions", "4.0", {"instrument_types": ALL_TYPES})["msg"]["positions"] == []


@pytest.mark.parametrize("number", [2**63, 10**30, -1])
def test_a_number_that_is_no_id_is_refused(client: Client, number: int) -> None:
    lookup = {"instrument_types": ALL_TYPES, "external_id": number}
    assert client.call("portfolio.get-history-positions", "2.0", lookup)["status"] == 4220
    page = {"instrument_types": ALL_TYPES, "end": number}
    assert client.call("portfolio.get-history-positions", "2.0", page)["status"] == 4220
    assert client.call("binary-options.sell-options", "3.0", {"options_ids": [number]})["status"] == 4220
    balance = {"user_balance_id": number, "amount": 1}
    assert client.call("internal-billing.reset-training-balance", "4.0", balance)["status"] == 4220


@pytest.mark.parametrize("field", ["from", "to", "from_id", "to_id"])
@pytest.mark.parametrize("number", [2**63, 10**30, -(10**30)])
def test_candle_bounds_may_be_any_number(client: Client, field: str, number: int) -> None:
    reply = client.call("quotes-history.get-candles", "2.0", {"active_id": EURUSD, "size": 60, field: number})
    assert reply["status"] in (2000, 4220)


def test_there_are_no_pending_orders(world: World, client: Client) -> None:
    body = {"user_balance_id": world.balance().id, "kind": "deferred"}
    assert client.call("portfolio.get-orders", "2.0", body)["msg"] == {"items": []}


def test_valuations_can_be_subscribed_to(client: Client) -> None:
    assert client.call("portfolio.subscribe-positions", "1.0", {"frequency": "frequent", "ids": ["x"]})["msg"] == ACK
