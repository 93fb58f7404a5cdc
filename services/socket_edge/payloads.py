"""What sockets get (api-contract §8), in the clients' names. Money leaves as JSON numbers."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from libs.contracts.account import AccountType
from libs.contracts.alerts import AlertType, Severity
from libs.contracts.bots import Activity, BotState
from libs.contracts.codec import Message
from libs.contracts.crm.campaigns import CampaignStatus, Progress
from libs.contracts.logs import LogLevel, LogOrigin
from libs.contracts.orders import TradeResult
from services.socket_edge.responses import CandleOut


class Event(Message, frozen=True, kw_only=True, rename="camel"):
    """Of one user. `seq` is the same on every edge; it grows with every event of the user, not by one."""

    user_id: str
    timestamp: datetime
    seq: int = 0
    """A client that comes back says the last it saw."""
    prev_seq: int = 0
    """No event of this user in this namespace lies between: a client whose last is lower missed one. 0: not known."""


class BotStatusEvent(Event, frozen=True, kw_only=True, rename="camel"):
    status: Activity
    label: str
    current_asset: str | None
    active_id: int | None
    account_type: AccountType
    """Of the bot."""


class StatusUpdateEvent(Event, frozen=True, kw_only=True, rename="camel"):
    status: str
    """For people."""
    state: Activity
    current_asset: str | None
    active_id: int | None
    account_type: AccountType | None
    """Of the bot; null when it is about the session to the broker."""


class PositionOpened(Event, frozen=True, kw_only=True, rename="camel"):
    position_id: int
    trade_id: str
    active_name: str
    active_id: int
    direction: str
    amount: Decimal
    expiration_seconds: int
    account_type: AccountType


class PositionClosed(Event, frozen=True, kw_only=True, rename="camel"):
    position_id: int
    trade_id: str
    resultado: TradeResult
    pnl: Decimal


class TradeCompleted(Event, frozen=True, kw_only=True, rename="camel"):
    trade_id: str
    position_id: int
    asset: str
    active_id: int
    direction: str
    amount: Decimal
    result: TradeResult
    resultado: TradeResult
    pnl: Decimal
    account_type: AccountType
    strategy: str
    opened_at: datetime
    closed_at: datetime


class PnlUpdate(Event, frozen=True, kw_only=True, rename="camel"):
    pnl: Decimal
    """Of the last trade."""
    total_pnl: Decimal
    """Of the run."""
    win_rate: float
    """Percent of all trades of the run."""
    total_trades: int
    wins: int
    losses: int
    ties: int
    account_type: AccountType


class BalanceAmount(Message, frozen=True, kw_only=True, rename="camel"):
    account_type: AccountType
    amount: Decimal
    currency: str


class BalanceUpdate(Event, frozen=True, kw_only=True, rename="camel"):
    balances: tuple[BalanceAmount, ...]


class Notification(Event, frozen=True, kw_only=True, rename="camel"):
    """Plain text: to be shown as such."""

    id: str
    title: str
    body: str


class TradeNew(Event, frozen=True, kw_only=True, rename="camel"):
    """A position was opened."""

    trade_id: str
    position_id: int
    asset: str
    active_id: int
    direction: str
    amount: Decimal
    account_type: AccountType
    strategy: str


class SignalNew(Event, frozen=True, kw_only=True, rename="camel"):
    """The signal that a bot chose to follow."""

    active_id: int
    direction: str
    confidence: int
    """0..100."""
    strategy: str
    timeframe: int
    """Seconds of the candle it was computed on."""


class BotSnapshot(Message, frozen=True, kw_only=True, rename="camel"):
    state: BotState
    bot_status: BotStatusEvent
    pnl: PnlUpdate | None
    """Of its last run; null before its first."""


class Snapshot(Event, frozen=True, kw_only=True, rename="camel"):
    """How things stand; what changes it comes with a higher `seq`."""

    connected: bool
    """Whether the user's session to the broker is open."""
    balances: tuple[BalanceAmount, ...]
    bots: tuple[BotSnapshot, ...]


class Resumed(Event, frozen=True, kw_only=True, rename="camel"):
    """After what was missed, before what is new."""

    missed: int
    """Events that were sent again."""


class ResumeGap(Event, frozen=True, kw_only=True, rename="camel"):
    """What was missed cannot be told one by one: a snapshot follows, and trades must be read again."""

    last_seq: int | None
    """As the client said; null when it was no number."""
    reason: str
    """`expired`: too long ago; `too-many`: more than are kept for one socket; `unknown`: never given out."""


