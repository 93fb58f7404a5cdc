"""Digital options from the list of underlyings to their settlement (quadcode-protocol §13, §15)."""

import asyncio
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.paper_broker.accounts import BalanceType
from services.paper_broker.announcer import EVENT_GAP
from services.paper_broker.digital import PlaceDigitalOption
from services.paper_broker.digital_instruments import Instrument, on_offer
from services.paper_broker.errors import Refused
from services.paper_broker.faults import HideDigitalPosition, SwallowReply
from services.paper_broker.options import outcome
from services.paper_broker.orders import OrderStatus
from services.paper_broker.positions import CloseReason, InstrumentType, Position
from services.paper_broker.selling import CannotSell
from services.paper_broker.ticker import Ticker
from tests.unit.paper_broker.world import APPLE, EURUSD, OTHER_USER, START, USER, Client, Frame, HandClock, World

NOW = int(START.timestamp())
ALL_TYPES = list(InstrumentType)


def soonest(world: World) -> Instrument:
    return next(on_offer(EURUSD, world.clock.second))


def request(world: World, **changes: Any) -> PlaceDigitalOption:
    instrument = soonest(world)
    spot, *_ = world.broker.digital.offers.strikes(instrument)
    asked = PlaceDigitalOption(
        amount=Decimal(10),
        asset_id=EURUSD,
        instrument_id=instrument.symbol("call", spot),
        instrument_index=instrument.number,
        user_balance_id=world.balance().id,
    )
    return msgspec.structs.replace(asked, **changes)


def bought(world: World, **changes: Any) -> Position:
    position = world.broker.digital.place(USER, request(world, **changes)).position
    assert position is not None
    return position


def body(world: World, **changes: Any) -> Frame:
    asked: Frame = msgspec.to_builtins(request(world))
    return asked | changes


async def events(client: Client, count: int) -> list[Frame]:
    """The next ones, and no more that come with them."""
    seen: list[Frame] = []
    async with asyncio.timeout(5):
        while len(seen) < count:
            await asyncio.sleep(EVENT_GAP / 4)
            seen += client.received()
    await asyncio.sleep(EVENT_GAP * 2)
    return seen + client.received()


def test_a_spot_option_pays_from_its_price(world: World) -> None:
    order, position = world.broker.digital.place(USER, request(world))
    assert position is not None
    assert (order.status, order.position_id) == (OrderStatus.FILLED, position.id)
    assert order.id != position.external_id
    assert position.order_id == order.id
    assert position.strike == position.open_quote
    assert (position.payout, position.expected_profit) == (86, Decimal("18.60"))
    assert world.balance().amount == Decimal(9990)


@pytest.mark.parametrize("direction", ["call", "put"])
def test_an_option_is_settled_against_its_strike(world: World, direction: Any) -> None:
    instrument = next(each for each in on_offer(EURUSD, NOW) if each.begins == NOW)
    for strike in world.broker.digital.offers.strikes(instrument)[1:]:
        symbol = instrument.symbol(direction, strike)
        with suppress(Refused):
            bought(world, instrument_index=instrument.number, instrument_id=symbol)
    before = world.balance().amount
    world.clock.advance(instrument.expiration - NOW)
    closed = world.broker.options.settle()
    assert len(closed) > 5
    for position in closed:
        assert position.closing is not None
        assert position.closing.reason is CloseReason.EXPIRED
        won = outcome(position, position.closing.quote) is CloseReason.WIN
        assert position.closing.profit == (position.expected_profit if won else 0)
    paid = sum((each.closing.profit for each in closed if each.closing is not None), Decimal(0))
    assert world.balance().amount == before + paid == world.broker.ledger.total(world.balance().id)


