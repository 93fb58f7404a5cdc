"""Turbo and binary options are sold before they expire (quadcode-protocol §12.5)."""

from decimal import Decimal
from typing import Any

import pytest

from services.paper_broker.option_kinds import BINARY, TURBO, OptionKind
from services.paper_broker.portfolio import valuation
from services.paper_broker.positions import CloseReason, Position
from services.paper_broker.selling import BINARY_FAMILY, CannotSell
from tests.unit.paper_broker.world import OTHER_USER, START, USER, Client, World

NOW = int(START.timestamp())


def bought(world: World, kind: OptionKind = TURBO, **changes: Any) -> Position:
    expired = NOW - NOW % kind.sizes[0] + kind.sizes[0]
    order = world.order(option_type_id=kind.type_id, expired=expired, expiration_size=None, **changes)
    return world.broker.options.buy(USER, order)


def sell(world: World, *ids: int, user: int = USER) -> list[Position]:
    return world.broker.selling.sell(user, ids, BINARY_FAMILY)


@pytest.mark.parametrize("kind", [TURBO, BINARY])
@pytest.mark.parametrize("direction", ["call", "put"])
def test_a_sale_pays_what_was_shown_and_closes_the_position(world: World, kind: OptionKind, direction: str) -> None:
    position = bought(world, kind, direction=direction)
    world.clock.advance(20)
    bid = world.broker.selling.bid(position, world.broker.now())
    assert bid is not None
    (closed,) = sell(world, position.external_id)
    assert closed.closing is not None
    assert closed.closing.reason is CloseReason.SOLD
    assert (closed.closing.profit, closed.closing.quote) == (bid.amount, bid.quote)
    assert closed.version == 2
    assert 0 <= bid.amount <= position.expected_profit
    assert world.balance().amount == 9990 + bid.amount == world.broker.ledger.total(world.balance().id)
    assert world.broker.positions.open(USER) == []
    assert world.broker.positions.find(USER, position.external_id) == closed


def test_what_was_sold_is_not_settled(world: World) -> None:
    position = bought(world)
    sell(world, position.external_id)
    amount = world.balance().amount
    world.clock.advance(120)
    assert world.broker.options.settle() == []
    assert world.balance().amount == amount


def test_an_option_sold_at_once_loses_the_spread(world: World) -> None:
    position = bought(world)
    (closed,) = sell(world, position.external_id)
    assert closed.closing is not None
    assert closed.closing.profit == Decimal("8.59")  # 18.6 × 46.23 %, rounded down to cents


@pytest.mark.parametrize("kind", [TURBO, BINARY])
def test_selling_ends_before_the_expiry(world: World, kind: OptionKind) -> None:
    early, late = bought(world, kind), bought(world, kind)
    world.clock.set(START.replace(microsecond=0))
    world.clock.advance(kind.sizes[0] - kind.buyback_deadtime - 0.001)
    sell(world, early.external_id)
    world.clock.advance(0.001)
    assert world.broker.selling.bid(late, world.broker.now()) is None
    with pytest.raises(CannotSell, match=f"The time to sell option {late.external_id} is over"):
        sell(world, late.external_id)


@pytest.mark.parametrize("kind", [TURBO, BINARY])
def test_what_was_bought_last_minute_can_be_sold(world: World, kind: OptionKind) -> None:
    world.clock.set(START.replace(microsecond=0))
    world.clock.advance(kind.sizes[0] - kind.deadtime - 0.001)
    position = bought(world, kind)
    world.clock.advance(9)
    assert len(sell(world, position.external_id)) == 1


def test_of_several_all_are_sold_or_none(world: World) -> None:
    first, second, blitz = bought(world), bought(world), world.broker.options.buy(USER, world.order())
    for bad in (blitz.external_id, 999, first.external_id):
        with pytest.raises(CannotSell):
            sell(world, first.external_id, second.external_id, bad)
    assert len(world.broker.positions.open(USER)) == 3
    assert len(sell(world, first.external_id, second.external_id)) == 2
    with pytest.raises(CannotSell, match="is closed"):
        sell(world, first.external_id)


def test_options_of_others_are_unknown(world: World) -> None:
    position = bought(world)
    with pytest.raises(CannotSell, match="unknown option"):
        sell(world, position.external_id, user=OTHER_USER)


async def test_a_sale_is_acknowledged_and_a_refusal_says_why(world: World, client: Client) -> None:
    position = bought(world)
    body = {"options_ids": [position.external_id]}
    ask = ("binary-options.sell-options", "3.0", body)
    assert client.call(*ask)["msg"] == {"success": True, "reason": ""}
    refusal = f"Option {position.external_id} is closed."
    assert client.call(*ask)["msg"] == {"success": False, "reason": refusal}
    assert client.call("binary-options.sell-options", "3.0", {"options_ids": []})["status"] == 4220


def test_the_state_of_a_position_is_what_a_sale_would_pay(world: World) -> None:
    position = bought(world)
    world.clock.advance(7)
    now = world.broker.now()
    bid = world.broker.selling.bid(position, now)
    assert bid is not None
    state = valuation(position, bid.quote, bid, now)
    assert (state["sell_profit"], state["pnl"]) == (bid.amount, bid.amount - 10)
    (closed,) = sell(world, position.external_id)
    assert closed.closing is not None
    assert closed.closing.profit == state["sell_profit"]