class Greeting(Message, frozen=True, kw_only=True):
    """After the connection to a namespace."""

    message: str
    timestamp: datetime


class Subscribed(Message, frozen=True, kw_only=True):
    asset: str
    timeframe: int
    strategy: str


class Refused(Message, frozen=True, kw_only=True):
    message: str
    error: str
    """A stable code."""
    event: str
    """What was refused."""


class CandleSnapshot(Message, frozen=True, kw_only=True, rename="camel"):
    asset: str
    active_id: int
    timeframe: int
    seq: int
    """Of this feed on this connection; updates have higher ones."""
    candles: list[CandleOut]
    """Ascending in time."""


class FeedCandle(Message, frozen=True, kw_only=True, rename="camel"):
    asset: str
    active_id: int
    timeframe: int
    seq: int
    """Counts what the feed brought; a number that is left out was replaced by a newer one."""
    time: int
    """Epoch seconds of the candle's end."""
    open: float
    high: float
    low: float
    close: float
    volume: float


class OperatorEvent(Message, frozen=True, kw_only=True, rename="camel"):
    """Of `/admin`."""

    timestamp: datetime
    seq: int
    """Grows; the same on every edge."""


_OF_ALERTS = {"user_id": "userId", "event_id": "eventId"}
"""The other names are those of the lists, which are not in camel case."""


class AdminTrade(OperatorEvent, frozen=True, kw_only=True, rename="camel"):
    user_id: str
    trade_id: str
    asset: str
    direction: str
    amount: Decimal
    result: TradeResult
    pnl: Decimal
    account_type: AccountType
    strategy: str


class AdminBot(OperatorEvent, frozen=True, kw_only=True, rename="camel"):
    user_id: str
    account_type: AccountType
    state: BotState
    label: str
    reason: str


class AdminAlert(OperatorEvent, frozen=True, kw_only=True, rename=_OF_ALERTS):
    """As the list of alerts has it, and more."""

    id: int
    """By which it is marked as read or resolved; 0 while the database is away, and then it comes again with one."""
    event_id: str
    """The same when it comes again."""
    alert_type: AlertType
    severity: Severity
    message: str
    is_read: bool = False
    is_resolved: bool = False
    service: str
    kind: str
    """A stable word."""
    user_id: str | None
    details: dict[str, str]
    ends: str
    """The `eventId` of the alert that is over with this; empty when it is no end."""


class AdminLog(OperatorEvent, frozen=True, kw_only=True, rename=_OF_ALERTS):
    """As the list of log entries has it."""

    id: int
    level: LogLevel
    origin: LogOrigin
    message: str
    metadata: dict[str, Any]
    created_at: datetime


class AdminCampaign(OperatorEvent, frozen=True, kw_only=True, rename="camel"):
    campaign_id: str
    name: str
    status: CampaignStatus
    why: str | None
    """It is paused or has failed by itself."""
    stats: Progress


class HealthChange(Message, frozen=True, kw_only=True, rename={"before": "from", "now": "to"}):
    """What this edge sees of what it stands on."""

    service: Literal["avalon", "database", "nats", "bot", "analytics"]
    before: str
    now: str
    """`healthy` or, of avalon and analytics, `disconnected`, of database and nats `unhealthy`; of bot `running` or
    `stopped`."""
    timestamp: datetime


class AdminUser(OperatorEvent, frozen=True, kw_only=True, rename="camel"):
    user_id: str
    admin_user_id: str
    """Who did it."""


class AdminSuspension(AdminUser, frozen=True, kw_only=True, rename="camel"):
    reason: str


class AdminRole(AdminUser, frozen=True, kw_only=True, rename="camel"):
    new_role: str | None
    """Null: dismissed."""


class MetricsUpdate(Message, frozen=True, kw_only=True, rename="camel"):
    """Money and trades of today are those on real accounts."""

    timestamp: datetime
    uptime: float
    """Seconds."""
    total_users: int
    active_bots: int
    active_sessions: int
    """To the broker."""
    trades_today: int
    win_rate: float
    """Percent of those of today that are decided."""
    pnl_today: Decimal
    services: dict[str, str]
    """State of each: `healthy`, `running`, or what is wrong."""


class Ack(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to whatever a client emits, if it asks for one."""

    ok: bool
    error: str = ""
    """A stable code, when it was refused."""
