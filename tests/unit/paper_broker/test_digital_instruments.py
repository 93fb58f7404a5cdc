"""Digital instruments follow from the clock and the market (quadcode-protocol §13.2, §13.3)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.paper_broker.digital_instruments import SPOT, TERMS, Instrument, Strike, begun, numbered, on_offer
from services.paper_broker.epoch import ticks_before
from tests.unit.paper_broker.world import EURUSD, START, World

NOW = int(START.timestamp())
SECONDS = st.integers(NOW, NOW + 86400)
ACTIVES = st.integers(1, 2**25 - 1)


@given(ACTIVES, SECONDS)
def test_a_number_tells_everything_about_an_instrument(active_id: int, now: int) -> None:
    offered = list(on_offer(active_id, now))
    assert len({each.number for each in offered}) == len(offered)
    for instrument in offered:
        assert numbered(instrument.number, now) == instrument
        assert instrument.number < 2**53
        assert numbered(instrument.number, instrument.expiration) is None
        assert numbered(instrument.number, instrument.begins - 1) is None


@given(st.integers(0, 2**63 - 1))
def test_any_other_number_is_nobodys(number: int) -> None:
    instrument = numbered(number, NOW)
    assert instrument is None or instrument.number == number


@given(ACTIVES, SECONDS)
def test_of_every_period_one_can_be_bought_at_any_time(active_id: int, now: int) -> None:
    in_time = {each.term for each in on_offer(active_id, now) if now < each.expiration - each.term.deadtime}
    assert in_time == set(TERMS)
    assert {term.period for term in TERMS} == {60, 300, 900}


@given(ACTIVES, SECONDS, st.integers(1, 3600))
def test_an_instrument_that_is_on_offer_was_there_or_has_begun(active_id: int, after: int, seconds: int) -> None:
    until = after + seconds
    known, new = set(on_offer(active_id, after)), set(begun(active_id, after, until))
    assert new.isdisjoint(known)
    assert set(on_offer(active_id, until)) <= known | new


def shortest(world: World) -> Instrument:
    return next(on_offer(EURUSD, world.clock.second))


def test_strikes_lie_around_the_price_at_the_beginning(world: World) -> None:
    instrument = shortest(world)
    spot, *fixed = world.broker.digital.offers.strikes(instrument)
    active = world.broker.digital.offers.active(instrument)
    middle = world.broker.market.quote(active, ticks_before(instrument.begins * 1000)).value
    assert (spot.name, spot.price) == (SPOT, None)
    prices = [strike.price for strike in fixed if strike.price is not None]
    assert prices == sorted(set(prices))
    assert len(prices) == 11
    assert prices[5] == middle
    assert all(len(strike.name.partition(".")[2]) == 6 for strike in fixed)


def test_every_symbol_is_unique_and_stands_for_its_side(world: World) -> None:
    offers, seen = world.broker.digital.offers, set()
    for instrument in on_offer(EURUSD, world.clock.second):
        for strike in offers.strikes(instrument):
            for direction in ("call", "put"):
                symbol = instrument.symbol(direction, strike)
                assert offers.side(instrument, symbol) == (direction, strike)
                seen.add(symbol)
    assert len(seen) == 7 * 24
    assert offers.side(instrument, "do76") is None


def test_a_symbol_reads_as_in_the_specification() -> None:
    instrument = Instrument(76, TERMS[0], 1789999980)
    assert instrument.symbol("call", Strike(SPOT, None, SPOT)) == "do76A20260921D141300T1MCSPT"
    assert instrument.symbol("put", Strike("1.084300", 1.0843, "1084300")) == "do76A20260921D141300T1MP1084300"


def test_the_spot_pays_what_the_active_pays_and_further_strikes_pay_more(world: World) -> None:
    offers, instrument = world.broker.digital.offers, shortest(world)
    spot, *fixed = offers.strikes(instrument)
    quote = fixed[5].price or 0.0
    assert offers.prices(instrument, spot, quote, world.broker.now()).call.ask == Decimal("53.76")
    calls = [offers.prices(instrument, strike, quote, world.broker.now()).call.ask for strike in fixed]
    puts = [offers.prices(instrument, strike, quote, world.broker.now()).put.ask for strike in fixed]
    assert calls == sorted(calls, reverse=True)
    assert puts == sorted(puts)


def test_an_unknown_active_has_no_strikes(world: World) -> None:
    with pytest.raises(LookupError):
        world.broker.digital.offers.strikes(Instrument(999, TERMS[0], NOW))
