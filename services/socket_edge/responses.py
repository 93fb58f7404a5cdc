"""What clients get over REST, in the clients' names (api-contract §2.3, §3, §4). Money leaves as JSON numbers."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal
from uuid import UUID

from msgspec import field

from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig, BotState, BotStatus
from libs.contracts.codec import Message
from libs.contracts.money import Preview
from libs.contracts.platform import Platform, UserLimits
from libs.contracts.strategies import StrategyDescription
from libs.store.scanner import ScannerRow as ScannerRow
from libs.store.scanner import SignalRow as SignalRow
from libs.store.scanner import StrategyTotal as StrategyTotal


class Success(Message, frozen=True, kw_only=True, rename="camel"):
    success: Literal[True] = True


class Done(Success, frozen=True, kw_only=True, rename="camel"):
    message: str


class Connected(Success, frozen=True, kw_only=True, rename="camel"):
    """The broker's session id is never returned."""

    message: str
    balance: str
    """`<amount> <currency>` of the demo account, or `N/A`."""
    balance_amount: Decimal
    connection_type: Literal["WebSocket"] = "WebSocket"


class Reconnected(Success, frozen=True, kw_only=True, rename="camel"):
    message: str
    balance: Decimal
    """Of the demo account; here a number."""
    balance_amount: Decimal
    """The same, by the name that connecting has for it."""


class BalanceOut(Message, frozen=True, kw_only=True, rename="camel"):
    amount: Decimal
    currency: str
    id: int | None
    type: AccountType


class AvailableBalances(Message, frozen=True, kw_only=True):
    demo: Decimal
    real: Decimal


class BalanceAnswer(Success, frozen=True, kw_only=True, rename="camel"):
    balance: BalanceOut
    available_balances: AvailableBalances


class BotStarting(Success, frozen=True, kw_only=True, rename="camel"):
    message: str
    pid: int
    """The number of this run among the user's runs."""
    status: Literal["initializing"] = "initializing"


class BotStopping(Success, frozen=True, kw_only=True, rename="camel"):
    message: str
    pid: int | None
    status: Literal["stopping", "stopped"]


class BotChanged(Success, frozen=True, kw_only=True, rename="camel"):
    message: str
    pid: int
    status: "RunState"


class PreviewAnswer(Success, frozen=True, kw_only=True):
    preview: Preview


class RunState(StrEnum):
    """Of the latest run of a bot: BotState, or that there never was one."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    RECOVERING = "recovering"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"

    @classmethod
    def of(cls, bot: BotStatus | None) -> "RunState":
        return _SHOWN[None if bot is None else bot.state]


_SHOWN: dict[BotState | None, RunState] = {None: RunState.IDLE, **{each: RunState(each.value) for each in BotState}}


class RunStats(Message, frozen=True, kw_only=True, rename="camel"):
    total_trades: int
    wins: int
    losses: int
    ties: int
    win_rate: float
    """Percent of all trades."""
    pnl: Decimal


class RuntimeStatus(Success, frozen=True, kw_only=True, rename="camel"):
    is_running: bool
    pid: int | None
    status: RunState
    started_at: datetime | None
    config: BotConfig | None
    stats: RunStats | None


class Status(Success, frozen=True, kw_only=True, rename="camel"):
    """Every name that clients and documents use for the same two facts (api-contract §3.9)."""

    running: bool
    is_running: bool
    is_connected: bool
    connected: bool
    last_update: datetime
    ssid: None = None
    account_type: AccountType
    balance: Decimal
    user_id: str
    status: RunState


class PlatformAnswer(Success, frozen=True, kw_only=True):
    platform: Platform


class StrategiesAnswer(Success, frozen=True, kw_only=True):
    strategies: tuple[StrategyDescription, ...]


class LimitsAnswer(Success, frozen=True, kw_only=True, rename="camel"):
    user_id: UUID
    limits: UserLimits


class Synced(Success, frozen=True, kw_only=True):
    updated: int
    """Positions that have a result now and had none before; each comes as `position:closed` when it is recorded."""
    total: int
    message: str


class BrokerUserMade(Success, frozen=True, kw_only=True, rename={}):
    """In the broker's names, which are not in camel case."""

    id: int
    """The new user's at the broker: `profiles.broker_user_id`."""
    email: str
    first_name: str
    last_name: str
    country_code: str
    locale: str


class Asset(Message, frozen=True, kw_only=True):
    key: str
    id: int
    name: str
    category: str


class AllAssets(Success, frozen=True, kw_only=True, rename="camel"):
    total: int
    categories: tuple[str, ...]
    assets: dict[str, list[Asset]]


class AssetsOfCategory(Success, frozen=True, kw_only=True, rename="camel"):
    category: str
    count: int
    assets: list[Asset]


class DiscoveredAsset(Message, frozen=True, kw_only=True):
    id: int
    name: str
    type: str


class Discoveries(Message, frozen=True, kw_only=True, rename="camel"):
    actives_facade: list[DiscoveredAsset]


class Discovered(Message, frozen=True, kw_only=True, rename="camel"):
    """For developers, in the words of the original's broker library."""

    methods: tuple[str, ...] = ("actives",)
    results: Discoveries
    sdk_keys: tuple[str, ...] = ()


class CandleOut(Message, frozen=True, kw_only=True):
    time: int
    """Epoch seconds of the candle's end; of the running candle it lies in the future."""
    open: float
    high: float
    low: float
    close: float
    volume: float


class Candles(Success, frozen=True, kw_only=True, rename="camel"):
    asset: str
    timeframe: int
    count: int
    candles: list[CandleOut]


class ScannerRanking(Success, frozen=True, kw_only=True, rename="camel"):
    data: list[ScannerRow]
    timestamp: datetime
    count: int


class ScannerAsset(Success, frozen=True, kw_only=True, rename="camel"):
    data: list[ScannerRow]
    count: int


class ScannerResult(Success, frozen=True, kw_only=True, rename="camel"):
    aggregated: int
    upserted: int
    removed: int


class ScannerAggregated(Success, frozen=True, kw_only=True, rename="camel"):
    message: str
    result: ScannerResult


class CrmCounts(Message, frozen=True, kw_only=True, rename="camel"):
    total_contacts: int
    total_leads: int
    total_prospects: int
    total_customers: int
    total_inactive: int
    total_churned: int
    active_segments: int
    running_workflows: int
    active_campaigns: int
    """Scheduled or being sent."""
    total_templates: int
    emails_sent_30d: int = field(name="emailsSent30d")
    timestamp: datetime


class CrmStatsAnswer(Success, frozen=True, kw_only=True, rename="camel"):
    data: CrmCounts


class Connections(Message, frozen=True, kw_only=True):
    avalon: Literal["connected", "disconnected"]
    supabase: Literal["connected", "disconnected"]


class Alive(Message, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"
    timestamp: datetime
    uptime: float
    """Seconds."""
    connections: Connections


class Ready(Success, frozen=True, kw_only=True):
    status: Literal["ready"] = "ready"


class Front(Message, frozen=True, kw_only=True):
    name: str
    version: str
    status: Literal["online"] = "online"
    timestamp: datetime
    endpoints: dict[str, str]
    """`METHOD path` by a short name."""
    connection: Connections
