"""Turbo and binary options: their expirations, as a client computes them (quadcode-protocol §12.2, §12.3)."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.paper_broker.epoch import DAY
from services.paper_broker.errors import Refused
from services.paper_broker.hours import Place, is_open
from services.paper_broker.option_kinds import BINARY, TURBO, OptionKind, expirations, specials
from tests.unit.paper_broker.world import APPLE, START, USER, World

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())
SECONDS = st.integers(NOON, NOON + 14 * DAY)


def buy(world: World, kind: OptionKind, expired: int) -> int:
    order = world.order(option_type_id=kind.type_id, expired=expired, expiration_size=None)
    return world.broker.options.buy(USER, order).expiration


@given(SECONDS)
def test_turbo_options_expire_at_the_next_five_minutes(now: int) -> None:
    first = now - now % 60 + 60
    assert expirations(TURBO, Place.ALWAYS, now) == [first + 60 * number for number in range(5)]


@given(SECONDS)
def test_binary_options_expire_at_the_next_four_quarters_that_can_be_bought_and_at_the_end_of_the_week(
    now: int,
) -> None:
    first = now - now % 900 + 900
    first += 900 if first - 60 < now else 0
    offered = expirations(BINARY, Place.ALWAYS, now)
    assert offered[:4] == [first + 900 * number for number in range(4)]
    assert set(offered[4:]) == set(specials(BINARY, Place.ALWAYS, now)) - set(offered[:4])


@given(SECONDS, st.sampled_from(Place))
def test_the_end_of_the_week_is_the_next_close_of_a_friday(now: int, place: Place) -> None:
    ((end, title),) = specials(BINARY, place, now).items()
    assert title == "front.End of week"
    assert BINARY.deadtime < end - now <= 7 * DAY + BINARY.deadtime
    assert datetime.fromtimestamp(end - 1, UTC).isoweekday() == 5
    assert is_open(place, end - 1)
    assert place is Place.ALWAYS or not is_open(place, end + 1)


@pytest.mark.parametrize("kind", [TURBO, BINARY])
def test_what_is_offered_can_be_bought(world: World, kind: OptionKind) -> None:
    for expired in expirations(kind, Place.ALWAYS, NOON):
        assert buy(world, kind, expired) == expired


@pytest.mark.parametrize("kind", [TURBO, BINARY])
@pytest.mark.parametrize("expired", ["off the grid", "beyond the last"])
def test_what_is_not_offered_cannot_be_bought(world: World, kind: OptionKind, expired: str) -> None:
    size = kind.sizes[0]
    at = NOON + size + 1 if expired == "off the grid" else NOON + size * (kind.horizon + 1)
    with pytest.raises(Refused, match="4100: This expiration is not on offer"):
        buy(world, kind, at)


@pytest.mark.parametrize("kind", [TURBO, BINARY])
def test_a_purchase_is_in_time_until_a_millisecond_before_the_deadtime(world: World, kind: OptionKind) -> None:
    expired = NOON + kind.sizes[0]
    world.clock.set(START.replace(microsecond=0))
    world.clock.advance(expired - kind.deadtime - NOON - 0.001)
    assert buy(world, kind, expired) == expired
    world.clock.advance(0.001)
    with pytest.raises(Refused, match="4105: The time to buy this expiration is over"):
        buy(world, kind, expired)
    with pytest.raises(Refused, match="4105"):
        buy(world, kind, 0)
    assert world.balance().amount == Decimal(9990)


@pytest.mark.parametrize("kind", [TURBO, BINARY])
def test_only_blitz_options_have_a_duration(world: World, kind: OptionKind) -> None:
    order = world.order(option_type_id=kind.type_id, expired=NOON + kind.sizes[0], expiration_size=60)
    with pytest.raises(Refused, match="expiration_size"):
        world.broker.options.buy(USER, order)


def test_a_closed_market_sells_no_turbo_options(world: World) -> None:
    order = world.order(
        active_id=APPLE, option_type_id=TURBO.type_id, expired=NOON + 60, expiration_size=None, profit_percent=81
    )
    with pytest.raises(Refused, match="The market is closed"):
        world.broker.options.buy(USER, order)
    world.clock.advance(3 * 3600)
    with pytest.raises(Refused, match="80% is on offer"):
        world.broker.options.buy(USER, msgspec.structs.replace(order, expired=NOON + 3 * 3600 + 60))
