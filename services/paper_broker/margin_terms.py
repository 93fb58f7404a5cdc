"""What a margin order says, and whether it can be meant (quadcode-protocol §16.4)."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, NamedTuple

import msgspec

from services.paper_broker.catalogue import Active
from services.paper_broker.errors import invalid
from services.paper_broker.margin_instruments import kind_of, step
from services.paper_broker.positions import Direction
from services.paper_broker.wire import Id

_MOST = Decimal(10) ** 12
"""Of any number in an order."""


class Protection(msgspec.Struct, frozen=True):
    """A stop loss or a take profit. As pips, as a price difference or as money only its size counts, not its sign."""

    value: Decimal
    type: Literal["price", "pips", "delta", "pnl"]


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `place-market-order`, `place-stop-order` and `place-limit-order`."""

    side: Literal["buy", "sell"]
    user_balance_id: Id
    count: Decimal
    """Units of the underlying."""
    instrument_id: str
    instrument_active_id: int
    leverage: Decimal
    stop_price: Decimal | None = None
    limit_price: Decimal | None = None
    stop_loss: Protection | None = None
    take_profit: Protection | None = None

    @property
    def direction(self) -> Direction:
        return "call" if self.side == "buy" else "put"


PriceField = Literal["stop_price", "limit_price"]


class Levels(NamedTuple):
    """Prices."""

    stop_loss: float | None
    take_profit: float | None


class Scale(NamedTuple):
    """What turns a stop loss or take profit into a price."""

    precision: int
    pip_scale: int
    account_ask: Decimal
    """What a unit of the balance's currency costs in the quote currency."""


def check_count(order: PlaceOrder, active: Active) -> None:
    """Raises Refused, as all below."""
    least = step(active) * kind_of(active).lot
    if not (_sound(order.count) and order.count >= least and order.count % least == 0):
        raise invalid("count", f"must be a multiple of {least:f}")


def check_leverage(order: PlaceOrder, most: int) -> None:
    if not (_sound(order.leverage) and 1 <= order.leverage <= most):
        raise invalid("leverage", f"must be between 1 and {most}")


def price_of(order: PlaceOrder, field: PriceField, scale: Scale) -> float:
    price: Decimal | None = getattr(order, field)
    if price is None:
        raise invalid(field, "is required")
    if not _sound(price):
        raise invalid(field, "must be a price")
    return _price(price, scale, field)


def levels(order: PlaceOrder, opened: float, scale: Scale) -> Levels:
    """For a position that opens at that price."""
    return Levels(
        _level("stop_loss", order.stop_loss, order, opened, scale),
        _level("take_profit", order.take_profit, order, opened, scale),
    )


def check_levels(order: PlaceOrder, found: Levels, price: float) -> None:
    """A stop loss must be on the losing side of a price, a take profit on the winning side."""
    bought = order.side == "buy"
    sides = {True: "below", False: "above"}
    if found.stop_loss is not None and not (found.stop_loss < price if bought else found.stop_loss > price):
        raise invalid("stop_loss", f"must be {sides[bought]} {price:g}")
    if found.take_profit is not None and not (found.take_profit > price if bought else found.take_profit < price):
        raise invalid("take_profit", f"must be {sides[not bought]} {price:g}")


def _level(field: str, protection: Protection | None, order: PlaceOrder, opened: float, scale: Scale) -> float | None:
    if protection is None:
        return None
    value, price = protection.value, Decimal(str(opened))
    if not (value.is_finite() and 0 < abs(value) <= _MOST):
        raise invalid(f"{field}.value", "must be a number other than 0")
    match protection.type:
        case "price":
            return _price(value, scale, f"{field}.value")
        case "pips":
            distance = value.scaleb(-scale.pip_scale)
        case "delta":
            distance = value
        case "pnl":
            distance = value * scale.account_ask / order.count
    rises = (order.side == "buy") == (field == "take_profit")
    return _price(price + abs(distance) if rises else price - abs(distance), scale, f"{field}.value")


def _price(price: Decimal, scale: Scale, field: str) -> float:
    rounded = price.quantize(Decimal(1).scaleb(-scale.precision), ROUND_HALF_UP)
    if rounded <= 0:
        raise invalid(field, "is no price above 0")
    return float(rounded)


def _sound(number: Decimal) -> bool:
    return number.is_finite() and 0 < number <= _MOST
