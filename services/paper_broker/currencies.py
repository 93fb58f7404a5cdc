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
    minor_units: int
    image: str
    """Without the address of the server it is on."""
    unit: int = 1
    is_visible: bool = True
    is_tradable: bool = True
    is_crypto: bool = False
    is_inout: bool = True
    interest_rate: int = 0


def _currency(
    id: int, name: str, description: str, symbol: str, rate: str, limits: tuple[int, int], minor_units: int = 2
) -> Currency:
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
        minor_units=minor_units,
        image=f"currency/{name.lower()}.png",
    )


CURRENCIES = {
    currency.name: currency
    for currency in (
        _currency(1, "USD", "US Dollar", "$", "1", (1, 20000)),
        _currency(2, "EUR", "Euro", "€", "1.08", (1, 20000)),
        _currency(3, "GBP", "Pound Sterling", "£", "1.27", (1, 20000)),
        _currency(4, "JPY", "Japanese Yen", "¥", "0.0067", (150, 3000000), minor_units=0),
        _currency(5, "MXN", "Mexican Peso", "MX$", "0.055", (20, 400000)),
        _currency(6, "BRL", "Brazilian Real", "R$", "0.18", (5, 100000)),
    )
}
"""Only the number of BRL is known of the real platform; the others are ours."""
