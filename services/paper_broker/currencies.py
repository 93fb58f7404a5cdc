"""Currencies of balances, with the bounds of a stake (quadcode-protocol §9.2)."""

from decimal import Decimal

import msgspec


class Currency(msgspec.Struct, frozen=True, kw_only=True):
    """As `get-currency` answers it."""

    id: int
    name: str
    description: str
    symbol: str
    mask: str
    code: str
    rate: Decimal
    """Of one unit in USD; fixed here."""
    rate_usd: Decimal
    min_deal_amount: Decimal
    max_deal_amount: Decimal
    minor_units: int = 2
    unit: int = 1
    image: str = ""
    is_visible: bool = True
    is_tradable: bool = True
    is_crypto: bool = False
    is_inout: bool = True
    interest_rate: int = 0


def _currency(id: int, name: str, description: str, symbol: str, rate: str, limits: tuple[int, int]) -> Currency:
    low, high = limits
    return Currency(
        id=id,
        name=name,
        description=description,
        symbol=symbol,
        mask=f"{symbol}%s",
        code=name,
        rate=Decimal(rate),
        rate_usd=Decimal(rate),
        min_deal_amount=Decimal(low),
        max_deal_amount=Decimal(high),
    )


CURRENCIES = {
    currency.name: currency
    for currency in (
        _currency(1, "USD", "US Dollar", "$", "1", (1, 20000)),
        _currency(2, "EUR", "Euro", "€", "1.08", (1, 20000)),
        _currency(6, "BRL", "Brazilian Real", "R$", "0.18", (5, 100000)),
    )
}
