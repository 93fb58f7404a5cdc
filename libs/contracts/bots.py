"""Bots: what a user wants of one, and what it does."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from libs.contracts.account import AccountType
from libs.contracts.codec import Message
from libs.contracts.orders import Direction, TradeResult

_BOUNDS = {
    "amount": (Decimal("0.01"), Decimal(1000)),
    "leverage": (Decimal("1.5"), Decimal(5)),
    "max_stake": (Decimal("0.01"), Decimal(10000)),
    "daily_goal": (Decimal(10), Decimal(10000)),
}
"""Of the Decimal fields of BotConfig, inclusive; msgspec's own bounds are for int and float only."""


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class BotConfig(Message, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The `config` of `POST /api/bot/start-runtime` (api-contract §10.1), hence in camelCase everywhere."""

    mode: Literal["auto", "manual"] = "auto"
    strategy: Literal["aggressive"] = "aggressive"
    amount: Decimal = Decimal(1)
    """Stake in major units of the balance's currency."""
    account_type: AccountType = AccountType.DEMO
    asset: str | None = None
    """Ticker; manual mode only, and required there."""
    timeframe: Literal[10, 30, 60, 300] = 60
    """Manual mode: candle size and option duration, in seconds."""
    max_timeframe: Annotated[int, Meta(ge=5, le=3600)] = 60
    """Auto mode: the longest option duration it may choose, in seconds."""
    min_payout: Annotated[int, Meta(ge=0, le=100)] = 0
    """Percent won on a win; nothing that pays less is traded."""
    leverage_enabled: bool = False
    leverage: Decimal = Decimal(2)
    """Martingale: after the n-th loss in a row the stake is amount × leverage^n."""
    max_martingale_steps: Annotated[int, Meta(ge=1, le=6)] = 3
    max_stake: Decimal = Decimal(1000)
    safety_stop_enabled: bool = False
    safety_stop: Annotated[int, Meta(ge=1, le=10)] = 3
    """Stop after this many losses in a row."""
    daily_goal_enabled: bool = False
    daily_goal: Decimal = Decimal(100)
    """Stop when the run's profit reaches this."""

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value: Decimal = getattr(self, name)
            if not value.is_finite() or not low <= value <= high:
                raise ValueError(f"Expected `Decimal` >= {low} and <= {high} in `{_camel(name)}`")
        if self.mode == "manual" and not self.asset:
            raise ValueError("Expected `asset` in manual mode")


class BotState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def alive(self) -> bool:
        return self in (BotState.STARTING, BotState.RUNNING, BotState.STOPPING)


class Activity(StrEnum):
    """What a bot is doing: the `bot_status.status` words of the public contract (api-contract §8.1)."""

    ANALYZING = "analyzing"
    SIGNAL_FOUND = "signal_found"
    OPENING = "opening"
    TRACKING = "tracking"
    WIN = "win"
    LOSS = "loss"
    TIE = "tie"
    STOPPED = "stopped"
    ERROR = "error"


class DesiredBot(Message, frozen=True, kw_only=True):
    """What a user wants of their bot. `run` changes with every start."""

    user: str
    at: datetime
    run: str
    number: int
    """Counts this user's runs from 1; the `pid` of the public contract."""
    running: bool
    config: BotConfig
    reason: str = ""
    """Why it should stop; empty while it should run."""


class BotStatus(Message, frozen=True, kw_only=True):
    """Last state of a user's bot (KV `bots`, republished as `bot.{user}.status`)."""

    id: str
    user: str
    at: datetime
    run: str
    number: int
    state: BotState
    activity: Activity
    label: str
    """For people, e.g. `Analyzing markets...` (api-contract §10.3)."""
    config: BotConfig
    started_at: datetime
    active_id: int | None = None
    ticker: str | None = None
    order_id: str | None = None
    """The order this status is about, if any."""
    reason: str = ""


class BotPnl(Message, frozen=True, kw_only=True):
    """A run's score so far (KV `bots`, republished as `bot.{user}.pnl`)."""

    id: str
    user: str
    at: datetime
    run: str
    account_type: AccountType
    sequence: int
    """The last order that is counted in; a result is counted once because this only grows."""
    order_id: str = ""
    profit: Decimal = Decimal(0)
    """Of that last order."""
    total: Decimal = Decimal(0)
    wins: int = 0
    losses: int = 0
    ties: int = 0
    losses_in_a_row: int = 0

    @property
    def trades(self) -> int:
        return self.wins + self.losses + self.ties


class Signal(Message, frozen=True, kw_only=True):
    """What a strategy says of one active at the close of one candle."""

    id: str
    at: datetime
    active_id: int
    size: int
    candle_end: int
    """Epoch seconds; the close it was computed on."""
    strategy: str
    direction: Direction
    confidence: int
    """0..100."""


class BotSignal(Message, frozen=True, kw_only=True):
    """The signal a bot chose to follow (KV `bots`, republished as `bot.{user}.signal`)."""

    user: str
    at: datetime
    run: str
    order_id: str
    signal: Signal


ACTIVITY_OF_RESULT = {
    TradeResult.WIN: Activity.WIN,
    TradeResult.LOSS: Activity.LOSS,
    TradeResult.TIE: Activity.TIE,
}
