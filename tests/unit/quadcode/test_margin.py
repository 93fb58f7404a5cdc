"""Leverage, quantities and margins, as in quadcode-protocol §16."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.quadcode.actives import Active
from libs.quadcode.margin import MarginOrder, Side
from libs.quadcode.margin_calculation import Exposure
from libs.quadcode.margin_instruments import MarginInstrument, MarginInstruments, MarginKind
from libs.quadcode.positions import InstrumentType, Position

LISTED = {
    "items": [
        {
            "id": "mcfd.301", "active_id": 301, "allow_long_position": True, "allow_short_position": True,
            "default_leverage": 20, "leverage_profile": 7, "is_suspended": False, "min_qty": "0.1", "qty_step": "0.1",
            "tradable": {"from": 1790000000, "to": 1790035200},
        }
    ],
    "dynamic_leverage_profiles": [
        {"id": 7, "items": [{"equity": 10, "leverage": 30}, {"equity": 20000, "leverage": 10}]}
    ],
}  # fmt: skip
AMOUNTS = st.decimals("0.1", 1000, places=1)


def listed(**profiles: Any) -> MarginInstruments:
    return msgspec.json.decode(json.dumps(LISTED | profiles), type=MarginInstruments)


def instrument() -> MarginInstrument:
    return listed().items[0]


def order(quantity: str, leverage: str = "20") -> MarginOrder:
    return MarginOrder(
        instrument=instrument(), side=Side.BUY, quantity=Decimal(quantity), leverage=Decimal(leverage), balance_id=1
    )


@pytest.mark.parametrize(("equity", "leverage"), [(None, 20), (9, 20), (10, 30), (19999, 30), (20000, 10), (10**9, 10)])
def test_leverage_falls_as_equity_grows(equity: int | None, leverage: int) -> None:
    known = None if equity is None else Decimal(equity)
    assert listed().leverage(instrument(), known) == leverage


def test_a_profile_with_one_entry_holds_for_everybody() -> None:
    one = listed(dynamic_leverage_profiles=[{"id": 7, "items": [{"equity": 100, "leverage": 5}]}])
    assert one.leverage(instrument(), Decimal(1)) == 5


def test_without_its_profile_an_instrument_has_its_default_leverage() -> None:
    assert listed(dynamic_leverage_profiles=[]).leverage(instrument(), Decimal(100)) == 20


def test_an_instrument_is_tradable_in_its_window_both_bounds_included() -> None:
    moments = [datetime.fromtimestamp(second, UTC) for second in (1789999999, 1790000000, 1790035200, 1790035201)]
    assert [instrument().tradable_at(moment) for moment in moments] == [False, True, True, False]


@pytest.mark.parametrize("quantity", ["0", "-1", "0.05", "0.15", "NaN", "Infinity"])
def test_a_quantity_that_cannot_be_traded_is_named(quantity: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        order(quantity)


@pytest.mark.parametrize("leverage", ["0", "-1", "NaN"])
def test_a_leverage_that_is_none_is_named(leverage: str) -> None:
    with pytest.raises(ValueError, match="leverage"):
        order("0.1", leverage)


def exposure(kind: MarginKind, quantity: Decimal = Decimal("0.5"), leverage: Decimal = Decimal(50)) -> Exposure:
    active = Active(1, "EURGBP", pip_scale=4, currency_left_side="EUR", currency_right_side="GBP")
    return Exposure(kind=kind, active=active, currency="USD", quantity=quantity, leverage=leverage)


def test_margin_of_half_a_lot_of_a_currency_pair() -> None:
    """50,000 EUR at 50 are 1,000 EUR; a pip of them is 5 GBP."""
    half = exposure(MarginKind.FOREX)
    assert half.forex_margin(Decimal("1.08")) == Decimal(1080)
    assert half.pip_value(Decimal("0.8")) == Decimal("6.25")


def test_margin_of_what_has_a_price() -> None:
    """Half a unit at 4,000 GBP and leverage 50 ties up 40 GBP."""
    assert exposure(MarginKind.CRYPTO).priced_margin(Decimal(4000), Decimal("0.8")) == 50


def test_what_a_trigger_brings_depends_on_the_side() -> None:
    half, opened, trigger, pip_value = exposure(MarginKind.FOREX), Decimal("0.8500"), Decimal("0.8520"), Decimal(5)
    assert half.trigger_pnl(Side.BUY, opened, trigger, pip_value) == 100
    assert half.trigger_pnl(Side.SELL, opened, trigger, pip_value) == -100


@given(st.sampled_from(MarginKind), AMOUNTS, AMOUNTS)
def test_twice_the_quantity_ties_up_twice_the_margin(kind: MarginKind, quantity: Decimal, rate: Decimal) -> None:
    one, two = exposure(kind, quantity), exposure(kind, quantity * 2)
    assert two.pip_value(rate) == pytest.approx(one.pip_value(rate) * 2)
    assert two.forex_margin(rate) == one.forex_margin(rate) * 2
    assert two.priced_margin(rate, rate) == pytest.approx(one.priced_margin(rate, rate) * 2)


@pytest.mark.parametrize("kind", MarginKind)
def test_a_margin_position_knows_its_orders(kind: MarginKind) -> None:
    assert kind.instrument_type in InstrumentType
    fields = {
        "id": "c0ffee-01", "external_id": 1, "user_id": 5150, "user_balance_id": 2, "active_id": 301, "status": "open",
        "instrument_type": str(kind.instrument_type), "invest": 25, "open_quote": 1.08, "open_time": 1790003500120,
    }  # fmt: skip
    told = fields | {"raw_event": {f"marginal_{kind}_position_changed1": {"order_ids": [99001]}}}
    assert msgspec.json.decode(json.dumps(told), type=Position).order_ids == (99001,)
    assert msgspec.json.decode(json.dumps(fields), type=Position).order_ids == (1,)
