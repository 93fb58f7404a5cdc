"""What administrators are answered, in the admin client's names (api-contract §5). Money is in major units, rates in
percent, days are of UTC."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from msgspec import field

from libs.contracts.account import AccountType
from libs.contracts.admin import Accounts
from libs.contracts.codec import Message
from libs.contracts.orders import TradeResult


class DashboardMetrics(Message, frozen=True, kw_only=True):
    """Never null: the client formats every one without a look."""

    total_users: int
    total_users_real: int
    total_users_demo_only: int
    active_users_today_real: int
    new_users_week_real: int
    churn_rate_percentage: float
    deposits_today_real: Decimal
    """A proxy, as the two after it: what was staked today on real accounts…"""
    withdrawals_today_real: Decimal
    """…and won on them, if anything was."""
    net_revenue_today_real: Decimal
    avg_deposit_size: Decimal
    trades_today_real: int
    volume_today_real: Decimal
    platform_win_rate_real: float
    active_bots_real: int
    avg_engagement_score: float
    avg_session_duration_minutes: float
    dau_real: int
    mau_real: int
    demo_users: int
    conversion_rate_percent: float
    avg_days_to_convert: float


class Revenue(Message, frozen=True, kw_only=True):
    date: date
    deposits_real: Decimal
    withdrawals_real: Decimal
    net_revenue_real: Decimal


class UserGrowth(Message, frozen=True, kw_only=True):
    date: date
    new_users: int
    new_users_real: int


class TopUser(Message, frozen=True, kw_only=True):
    user_id: UUID
    email: str
    full_name: str
    total_trades: int
    lifetime_pnl: Decimal
    total_volume_traded: Decimal
    win_rate_percentage: float


class AssetPerformance(Message, frozen=True, kw_only=True):
    asset: str
    total_trades: int
    win_rate: float
    total_volume: Decimal
    total_profit: Decimal
    avg_profit: Decimal


class UserListItem(Message, frozen=True, kw_only=True):
    user_id: UUID
    email: str
    phone: str | None
    created_at: datetime
    last_sign_in_at: datetime | None
    account_type: Accounts
    total_trades: int
    """As the two after it of real accounts, whatever is asked for."""
    total_pnl: Decimal
    win_rate: float
    is_active: bool
    """Signed in within seven days, and not suspended."""
    is_suspended: bool
    bot_running: bool


class UserDetails(Message, frozen=True, kw_only=True):
    user_id: UUID
    email: str
    phone: str | None
    created_at: datetime
    last_sign_in_at: datetime | None
    account_type: Accounts
    is_active: bool
    is_suspended: bool
    bot_running_real: bool
    bot_mode_real: str | None
    """Of the last run, as `bot_mode_demo`."""
    balance_real: Decimal
    bot_running_demo: bool
    bot_mode_demo: str | None
    balance_demo: Decimal
    total_trades_real: int
    total_pnl_real: Decimal
    win_rate_real: float
    total_volume_real: Decimal
    total_trades_demo: int
    total_pnl_demo: Decimal
    win_rate_demo: float
    first_trade_demo: datetime | None
    first_trade_real: datetime | None
    days_to_convert: float | None
    last_trade_at: datetime | None
    session_count: int
    last_session_at: datetime | None


class UserTrade(Message, frozen=True, kw_only=True):
    trade_id: str
    """A string: the client cuts it."""
    account_type: AccountType
    ativo: str
    valor: Decimal
    pnl: Decimal
    """0 while it is open."""
    resultado: TradeResult | None
    direcao: Literal["CALL", "PUT"]
    data_abertura: datetime
    data_fechamento: datetime | None
    duracao_segundos: int


class TradeListItem(UserTrade, frozen=True, kw_only=True):
    user_id: UUID
    user_email: str


class TradeDetails(TradeListItem, frozen=True, kw_only=True):
    bot_mode: str | None
    """`auto` or `manual`; None where it is not known of the run that decided it."""
    balance_before: Decimal | None
    """None, as `balance_after`, where the broker did not tell."""
    balance_after: Decimal | None


class UserSession(Message, frozen=True, kw_only=True):
    session_id: UUID
    created_at: datetime
    last_activity: datetime
    duration_minutes: float
    trades_in_session: int
    pnl_in_session: Decimal


class Activity(Message, frozen=True, kw_only=True):
    id: int
    user_id: UUID | None
    actor_id: UUID | None
    action: str
    details: dict[str, Any]
    ip: str | None
    created_at: datetime


class Slice(Message, frozen=True, kw_only=True):
    """Trades with something in common."""

    name: str
    total_trades: int
    wins: int
    losses: int
    ties: int
    win_rate: float
    volume: Decimal
    pnl: Decimal


class UserMetrics(Message, frozen=True, kw_only=True):
    user_id: UUID
    total_trades: int
    wins: int
    losses: int
    ties: int
    win_rate: float
    total_pnl: Decimal
    total_volume: Decimal
    avg_pnl: Decimal
    best_trade: Decimal
    worst_trade: Decimal
    max_drawdown: Decimal
    """The deepest fall of what was won below its highest point so far."""
    current_streak: int
    """Wins in a row, or losses as a negative number; ties are passed over."""
    by_asset: tuple[Slice, ...]
    by_strategy: tuple[Slice, ...]


class DailyRow(Message, frozen=True, kw_only=True):
    date: date
    total_trades: int
    wins: int
    losses: int
    ties: int
    win_rate: float
    volume: Decimal
    pnl: Decimal
    active_users: int


class StrategyRow(Message, frozen=True, kw_only=True):
    strategy_id: str
    total_trades: int
    wins: int
    losses: int
    ties: int
    win_rate: float
    volume: Decimal
    pnl: Decimal
    avg_pnl: Decimal


class HourlyRow(Message, frozen=True, kw_only=True):
    hour: int
    """0..23 of UTC."""
    total_trades: int
    wins: int
    losses: int
    win_rate: float
    pnl: Decimal


class Comparison(Message, frozen=True, kw_only=True):
    best: DailyRow | None
    worst: DailyRow | None
    average: DailyRow | None
    trend: Literal["up", "down", "flat"]
    change_percent: float


class Point(Message, frozen=True, kw_only=True):
    date: date
    value: float


class Charts(Message, frozen=True, kw_only=True, rename="camel"):
    pnl: tuple[Point, ...]
    volume: tuple[Point, ...]
    trades: tuple[Point, ...]
    win_rate: tuple[Point, ...]


class TradeStats(Message, frozen=True, kw_only=True):
    win: int
    loss: int
    tie: int
    total: int
    win_rate: float
    total_pnl: Decimal
    total_volume: Decimal
    avg_pnl: Decimal


class AssetStats(Message, frozen=True, kw_only=True):
    ativo: str
    total_trades: int
    win_count: int
    loss_count: int
    tie_count: int
    win_rate: float
    total_pnl: Decimal
    total_volume: Decimal
    avg_trade_value: Decimal


class DailyVolume(Message, frozen=True, kw_only=True):
    date: date
    volume: Decimal
    pnl: Decimal
    trades: int


class TimelineStep(Message, frozen=True, kw_only=True):
    at: datetime
    type: Literal["signal", "order", "open", "update", "close", "settle"]
    data: dict[str, Any]


class ServiceState(Message, frozen=True, kw_only=True):
    state: Literal["healthy", "degraded", "unhealthy", "disconnected", "running", "stopped"]
    latency_ms: float | None = None


class PlatformHealth(Message, frozen=True, kw_only=True, rename="camel"):
    status: Literal["healthy", "degraded", "unhealthy"]
    """Unhealthy without the database or NATS, degraded when anything else is missing."""
    services: dict[str, ServiceState]
    uptime: float
    """Seconds."""
    active_bots: int
    errors24h: int
    """Log entries of errors, which critical alerts are among, within a day."""
    avg_latency_ms: float
    """Of those services that answer."""
    queue_depth: int
    """Trade events that wait to be written into the ledger."""


class Realtime(Message, frozen=True, kw_only=True, rename="camel"):
    """At most a second old."""

    total_users: int
    active_bots: int
    active_sessions: int
    """To the broker."""
    recent_trades: int
    """Decided ones among the newest hundred, of all accounts."""
    win_rate: str
    """Of these, with two decimals, as the client expects…"""
    win_rate_value: float
    """…and as a number."""
    trades_today: int
    """As the two after it of real accounts."""
    win_rate_today: float
    pnl_today: Decimal
    uptime: float
    """Seconds."""
    services: dict[str, str]
    """Their states, as in `PlatformHealth`."""
    sources: dict[str, str]
    """Where each number comes from."""
    timestamp: datetime


class SignalMetrics(Message, frozen=True, kw_only=True, rename="camel"):
    """Of the scanner's signals."""

    total_trades: int
    wins: int
    losses: int
    win_rate: str
    period: Literal["24h", "all-time"]
    timestamp: datetime


class Alert(Message, frozen=True, kw_only=True):
    id: int
    alert_type: str
    severity: str
    message: str
    is_read: bool
    is_resolved: bool
    timestamp: datetime
    service: str = ""
    kind: str = ""
    """A stable word."""
    user_id: str | None = None
    """Whom it is about, if anybody."""
    details: dict[str, Any] = field(default_factory=dict)
    read_by: UUID | None = None
    """Who has seen it first."""
    read_at: datetime | None = None
    resolved_by: UUID | None = None
    """None, too, where it was over by itself."""
    resolved_at: datetime | None = None


class LogEntry(Message, frozen=True, kw_only=True):
    id: int
    level: str
    origin: str
    message: str
    metadata: dict[str, Any]
    created_at: datetime
