"""What a balance can buy, as in quadcode-protocol §8.3."""

from decimal import Decimal

import pytest

from libs.quadcode.balances import Balance
from libs.quadcode.margin_balances import MarginBalance, available_for_margin, available_for_options


def balance(*, marginal: bool) -> Balance:
    return Balance(1, 4, Decimal(100), "USD", Decimal(5), marginal)


def margin(available: int, cash: int) -> MarginBalance:
    return MarginBalance(
        id=1, type=4, cash=Decimal(cash), available=Decimal(available), currency="USD", bonus=Decimal(7)
    )


@pytest.mark.parametrize(
    ("marginal", "worth", "options", "margin_trading"),
    [
        (False, None, 105, 100),
        (False, margin(50, 80), 105, 100),
        (True, None, 105, 0),
        (True, margin(50, 80), 57, 50),
        (True, margin(90, 80), 87, 90),
        (True, margin(0, 80), 107, 0),
        (True, margin(50, 0), 107, 50),
    ],
)
def test_what_is_available(marginal: bool, worth: MarginBalance | None, options: int, margin_trading: int) -> None:
    assert available_for_options(balance(marginal=marginal), worth) == options
    assert available_for_margin(balance(marginal=marginal), worth) == margin_trading