def test_without_money_the_order_is_stored_and_rejected(world: World) -> None:
    order, position = world.broker.digital.place(
        USER, request(world, user_balance_id=world.balance(BalanceType.REAL).id)
    )
    assert position is None
    assert (order.status, order.position_id) == (OrderStatus.REJECTED, None)
    assert world.broker.orders.find(USER, order.id) == order
    assert world.broker.positions.all(USER) == []


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"asset_id": 999}, 4220, "unknown active"),
        ({"asset_id": APPLE}, 4101, "closed"),
        ({"asset_id": 81}, 4220, "instrument_index"),
        ({"instrument_index": 12}, 4220, "instrument_index"),
        ({"instrument_id": "do76"}, 4220, "unknown strike"),
        ({"amount": Decimal("0.5")}, 4104, "between 1 and 20000 USD"),
        ({"amount": Decimal("NaN")}, 4220, "finite"),
        ({"user_balance_id": 99}, 4220, "unknown balance"),
    ],
)
def test_a_bad_order_is_refused_and_nothing_is_stored(
    world: World, changes: dict[str, Any], status: int, words: str
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        world.broker.digital.place(USER, request(world, **changes))
    assert refused.value.status == status
    assert world.broker.positions.all(USER) == []
    assert world.balance().amount == Decimal(10000)


def test_the_deadtime_ends_the_purchase(world: World) -> None:
    asked = request(world)
    world.clock.set(START.replace(microsecond=0))
    world.clock.advance(49.999)
    world.broker.digital.place(USER, asked)
    world.clock.advance(0.001)
    with pytest.raises(Refused, match="4105"):
        world.broker.digital.place(USER, asked)


def test_a_position_is_closed_for_what_was_shown(world: World) -> None:
    position = bought(world)
    world.clock.advance(31)
    bid = world.broker.selling.bid(position, world.broker.now())
    (closed,) = world.broker.selling.sell(USER, [position.external_id], (InstrumentType.DIGITAL,))
    assert bid is not None
    assert closed.closing is not None
    assert (closed.closing.profit, closed.closing.reason) == (bid.amount, CloseReason.DEFAULT)
    with pytest.raises(CannotSell, match="is closed"):
        world.broker.selling.sell(USER, [position.external_id], (InstrumentType.DIGITAL,))


def test_what_expires_while_the_broker_is_down_is_settled_as_if_it_had_not_been(tmp_path: Path) -> None:
    database, clock, undisturbed = str(tmp_path / "broker.sqlite"), HandClock(), World()
    world = World(clock, database)
    for each in (world, undisturbed):
        bought(each)
    world.storage.close()
    clock.advance(90)
    undisturbed.clock.advance(90)
    world = World(clock, database)
    (late,), (in_time,) = world.broker.options.settle(), undisturbed.broker.options.settle()
    assert late.closing == in_time.closing
    assert world.balance() == undisturbed.balance()
    world.storage.close()


def test_underlyings_have_the_fields_of_the_specification(client: Client) -> None:
    msg = client.call("digital-option-instruments.get-underlying-list", "3.0", {"filter_suspended": True})["msg"]
    assert msg["type"] == "digital-option"
    (eurusd,) = [each for each in msg["underlying"] if each["active_id"] == EURUSD]
    assert eurusd | {"schedule": []} == {
        "active_id": EURUSD,
        "is_suspended": False,
        "name": "EURUSD-OTC",
        "schedule": [],
    }
    assert any(each["open"] <= NOW <= each["close"] for each in eurusd["schedule"])


def test_instruments_have_the_fields_of_the_specification(client: Client) -> None:
    msg = client.call("digital-option-instruments.get-instruments", "3.0", {"asset_id": EURUSD})["msg"]
    first, *_ = msg["instruments"]
    assert {each["period"] for each in msg["instruments"]} == {60, 300, 900}
    call, put, *others = first.pop("data")
    assert first == {
        "index": first["index"],
        "asset_id": EURUSD,
        "instrument_type": "digital-option",
        "period": 60,
        "expiration": NOW + 60,
        "deadtime": 10,
    }
    assert (call["direction"], call["strike"]) == ("call", "SPT")
    assert (put["direction"], put["strike"]) == ("put", "SPT")
    assert all(Decimal(each["strike"]) > 0 for each in others)
    assert client.call("digital-option-instruments.get-instruments", "3.0", {"asset_id": 999})["status"] == 4220


async def test_an_order_is_answered_then_filled_and_then_opens_its_position(world: World, client: Client) -> None:
    client.subscribe("portfolio.order-changed", "2.0", user_id=USER, instrument_type="digital-option")
    client.subscribe("portfolio.position-changed", "3.0", user_id=USER)
    reply = client.call("digital-options.place-digital-option", "3.0", body(world, amount="12.5"))
    assert set(reply["msg"]) == {"id"}
    assert client.received() == []
    filled, opened = await events(client, 2)
    order, position = filled["msg"], opened["msg"]
    assert (filled["name"], order["status"], order["position_id"]) == ("order-changed", "filled", position["id"])
    assert order["raw_event"] == {"digital_options_order_changed1": reply["msg"]}
    assert (opened["name"], position["status"], position["invest"]) == ("position-changed", "open", 12.5)
    assert position["raw_event"] == {
        "digital_options_position_changed1": {
            "order_ids": [reply["msg"]["id"]],
            "instrument_dir": "call",
            "instrument_expiration": (NOW + 60) * 1000,
        }
    }


async def test_for_want_of_money_the_reply_succeeds_and_the_order_is_rejected(world: World, client: Client) -> None:
    client.subscribe("portfolio.order-changed", "2.0", user_id=USER, instrument_type="digital-option")
    client.subscribe("portfolio.position-changed", "3.0", user_id=USER)
    poor = body(world, user_balance_id=world.balance(BalanceType.REAL).id)
    reply = client.call("digital-options.place-digital-option", "3.0", poor)
    assert reply["status"] == 2000
    (rejected,) = await events(client, 1)
    assert (rejected["msg"]["status"], "position_id" in rejected["msg"]) == ("rejected", False)
    assert rejected["msg"]["raw_event"] == {"digital_options_order_changed1": reply["msg"]}


async def test_a_position_can_be_hidden_from_every_list_while_its_events_come(world: World, client: Client) -> None:
    client.subscribe("portfolio.position-changed", "3.0")
    world.broker.faults.arm(HideDigitalPosition(user=USER, seconds=20))
    assert client.call("digital-options.place-digital-option", "3.0", body(world))["name"] == "digital-option-placed"
    (told,) = await events(client, 1)
    query = {"instrument_types": ["digital-option"]}
    assert client.call("portfolio.get-positions", "4.0", query)["msg"]["positions"] == []
    world.clock.advance(20)
    (shown,) = client.call("portfolio.get-positions", "4.0", query)["msg"]["positions"]
    assert shown["external_id"] == told["msg"]["external_id"]


async def test_the_reply_to_an_order_can_be_lost(world: World, client: Client) -> None:
    world.broker.faults.arm(SwallowReply(user=USER))
    message = {"name": "digital-options.place-digital-option", "version": "3.0", "body": body(world)}
    client.send("sendMessage", message)
    assert client.received() == []
    assert len(world.broker.positions.open(USER)) == 1


async def test_closing_is_acknowledged_and_only_for_ones_own_digital_options(world: World, client: Client) -> None:
    position, blitz = bought(world), world.broker.options.buy(USER, world.order())
    ask = "digital-options.close-position", "1.0"
    for number in (position.order_id, blitz.external_id, 999):
        refusal = client.call(*ask, {"position_id": number})["msg"]
        assert refusal == {"success": False, "reason": f"unknown option {number}"}
    assert world.client(OTHER_USER).call(*ask, {"position_id": position.external_id})["msg"]["success"] is False
    assert client.call(*ask, {"position_id": position.external_id})["msg"] == {"success": True, "reason": ""}
    lookup = {"instrument_types": ALL_TYPES, "external_id": position.external_id}
    (closed,) = client.call("portfolio.get-history-positions", "2.0", lookup)["msg"]["positions"]
    assert (closed["close_reason"], closed["version"]) == ("default", 2)


def test_a_suspension_is_told_only_to_those_who_have_the_list(world: World, client: Client) -> None:
    unaware = world.client()
    for each in (client, unaware):
        each.subscribe("digital-option-instruments.underlying-list-changed", "3.0")
    client.call("digital-option-instruments.get-underlying-list", "3.0", {"filter_suspended": True})
    ticker = Ticker(world.broker)
    assert world.broker.catalogue.suspend(EURUSD, True)
    ticker.tick(NOW * 1000 + 1000)
    (changed,) = client.received("underlying-list-changed")
    assert (changed["microserviceName"], changed["msg"]["type"]) == ("digital-option-instruments", "digital-option")
    (eurusd,) = changed["msg"]["underlying"]
    assert (eurusd["active_id"], eurusd["is_suspended"]) == (EURUSD, True)
    assert unaware.received("underlying-list-changed") == []
    ticker.tick(NOW * 1000 + 2000)
    assert client.received("underlying-list-changed") == []


def test_a_new_day_brings_new_schedules(world: World, client: Client) -> None:
    client.subscribe("digital-option-instruments.underlying-list-changed", "3.0")
    listed = client.call("digital-option-instruments.get-underlying-list", "3.0", {})["msg"]["underlying"]
    Ticker(world.broker).tick((NOW // 86400 + 1) * 86400 * 1000)
    (changed,) = client.received("underlying-list-changed")
    assert len(changed["msg"]["underlying"]) == len(listed)


def test_new_instruments_are_told_as_time_goes_on(world: World, client: Client) -> None:
    client.subscribe("digital-option-instruments.instrument-generated", "3.0", asset_id=EURUSD)
    ask = "digital-option-instruments.get-instruments", "3.0", {"asset_id": EURUSD}
    known = {each["index"]: each for each in client.call(*ask)["msg"]["instruments"]}
    ticker = Ticker(world.broker)
    for second in range(1, 301):
        world.clock.advance(1)
        ticker.tick((NOW + second) * 1000)
        for frame in client.received("instrument-generated"):
            assert frame["microserviceName"] == "digital-option-instruments"
            assert frame["msg"]["index"] not in known
            known[frame["msg"]["index"]] = frame["msg"]
    assert len(known) == 7 + 5 + 1
    assert all(known[each["index"]] == each for each in client.call(*ask)["msg"]["instruments"])


def test_every_second_every_strike_has_both_prices(world: World, client: Client) -> None:
    instrument = soonest(world)
    name = "trading-settings.digital-option-client-price-generated"
    filters = {"asset_id": EURUSD, "instrument_index": instrument.number, "instrument_type": "digital-option"}
    client.subscribe(name, "1.0", **filters)
    ticker = Ticker(world.broker)
    for second in (1, 2):
        ticker.tick((NOW + second) * 1000)
        (frame,) = client.received("digital-option-client-price-generated")
        msg = frame["msg"]
        assert (frame["microserviceName"], msg["instrument_index"]) == ("trading-settings", instrument.number)
        assert [entry["strike"] for entry in msg["prices"]] == [
            strike.name for strike in world.broker.digital.offers.strikes(instrument)
        ]
        for side in (entry[side] for entry in msg["prices"] for side in ("call", "put")):
            assert 0 <= side["bid"] < side["ask"] <= 100
    ticker.tick(instrument.expiration * 1000)
    assert client.received("digital-option-client-price-generated") == []


@pytest.mark.parametrize(
    "filters",
    [
        {"asset_id": 999, "instrument_index": 1, "instrument_type": "digital-option"},
        {"asset_id": EURUSD, "instrument_index": "x", "instrument_type": "digital-option"},
        {"asset_id": EURUSD, "instrument_index": 1, "instrument_type": "blitz-option"},
        {"asset_id": EURUSD, "instrument_type": "digital-option"},
    ],
)
def test_prices_of_no_instrument_cannot_be_subscribed_to(client: Client, filters: dict[str, object]) -> None:
    reply = client.subscribe("trading-settings.digital-option-client-price-generated", "1.0", **filters)
    assert reply["status"] == 4220
