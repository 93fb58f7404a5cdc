from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.paper_broker.accounts import BalanceType, Opening
from services.paper_broker.epoch import TICKS_PER_SECOND, ticks_before
from services.paper_broker.errors import Refused
from services.paper_broker.options import gross, outcome
from services.paper_broker.positions import CloseReason, InstrumentType, Position
from tests.unit.paper_broker.world import APPLE, EURUSD, OTHER_USER, START, USER, HandClock, World

NOW = int(START.timestamp())
TYPES = tuple(InstrumentType)


def bought(world: World, **changes: Any) -> Position:
    return world.broker.options.buy(USER, world.order(**changes))


def settled(world: World, position: Position) -> Position:
    world.clock.advance(position.expiration - world.clock.second)
    (closed,) = world.broker.options.settle()
    assert closed.external_id == position.external_id
    return closed


def test_the_stake_is_taken_at_purchase(world: World) -> None:
    bought(world, price=Decimal("12.34"))
    assert world.balance().amount == Decimal("9987.66")


def test_a_position_opens_at_the_price_of_the_moment(world: World) -> None:
    position = bought(world, expiration_size=30)
    active = world.broker.catalogue.get(EURUSD)
    assert active is not None
    assert position.open_quote == world.broker.market.quote(active, ticks_before(NOW * 1000 + 100)).value
    assert (position.open_time, position.quote_time) == (NOW * 1000 + 100, NOW * 1000)
    assert (position.expiration, position.version, position.payout) == (NOW + 30, 1, 86)
    assert (position.invest, position.expected_profit) == (Decimal(10), Decimal("18.6"))


