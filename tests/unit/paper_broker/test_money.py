from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.paper_broker.money import NotRepresentable, from_units, rounded, to_units, whole_coins


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=8))
def test_units_keep_an_amount_exactly(amount: Decimal) -> None:
    assert from_units(to_units(amount)) == amount


def test_more_decimals_than_units_have_are_refused() -> None:
    with pytest.raises(NotRepresentable):
        to_units(Decimal("0.000000001"))


@pytest.mark.parametrize(
    ("amount", "minor_units", "result"),
    [("1.005", 2, "1.01"), ("1.0049", 2, "1.00"), ("-1.005", 2, "-1.01"), ("0.5", 0, "1"), ("1", 2, "1.00")],
)
def test_rounding_is_half_up(amount: str, minor_units: int, result: str) -> None:
    assert rounded(Decimal(amount), minor_units) == Decimal(result)


@pytest.mark.parametrize(("amount", "whole"), [("1.01", True), ("1.010", True), ("1.001", False), ("1", True)])
def test_whole_coins(amount: str, whole: bool) -> None:
    assert whole_coins(Decimal(amount), 2) is whole
