"""What the gateway needs of a broker: the port that every kind of broker is fitted to."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from libs.contracts.account import Balance
from libs.contracts.market import Active, Candle, Feed
from libs.contracts.orders import Direction, OptionKind, Order, Position, Settlement


class OrderError(Exception):
    """A purchase that was not confirmed; the class says what is certain."""


class NotSent(OrderError):
    """Nothing reached the broker."""


class Refused(OrderError):
    """The broker said no; the text is its own."""


class NotOffered(OrderError):
    """The broker has nothing on offer like this order; nothing was sent."""


class Unanswered(OrderError):
    """Sent, and nobody knows: it may be booked. Never to be sent again."""


class BrokerUnavailable(Exception):
    """The broker's books cannot be read now; trying again can help."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the broker offers now of what an order asks for."""

    payout: int
    """Percent of the stake won on a win."""
    closes_at: datetime | None = None
    """Broker time from which on it cannot be bought; None when that has no end."""
    reference: object = None
    """What the broker's own side needs to buy it; nobody else's business."""


PositionKey = tuple[OptionKind, int]
"""The broker's id is unique among positions of one kind."""


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """An option as the broker's books have it."""

    position: Position
    active_id: int
    direction: Direction
    stake: Decimal
    settlement: Settlement | None
    """None while it is open."""
    option: OptionKind = OptionKind.BLITZ

    @property
    def key(self) -> PositionKey:
        return self.option, self.position.position_id


class Broker(Protocol):
    def now(self) -> datetime:
        """What time it is at the broker."""
        ...

    async def offer(self, order: Order) -> Offer:
        """What the order would get at this moment. Raises NotOffered, BrokerUnavailable."""
        ...

    async def buy(self, order: Order, balance_id: int, offer: Offer) -> Position:
        """Send the order once, before anything is awaited, for what was offered. Raises OrderError."""
        ...

    async def sell(self, option: OptionKind, position_id: int) -> None:
        """Send the sale once, before anything is awaited; what it brings is told as a change of the position.

        Raises NotSent, Refused, Unanswered.
        """
        ...

    async def positions(self, since: datetime) -> list[BrokerPosition]:
        """Every open position, and every one that was opened at or after `since`; complete, or an exception.

        Raises BrokerUnavailable.
        """
        ...


class AuthenticationRefused(Exception):
    """The broker refuses this user's session ids, also fresh ones: asking again does not help."""


class Listener(Protocol):
    """What a connection tells its owner; called from the event loop, must not block."""

    def link_changed(self, up: bool) -> None:
        """The link to the broker was lost, or is there again (everything is subscribed again by then)."""
        ...

    def refused(self) -> None:
        """The connection has ended for good: see AuthenticationRefused."""
        ...

    def balances_changed(self, balances: tuple[Balance, ...]) -> None: ...

    def position_changed(self, position: BrokerPosition) -> None: ...


class Connection(Broker, Protocol):
    """One user's session to the broker. Reconnects by itself until it is closed or refused."""

    async def open(self) -> None:
        """Raises AuthenticationRefused, BrokerUnavailable. Balances have been told when it returns."""
        ...

    async def close(self) -> None: ...


class Market(Protocol):
    """Market data, read by one session for everybody."""

    async def open(self) -> None:
        """Raises AuthenticationRefused, BrokerUnavailable."""
        ...

    async def close(self) -> None: ...

    def now(self) -> datetime:
        """What time it is at the broker."""
        ...

    async def refused(self) -> None:
        """Returns when the broker has refused the session for good."""
        ...

    async def actives(self) -> tuple[Active, ...]:
        """Everything options are offered on, by id. Raises BrokerUnavailable."""
        ...

    async def offers_changed(self) -> None:
        """Returns when the broker says that some of it is offered otherwise since this was asked last; it need not
        say so of everything."""
        ...

    async def candles(self, feed: Feed, *, count: int = 0, ids: tuple[int, int] | None = None) -> list[Candle]:
        """The newest `count`, or the inclusive range of ids; ascending. A closed one has `at` equal to its end.

        Raises BrokerUnavailable.
        """
        ...

    async def subscribe(self, feed: Feed, receive: Callable[[Candle], None]) -> None: ...

    async def unsubscribe(self, feed: Feed) -> None: ...
