from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.paper_broker.catalogue import Active
from services.paper_broker.digital_instruments import on_offer
from services.paper_broker.epoch import DAY, ticks_before
from services.paper_broker.pricing import Price, chance, price, profit_percent
from tests.unit.paper_broker.world import APPLE, EURUSD, START, World

SECOND = 0.0001
"""Deviation of one."""
QUOTES = st.floats(1.0, 1.2)
SECONDS = st.floats(0, 604800)


@pytest.mark.parametrize("payout", [80, 82, 83, 84, 85, 86])
def test_at_the_money_it_costs_what_pays_the_payout_of_the_active(payout: int) -> None:
    assert profit_percent(price(payout, 0.5).ask) == payout


def test_the_platform_takes_its_share_on_both_sides() -> None:
    assert price(86, 0.5) == Price(bid=Decimal("46.23"), ask=Decimal("53.76"))
    assert price(86, 0.01) == Price(bid=Decimal(0), ask=Decimal("4.76"))
    assert price(86, 0.99) == Price(bid=Decimal("95.23"), ask=Decimal(100))


@given(QUOTES, QUOTES, SECONDS)
def test_the_platform_never_pays_more_than_it_asks_nor_than_the_option_can_bring(
    quote: float, strike: float, seconds: float
) -> None:
    above = chance(quote, strike, SECOND, seconds)
    call, put = price(86, above), price(86, 1 - above)
    for each in (call, put):
        assert 0 <= each.bid < each.ask <= 100
        assert each.ask > Decimal("3.7")
    assert call.bid + put.bid < 100 < call.ask + put.ask


@given(QUOTES, st.floats(0.0001, 0.1), SECONDS)
def test_a_higher_strike_is_worth_less(strike: float, more: float, seconds: float) -> None:
    assert chance(1.08, strike + more, SECOND, seconds) <= chance(1.08, strike, SECOND, seconds)


@pytest.mark.parametrize(("quote", "above"), [(1.09, 1.0), (1.07, 0.0), (1.08, 0.5)])
def test_in_the_end_it_is_decided(quote: float, above: float) -> None:
    assert chance(quote, 1.08, SECOND, 0) == above


def test_a_deviation_away_is_the_known_share_of_the_normal_distribution() -> None:
    assert chance(1.001, 1.0, SECOND, 100) == pytest.approx(0.8413, abs=0.001)


def test_what_expires_after_the_closing_is_decided_at_the_closing(world: World) -> None:
    apple, closes = world.broker.catalogue.get(APPLE), START.replace(hour=21, microsecond=0).timestamp()
    assert apple is not None
    before, after = round(closes * 1000) - 1000, round(closes * 1000)
    pricing, expiration = world.broker.digital.offers.pricing, round(closes) + 300
    assert pricing.price(apple, "call", 200.0, 200.01, expiration, before).ask < 100
    assert pricing.price(apple, "call", 200.0, 200.01, expiration, after) == price(apple.payout, 0)
    assert pricing.price(apple, "put", 200.0, 200.01, expiration, after).ask == 100


def test_no_strike_makes_money(world: World) -> None:
    """Digital options of every strike at 900 moments: nothing that is likely to win is too cheap."""
    paid: defaultdict[bool, list[float]] = defaultdict(list)
    active = world.broker.catalogue.get(EURUSD)
    assert active is not None
    for sample in range(900):
        for favourite, result in _results(world, active, world.clock.second - DAY - sample * 4321):
            paid[favourite].append(result)
    favourites, outsiders = (sum(paid[each]) / len(paid[each]) for each in (True, False))
    assert -0.06 < favourites < 0.01
    assert outsiders < -0.1


def _results(world: World, active: Active, now: int) -> list[tuple[bool, float]]:
    """For each side of each strike whether it was a favourite, and what a stake of 1 has won."""
    market, offers, results = world.broker.market, world.broker.digital.offers, []
    instrument = next(each for each in on_offer(active.id, now) if now < each.expiration - each.term.deadtime)
    quote, end = market.quote(active, ticks_before(now * 1000)).value, market.price_at(active, instrument.expiration)
    for strike in offers.strikes(instrument):
        at = quote if strike.price is None else strike.price
        prices = offers.prices(instrument, strike, quote, now * 1000)
        for asked, won in ((prices.call.ask, end > at), (prices.put.ask, end < at)):
            if asked < 100:
                results.append((asked > 60, float(100 / asked) - 1 if won else -1.0))
    return results
