from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.paper_broker.catalogue import Active, Category
from services.paper_broker.pricing import chance, price, profit_percent

EURUSD = Active(id=76, ticker="EURUSD-OTC", name="EUR/USD OTC", category=Category.FOREX, price=1.08)
QUOTES = st.floats(1.0, 1.2)
SECONDS = st.floats(0, 604800)


def test_at_the_money_it_costs_what_pays_the_payout_of_the_active() -> None:
    for direction in ("call", "put"):
        at_the_money = price(EURUSD, direction, 1.08, 1.08, 60)
        assert profit_percent(at_the_money.ask) == EURUSD.payout
        assert at_the_money.ask == Decimal("53.76")
        assert at_the_money.bid == Decimal("46.23")


@given(QUOTES, QUOTES, SECONDS)
def test_the_platform_never_pays_more_than_it_asks_nor_than_the_option_can_bring(
    quote: float, strike: float, seconds: float
) -> None:
    call, put = price(EURUSD, "call", quote, strike, seconds), price(EURUSD, "put", quote, strike, seconds)
    for each in (call, put):
        assert 0 <= each.bid < each.ask <= 100
        assert each.ask > Decimal("3.7")
    assert call.bid + put.bid < 100 < call.ask + put.ask


@given(QUOTES, st.floats(0.0001, 0.1), SECONDS)
def test_a_higher_strike_is_worth_less(strike: float, more: float, seconds: float) -> None:
    assert chance(EURUSD, 1.08, strike + more, seconds) <= chance(EURUSD, 1.08, strike, seconds)


@pytest.mark.parametrize(("quote", "above"), [(1.09, 1.0), (1.07, 0.0), (1.08, 0.5)])
def test_in_the_end_it_is_decided(quote: float, above: float) -> None:
    assert chance(EURUSD, quote, 1.08, 0) == above


def test_a_deviation_away_is_the_known_share_of_the_normal_distribution() -> None:
    quote = 1.08 * (1 + EURUSD.volatility)
    assert chance(EURUSD, quote, 1.08, 86400) == pytest.approx(0.8413, abs=0.001)
