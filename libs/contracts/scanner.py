"""The market scanner: what every strategy says of every active and candle size, and who was right most often."""

from datetime import datetime

from libs.contracts.codec import Message
from libs.contracts.market import Feed
from libs.contracts.orders import Direction


class StrategySignal(Message, frozen=True, kw_only=True):
    strategy: str
    direction: Direction
    confidence: int
    """0..100."""


class ScannedCandle(Message, frozen=True, kw_only=True):
    """A candle that closed, and what strategies say of it (`scanner.signal.{active}.{size}`).

    A signal is for the next candle. So this close also decides the signals of the candle before, for which alone it is
    told when there are no new ones.
    """

    id: str
    at: datetime
    active_id: int
    name: str
    """Of the active, for display."""
    size: int
    """Seconds."""
    end: int
    """Epoch seconds."""
    close: float
    signals: tuple[StrategySignal, ...]

    @property
    def feed(self) -> Feed:
        return Feed(self.active_id, self.size)


class Performance(Message, frozen=True, kw_only=True):
    """How the signals on one active and candle size turned out, within a window."""

    active_id: int
    name: str
    size: int
    signals: int
    """Won or lost; neither ties nor those that could not be verified."""
    wins: int
    losses: int
    win_rate: float
    """Percent of `signals`."""
    wilson_lower: float
    """Percent; the lower bound of the 95 % confidence interval of the win rate."""


class ScannerRanking(Message, frozen=True, kw_only=True):
    """The best actives and candle sizes, best first (`scanner.ranking`); told when it differs from the one before."""

    id: str
    at: datetime
    rows: tuple[Performance, ...]
