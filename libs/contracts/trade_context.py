"""What administrators are told of how a trade was decided (api-contract §4.8)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.contracts.admin_rows import TradeDetails
from libs.contracts.codec import Message
from libs.contracts.market import Candle


class Indicators(Message, frozen=True, kw_only=True):
    """At the close of the last candle before the decision, of those that are told. In the unit of the price, but RSI is
    0..100; None where there are too few."""

    candle_end: int
    """Epoch seconds of that close."""
    close: float
    rsi14: float | None
    macd: float | None
    macd_signal: float | None
    macd_histogram: float | None
    bollinger_lower: float | None
    """20 candles, two standard deviations."""
    bollinger_middle: float | None
    bollinger_upper: float | None
    ema9: float | None
    ema21: float | None
    ema50: float | None


class Market(Message, frozen=True, kw_only=True):
    candles: tuple[Candle, ...]
    """Around a trade, ascending; empty while the broker's history cannot be read, or does not reach back so far."""
    indicators: Indicators | None
    """None without candles from before it."""


class FollowedSignal(Message, frozen=True, kw_only=True):
    """What a strategy said. That of a bot's last order is known with its candle, of others what the order says."""

    id: str | None
    direction: Literal["CALL", "PUT"]
    confidence: int | None
    """0..100."""
    price: float | None
    """The close that it was computed on."""
    at: datetime | None = None
    timeframe: int | None = None
    """Seconds of its candle, and…"""
    candle_end: int | None = None
    """…the epoch second in which it closed."""


class FollowedStrategy(Message, frozen=True, kw_only=True):
    id: str
    """Empty where it is not known."""
    signal: FollowedSignal


class Trader(Message, frozen=True, kw_only=True):
    user_id: UUID
    email: str
    full_name: str


class TradeContext(Message, frozen=True, kw_only=True):
    """What a trade was decided on."""

    trade: TradeDetails
    market: Market
    strategy: FollowedStrategy
    user: Trader
