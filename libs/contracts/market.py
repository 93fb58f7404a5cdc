"""Market data: candles and the catalogue of tradable actives."""

from datetime import datetime
from typing import NamedTuple

from libs.contracts.codec import Message

CANDLE_SIZES = (
    1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 604800, 2592000,
)  # fmt: skip
"""Candle sizes the broker offers, in seconds (quadcode-protocol §11.1)."""


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


class Active(Message, frozen=True, kw_only=True):
    """A tradable thing, with what its blitz options offer."""

    id: int
    ticker: str
    """The broker's symbol and the key clients send, e.g. `EURUSD-OTC`."""
    name: str
    """For display, e.g. `EUR/USD OTC`."""
    category: str
    """forex, crypto, commodities, indices, stocks or pairs."""
    suspended: bool
    hours: tuple[TradingHours, ...]
    durations: tuple[int, ...]
    """Blitz option durations on offer, in seconds."""
    payout: int
    """Percent of the stake that is won on a win."""

    def tradable(self, at: datetime) -> bool:
        """Whether a blitz option may be bought at that time."""
        second = at.timestamp()
        return not self.suspended and any(opens <= second <= closes for opens, closes in self.hours)


class Catalogue(Message, frozen=True, kw_only=True):
    """Every active the broker offers blitz options on."""

    at: datetime
    actives: tuple[Active, ...]


class FeedDemand(Message, frozen=True, kw_only=True):
    """The candle feeds one process wants; it lapses unless renewed, so a dead process wants nothing."""

    feeds: tuple[Feed, ...]
