"""Market data: candles and the catalogue of tradable actives."""

from datetime import datetime
from typing import NamedTuple

from libs.contracts.codec import Message
from libs.contracts.orders import OptionKind

CANDLE_SIZES = (
    1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 604800, 2592000,
)  # fmt: skip
"""Candle sizes the broker offers, in seconds (quadcode-protocol §11.1)."""


def offered_size(size: int) -> int:
    """Of the broker's candles that one of `size` seconds is made of: its own, or the largest that divides it."""
    return max(offered for offered in CANDLE_SIZES if size % offered == 0)


class Feed(NamedTuple):
    """A candle stream of one active and size."""

    active_id: int
    size: int
    """Seconds; one of CANDLE_SIZES."""


class Candle(Message, frozen=True, kw_only=True):
    """A running or closed candle. Prices are mid prices as the broker quotes them."""

    active_id: int
    size: int
    id: int
    """The broker's sequence number: consecutive candles of one feed differ by exactly 1."""
    start: int
    """Epoch seconds; the candle covers [start, end)."""
    end: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    at: datetime
    """Broker time of the last update in it; equal to `end` when the candle is closed."""

    @property
    def feed(self) -> Feed:
        return Feed(self.active_id, self.size)


class TradingHours(NamedTuple):
    """Bounds in epoch seconds, both inclusive."""

    opens: int
    closes: int


class Offering(Message, frozen=True, kw_only=True):
    """What the broker offers of one kind of option on an active."""

    kind: OptionKind
    suspended: bool
    hours: tuple[TradingHours, ...]
    durations: tuple[int, ...]
    """Seconds: of blitz options from purchase to expiry; of the others between two expirations."""
    payout: int | None
    """Percent of the stake that is won on a win; None where it depends on a price of the moment (digital)."""
    deadtime: int = 0
    """Seconds before an expiration in which it can no longer be bought; the longest of all durations."""
    sellable: bool = False
    """Whether it can be sold before it expires."""

    def tradable(self, at: datetime) -> bool:
        second = at.timestamp()
        return not self.suspended and any(opens <= second <= closes for opens, closes in self.hours)


class Active(Message, frozen=True, kw_only=True):
    """A thing that options are offered on."""

    id: int
    ticker: str
    """The broker's symbol and the key clients send, e.g. `EURUSD-OTC`."""
    name: str
    """For display, e.g. `EUR/USD OTC`."""
    category: str
    """forex, crypto, commodities, indices, stocks or pairs."""
    options: tuple[Offering, ...]
    """At most one of each kind."""

    def option(self, kind: OptionKind) -> Offering | None:
        return next((offering for offering in self.options if offering.kind is kind), None)

    def tradable(self, kind: OptionKind, at: datetime) -> bool:
        """Whether an option of that kind may be bought at that time."""
        offering = self.option(kind)
        return offering is not None and offering.tradable(at)


class Catalogue(Message, frozen=True, kw_only=True):
    """Every active the broker offers options on, by id."""

    at: datetime
    actives: tuple[Active, ...]


class FeedDemand(Message, frozen=True, kw_only=True):
    """The candle feeds one process wants; it lapses unless renewed, so a dead process wants nothing."""

    feeds: tuple[Feed, ...]