def test_a_position_is_there_at_once_and_only_for_its_user(world: World) -> None:
    position = bought(world)
    assert world.broker.positions.open(USER) == [position]
    assert world.broker.positions.find(USER, position.external_id) == position
    assert world.broker.positions.open(OTHER_USER) == []
    assert world.broker.positions.find(OTHER_USER, position.external_id) is None


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"active_id": 9}, 4220, "unknown active"),
        ({"option_type_id": 7}, 4100, "kind of option"),
        ({"expired": 1_790_000_000}, 4220, "must be 0"),
        ({"expiration_size": 7}, 4100, "Expiration of 7 s"),
        ({"expiration_size": None}, 4100, "not on offer"),
        ({"profit_percent": 87}, 4102, "86% is on offer"),
        ({"price": Decimal("0.99")}, 4104, "between 1 and 20000 USD"),
        ({"price": Decimal(20001)}, 4104, "between 1 and 20000 USD"),
        ({"price": Decimal(-5)}, 4104, "between"),
        ({"price": Decimal("1.001")}, 4220, "at most 2 decimals"),
        ({"price": Decimal("Infinity")}, 4220, "finite"),
        ({"price": Decimal("NaN")}, 4220, "finite"),
        ({"price": Decimal("1e300")}, 4104, "between"),
        ({"user_balance_id": 999}, 4220, "unknown balance"),
        ({"price": Decimal("10000.01")}, 4103, "Insufficient funds for this transaction."),
    ],
)
def test_a_bad_order_is_refused_and_nothing_is_booked(
    world: World, changes: dict[str, Any], status: int, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        bought(world, **changes)
    assert refused.value.status == status
    assert words in str(refused.value)
    assert world.broker.positions.all(USER) == []
    assert world.balance().amount == Decimal(10000)


def test_a_real_balance_without_money_buys_nothing(world: World) -> None:
    with pytest.raises(Refused, match="Insufficient funds"):
        bought(world, user_balance_id=world.balance(BalanceType.REAL).id)


def test_somebody_elses_balance_buys_nothing(world: World) -> None:
    world.broker.accounts.ensure(OTHER_USER)
    with pytest.raises(Refused, match="unknown balance"):
        world.broker.options.buy(OTHER_USER, world.order())


def test_a_margin_balance_buys_no_options(world: World) -> None:
    with world.storage.transaction():
        world.broker.accounts.open(USER, Opening(BalanceType.DEMO, "EUR", Decimal(500), is_marginal=True))
    (margin,) = [balance for balance in world.broker.accounts.balances(USER) if balance.is_marginal]
    with pytest.raises(Refused, match="is for margin trading"):
        bought(world, user_balance_id=margin.id)


def test_a_closed_market_sells_nothing(world: World) -> None:
    with pytest.raises(Refused, match="The market is closed"):
        bought(world, active_id=APPLE)
    world.clock.advance(timedelta(hours=3).total_seconds())
    assert bought(world, active_id=APPLE).payout == 80


def test_a_suspended_active_sells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "actives.json"
    path.write_text('[{"id": 76, "ticker": "A", "name": "A", "category": "forex", "price": 1, "suspended": true}]')
    with pytest.raises(Refused, match="suspended"):
        bought(World(paper_actives=path))


def test_a_profit_lower_than_offered_gets_what_is_offered(world: World) -> None:
    assert bought(world, profit_percent=80).payout == 86


@pytest.mark.parametrize(
    ("stake", "expected"), [("1", "1.86"), ("1.01", "1.88"), ("1.25", "2.33"), ("33.33", "61.99"), ("20", "37.20")]
)
def test_the_payout_is_rounded_half_up_to_cents(world: World, stake: str, expected: str) -> None:
    assert bought(world, price=Decimal(stake)).expected_profit == Decimal(expected)


@pytest.mark.parametrize(
    ("direction", "move", "reason"),
    [
        ("call", 0.000001, CloseReason.WIN),
        ("call", 0.0, CloseReason.EQUAL),
        ("call", -0.000001, CloseReason.LOOSE),
        ("put", 0.000001, CloseReason.LOOSE),
        ("put", 0.0, CloseReason.EQUAL),
        ("put", -0.000001, CloseReason.WIN),
    ],
)
def test_strictly_in_the_direction_wins_and_the_same_price_refunds(
    world: World, direction: str, move: float, reason: CloseReason
) -> None:
    position = bought(world, direction=direction)
    assert outcome(position, position.open_quote + move) is reason
    paid = {CloseReason.WIN: Decimal("18.6"), CloseReason.EQUAL: Decimal(10), CloseReason.LOOSE: Decimal(0)}
    assert gross(position, reason) == paid[reason]


def test_nothing_is_settled_before_its_second(world: World) -> None:
    position = bought(world, expiration_size=5)
    world.clock.advance(4.899)
    assert world.broker.options.settle() == []
    world.clock.advance(0.001)
    assert [each.external_id for each in world.broker.options.settle()] == [position.external_id]
    assert world.broker.options.settle() == []


def test_settlement_is_at_the_price_of_the_expiry_second(world: World) -> None:
    closed = settled(world, bought(world))
    active = world.broker.catalogue.get(EURUSD)
    assert active is not None
    assert closed.closing is not None
    assert closed.closing.quote == world.broker.market.quote(active, closed.expiration * TICKS_PER_SECOND).value
    assert closed.closing.time == closed.expiration * 1000
    assert closed.closing.reason is outcome(closed, closed.closing.quote)
    assert closed.version == 2


def test_one_of_two_opposite_options_is_paid(world: World) -> None:
    for _ in range(20):
        before = world.balance().amount
        pair = [bought(world, direction="call"), bought(world, direction="put")]
        world.clock.advance(5)
        closings = [each.closing for each in world.broker.options.settle()]
        reasons = {closing.reason for closing in closings if closing is not None}
        tie = pair[0].open_quote == closings[0].quote if closings[0] is not None else False
        assert reasons == ({CloseReason.EQUAL} if tie else {CloseReason.WIN, CloseReason.LOOSE})
        assert world.balance().amount - before == (Decimal(0) if tie else Decimal("-1.4"))


def test_a_closed_position_is_history_at_once(world: World) -> None:
    closed = settled(world, bought(world))
    now = world.broker.now()
    assert world.broker.positions.open(USER) == []
    assert world.broker.positions.find(USER, closed.external_id) == closed
    assert world.broker.positions.history(USER, TYPES, now, 30, 0) == [closed]
    assert world.broker.positions.history(OTHER_USER, TYPES, now, 30, 0) == []


def test_history_is_newest_first_in_pages(world: World) -> None:
    closed = [settled(world, bought(world)).external_id for _ in range(5)]
    pages = [world.broker.positions.history(USER, TYPES, world.broker.now(), 2, offset) for offset in (0, 2, 4)]
    assert [each.external_id for page in pages for each in page] == closed[::-1]


def test_after_a_restart_what_expired_meanwhile_is_settled_as_if_nothing_had_happened(tmp_path: Path) -> None:
    database = str(tmp_path / "broker.sqlite")
    clock, undisturbed = HandClock(), World()
    world = World(clock, database)
    before = [bought(each, expiration_size=size) for each in (world, undisturbed) for size in (5, 60)][:2]
    world.storage.close()
    clock.advance(30)
    undisturbed.clock.advance(30)
    world = World(clock, database)
    (late,), (in_time,) = world.broker.options.settle(), undisturbed.broker.options.settle()
    assert late.closing == in_time.closing
    assert late.external_id == before[0].external_id
    assert world.balance() == undisturbed.balance()
    assert [each.external_id for each in world.broker.positions.open(USER)] == [before[1].external_id]
    assert bought(world).external_id > before[1].external_id
    world.storage.close()


def test_a_position_whose_active_left_the_catalogue_is_refunded(tmp_path: Path) -> None:
    database, clock = str(tmp_path / "broker.sqlite"), HandClock()
    world = World(clock, database)
    bought(world)
    world.storage.close()
    (tmp_path / "actives.json").write_text('[{"id": 1, "ticker": "A", "name": "A", "category": "forex", "price": 1}]')
    clock.advance(5)
    world = World(clock, database, paper_actives=tmp_path / "actives.json")
    (closed,) = world.broker.options.settle()
    assert closed.closing is not None
    assert closed.closing.reason is CloseReason.EQUAL
    assert world.balance().amount == Decimal(10000)
    world.storage.close()
