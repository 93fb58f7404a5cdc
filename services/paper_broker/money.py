"""Money: Decimal in the program, whole hundred-millionths in the database, so that SQL sums are exact."""

from decimal import ROUND_HALF_UP, Decimal

_SCALE = 10**8


class NotRepresentable(ValueError):
    """More than eight decimals."""


def to_units(amount: Decimal) -> int:
    """Raises NotRepresentable rather than round."""
    units = amount * _SCALE
    if units != units.to_integral_value():
        raise NotRepresentable(f"{amount} has more than eight decimals")
    return int(units)


def from_units(units: int) -> Decimal:
    return Decimal(units) / _SCALE


def rounded(amount: Decimal, minor_units: int) -> Decimal:
    """To a currency's smallest coin, halves up (quadcode-protocol §23)."""
    return amount.quantize(Decimal(1).scaleb(-minor_units), ROUND_HALF_UP)


def whole_coins(amount: Decimal, minor_units: int) -> bool:
    return amount == rounded(amount, minor_units)
