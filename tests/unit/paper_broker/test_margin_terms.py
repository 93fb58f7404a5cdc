"""What a margin order says (quadcode-protocol §16.4)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.paper_broker.errors import Refused
from services.paper_broker.margin_terms import (
    Levels,
    PlaceOrder,
    Protection,
    Scale,
    check_levels,
    check_leverage,
    levels,
    price_of,
)

SCALE = Scale(precision=5, pip_scale=4, account_ask=Decimal("1.25"))


def order(**changes: Any) -> PlaceOrder:
    asked = PlaceOrder(
        side="buy",
        user_balance_id=1,
        count=Decimal(10_000),
        instrument_id="mforex.76",
        instrument_active_id=76,
        leverage=Decimal(100),
    )
    return msgspec.structs.replace(asked, **changes)


@pytest.mark.parametrize(
    ("value", "type_", "stop_loss", "take_profit"),
    [
        ("1.5", "price", 1.5, 1.5),
        ("12.5", "pips", 1.09875, 1.10125),
        ("-12.5", "pips", 1.09875, 1.10125),
        ("0.003", "delta", 1.097, 1.103),
        ("8", "pnl", 1.099, 1.101),
        ("-8", "pnl", 1.099, 1.101),
    ],
)
def test_a_protection_becomes_a_price(value: str, type_: Any, stop_loss: float, take_profit: float) -> None:
    """8 units of the balance's currency are 10 of the quote currency, which are 0.001 on each of 10 000."""
    protection = Protection(Decimal(value), type_)
    asked = order(stop_loss=protection, take_profit=protection)
    assert levels(asked, 1.1, SCALE) == Levels(stop_loss, take_profit)
    if type_ != "price":
        sold = msgspec.structs.replace(asked, side="sell")
        assert levels(sold, 1.1, SCALE) == Levels(take_profit, stop_loss)


def test_without_protection_there_are_no_levels() -> None:
    assert levels(order(), 1.1, SCALE) == Levels(None, None)
    check_levels(order(), Levels(None, None), 1.1)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "0", "1e999", "-1"])
@pytest.mark.parametrize("field", ["stop_loss", "take_profit"])
def test_a_protection_that_is_no_price_is_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(Refused) as refused:
        levels(order(**{field: Protection(Decimal(value), "price")}), 1.1, SCALE)
    assert list(refused.value.details) == [f"{field}.value"]


def test_a_stop_loss_cannot_lead_below_nothing() -> None:
    with pytest.raises(Refused, match="is no price above 0"):
        levels(order(stop_loss=Protection(Decimal("1.1"), "delta")), 1.1, SCALE)


@pytest.mark.parametrize(
    ("side", "found", "field"),
    [
        ("buy", Levels(1.1, None), "stop_loss"),
        ("buy", Levels(None, 1.1), "take_profit"),
        ("sell", Levels(1.0, None), "stop_loss"),
        ("sell", Levels(None, 1.2), "take_profit"),
    ],
)
def test_a_protection_on_the_wrong_side_is_refused_by_name(side: str, found: Levels, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_levels(order(side=side), found, 1.1)
    assert list(refused.value.details) == [field]


@given(
    side=st.sampled_from(["buy", "sell"]),
    value=st.decimals(Decimal("0.1"), 50, places=1),
    type_=st.sampled_from(["pips", "pnl"]),
)
def test_a_distance_is_always_on_the_right_side(side: str, value: Decimal, type_: Any) -> None:
    protection = Protection(value, type_)
    asked = order(side=side, stop_loss=protection, take_profit=protection)
    check_levels(asked, levels(asked, 1.1, SCALE), 1.1)


@pytest.mark.parametrize("leverage", ["0", "0.5", "-1", "100.5", "NaN", "1e9999"])
def test_a_leverage_out_of_bounds_is_refused_by_name(leverage: str) -> None:
    with pytest.raises(Refused, match="between 1 and 100"):
        check_leverage(order(leverage=Decimal(leverage)), 100)


@pytest.mark.parametrize(("price", "words"), [(None, "required"), ("NaN", "price"), ("-1", "price"), ("1e-9", "above")])
def test_a_pending_order_needs_a_price(price: str | None, words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        price_of(order(stop_price=None if price is None else Decimal(price)), "stop_price", SCALE)
    assert list(refused.value.details) == ["stop_price"]


def test_prices_are_those_of_the_active() -> None:
    assert price_of(order(limit_price=Decimal("1.100005")), "limit_price", SCALE) == 1.10001
