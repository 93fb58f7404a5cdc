"""Bots: what a user wants of one, and what it does."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from libs.contracts.account import AccountType
from libs.contracts.bounds import check
from libs.contracts.codec import Message
from libs.contracts.ids import BotId
from libs.contracts.money import FOLLOWS_RESULTS, FixedPlan, Limits, Protections, StakePlan
from libs.contracts.orders import Direction, TradeResult
from libs.contracts.pattern import END

_BOUNDS = {
    "amount": (Decimal("0.01"), Decimal(1000)),
    "leverage": (Decimal("1.5"), Decimal(5)),
    "max_stake": (Decimal("0.01"), Decimal(10000)),
    "daily_goal": (Decimal(10), Decimal(10000)),
    "stop_loss": (Decimal("0.01"), Decimal(1_000_000)),
}


class BotConfig(Message, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The `config` of `POST /api/bot/start-runtime` (api-contract §10.1), hence in camelCase everywhere."""

    mode: Literal["auto", "manual"] = "auto"
    strategy: Annotated[str, Meta(pattern="^[a-z0-9]+([-_][a-z0-9]+)*" + END, max_length=40)] = "aggressive"
    """A name that bot-runtime knows; `start` refuses others."""
    strategy_parameters: Annotated[dict[str, bool | int | float | str], Meta(max_length=32)] | None = None
    """Of the strategy's own parameters those that are not to have their defaults."""
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
    """Stop when the profit of the trading day reaches this, in whatever runs it was made."""
    stop_loss: Decimal | None = None
    """Stop when the trading day has lost this; stakes are lowered so that it is never passed."""
    time_zone: Annotated[str, Meta(max_length=64)] = "UTC"
    """IANA name: where the trading day begins at midnight, and of the trading hours."""
    max_open_positions: Annotated[int, Meta(ge=1, le=10)] = 1
    stake_plan: StakePlan = FixedPlan()
    limits: Limits = Limits()
    protections: Protections = Protections()

    def __post_init__(self) -> None:
        check(self, _BOUNDS)
        if self.mode == "manual" and not self.asset:
            raise ValueError("Expected `asset` in manual mode")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("Expected an IANA time zone in `timeZone`") from error
        self._check_plan()

    def _check_plan(self) -> None:
        """Combinations that make no sense."""
        if self.leverage_enabled and not isinstance(self.stake_plan, FixedPlan):
            raise ValueError("Expected no plan besides `leverageEnabled` in `stakePlan`")
        if self.max_open_positions > 1 and (self.leverage_enabled or isinstance(self.stake_plan, FOLLOWS_RESULTS)):
            raise ValueError("Expected 1, because stakes follow from results one by one, in `maxOpenPositions`")
        smallest = min(self.amount, self.max_stake)
        for name, limit in (("stopLoss", self.stop_loss), ("maxDrawdown", self.limits.max_drawdown)):
            if limit is not None and limit < smallest:
                raise ValueError(f"Expected at least one stake ({smallest}) in `{name}`")


class BotState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    """By its user: opens nothing until it is resumed."""
    RECOVERING = "recovering"
    """The broker is away; it goes on as soon as that is back."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def alive(self) -> bool:
        return self not in _OVER


_OVER = (BotState.STOPPED, BotState.FAILED)


class TradingState(StrEnum):
    """Whether a bot may open positions on its account type. Its money rules decide it (services/bot_runtime/policy)."""

    ACTIVE = "active"
    REDUCING = "reducing"
    """Opens nothing; what is open is followed to its end."""
    HALTED = "halted"
    """A loss limit was reached: opens nothing more. What can be sold would be sold; but bots buy blitz options only,
    which no broker takes back, so what is open is followed to its end here too."""


class Activity(StrEnum):
    """What a bot is doing: the `bot_status.status` words of the public contract (api-contract §8.1)."""

    ANALYZING = "analyzing"
    SIGNAL_FOUND = "signal_found"
    OPENING = "opening"
    TRACKING = "tracking"
    WIN = "win"
    LOSS = "loss"
    TIE = "tie"
    PAUSED = "paused"
    STOPPED = "stopped"
    ERROR = "error"


class DesiredBot(Message, frozen=True, kw_only=True):
    """What a user wants of a bot. `run` changes with every start, and nothing else does; `config` may."""

    user: str
    at: datetime
    run: str
    number: int
    """Counts this user's runs from 1, on all accounts; the `pid` of the public contract."""
    running: bool
    paused: bool = False
    config: BotConfig
    reason: str = ""
    """Why it should stop; empty while it should run."""

    @property
    def bot(self) -> BotId:
        return BotId(self.user, self.config.account_type)


class BotStatus(Message, frozen=True, kw_only=True):
    """Last state of a bot (KV `bots`, republished as `bot.{user}.{account_type}.status`)."""

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
    trading: TradingState = TradingState.ACTIVE
    held_until: datetime | None = None
    """When what keeps it from trading ends by itself."""

    @property
    def bot(self) -> BotId:
        return BotId(self.user, self.config.account_type)


def shown(statuses: Iterable[BotStatus]) -> BotStatus | None:
    """Which of a user's bots stands for all where clients know one only: of those that run the latest started."""
    return max(statuses, key=lambda status: (status.state.alive, status.started_at), default=None)


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
    price: float | None = None
    """That close; unknown of signals of before it was told."""


class BotSignal(Message, frozen=True, kw_only=True):
    """The signal a bot chose to follow (KV `bots`, republished as `bot.{user}.{account_type}.signal`)."""

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
