"""What orders need of a session to the broker."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from libs.contracts.orders import Direction, Order, Position, Settlement


class OrderError(Exception):
    """A purchase that was not confirmed; the class says what is certain."""


class NotSent(OrderError):
    """Nothing reached the broker."""


class Refused(OrderError):
    """The broker said no; the text is its own."""


class Unanswered(OrderError):
    """Sent, and nobody knows: it may be booked. Never to be sent again."""


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """A blitz option as the broker's books have it."""

    position: Position
    active_id: int
    direction: Direction
    stake: Decimal
    settlement: Settlement | None
    """None while it is open."""


class Broker(Protocol):
    async def buy(self, order: Order, balance_id: int) -> Position:
        """Send the order once, before anything is awaited. Raises OrderError."""
        ...

    async def positions(self, since: datetime) -> list[BrokerPosition]:
        """Every open position, and every one that was opened at or after `since`; complete, or an exception.

        Raises BrokerUnavailable.
        """
        ...


class BrokerUnavailable(Exception):
    """The broker's books cannot be read now; trying again can help."""
