"""What one currency is worth in another, and how that is told (quadcode-protocol §10.2)."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.epoch import ticks_before
from services.paper_broker.exchange_rates import PARITY, Rate
from tests.unit.paper_broker.test_ticker import NOW_MS, advance, messages
from tests.unit.paper_broker.world import EURUSD, Client, World

USDJPY = 85


def rate(world: World, base: str, quote: str) -> Rate:
    found = world.broker.rates.rate(base, quote, ticks_before(world.broker.now()))
    assert found is not None
    return found


def test_a_pair_that_is_traded_has_its_price(world: World) -> None:
    active = world.broker.catalogue.get(EURUSD)
    assert active is not None
    quote = world.broker.market.quote(active, ticks_before(NOW_MS))
    assert rate(world, "EUR", "USD") == Rate(Decimal(str(quote.bid)), Decimal(str(quote.ask)))


def test_turned_round_the_bid_becomes_the_ask(world: World) -> None:
    dollars, euros = rate(world, "EUR", "USD"), rate(world, "USD", "EUR")
    assert euros.bid == pytest.approx(1 / dollars.ask)
    assert euros.ask == pytest.approx(1 / dollars.bid)
    assert euros.bid <= 1 / dollars.ask < 1 / dollars.bid <= euros.ask


def test_what_nobody_trades_goes_over_the_dollar(world: World) -> None:
    assert rate(world, "MXN", "BRL").ask == pytest.approx(rate(world, "MXN", "USD").ask * rate(world, "USD", "BRL").ask)


def test_a_currency_to_itself_costs_nothing(world: World) -> None:
    assert rate(world, "EUR", "EUR") == PARITY


def test_without_a_market_the_worth_of_the_currency_stands_in(tmp_path: Path) -> None:
    path = tmp_path / "actives.json"
    gold = {"id": 1, "ticker": "GOLD", "name": "Gold", "category": "commodities", "price": 4000}
    path.write_text(json.dumps([gold]))
    world = World(paper_actives=path)
    brl = CURRENCIES["BRL"].rate_usd
    assert rate(world, "BRL", "USD") == Rate(brl, brl)
    assert rate(world, "USDT", "BRL").ask == pytest.approx(1 / brl)
    assert world.broker.rates.rate("EUR", "NOK", 0) is None


NAMES = st.sampled_from(["USD", "EUR", "BRL", "JPY", "MXN", "CHF", "NOK", "BTC", "USDT"])


@settings(max_examples=50, deadline=None)
@given(base=NAMES, quote=NAMES, third=NAMES)
def test_no_round_trip_makes_money(base: str, quote: str, third: str) -> None:
    """Over any three currencies that are not all traded against each other: those walk on their own."""
    world = WORLD
    there, back = rate(world, base, quote), rate(world, quote, base)
    assert 0 < there.bid <= there.ask
    assert there.bid * back.bid <= 1 <= there.ask * back.ask


WORLD = World()


def test_it_is_told_from_the_first_update_on_in_text(world: World, client: Client) -> None:
    client.subscribe("exchange-rates.exchange-rate-generated", "2.0", base_currency="USD", quote_currency="JPY")
    seen = []
    for _ in range(4):
        advance(world, 0.5)
        seen += messages(client, "exchange-rate-generated")
        expected = rate(world, "USD", "JPY")
    assert [each["changed_at"] for each in seen] == [NOW_MS // 500 * 500 + 500 * step for step in range(1, 5)]
    assert {(each["base_currency"], each["quote_currency"]) for each in seen} == {("USD", "JPY")}
    assert all(isinstance(each["ask"], str) and isinstance(each["bid"], str) for each in seen)
    assert len({each["ask"] for each in seen}) > 1
    assert abs(Decimal(seen[-1]["bid"]) - expected.bid) < Decimal("0.1")
