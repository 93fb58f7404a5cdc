"""Every REST route, declared once: what it takes, what it answers, and who may ask."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from services.socket_edge import requests as ask
from services.socket_edge import responses as answer

Query = TypeVar("Query")
Body = TypeVar("Body")


class Access(StrEnum):
    PUBLIC = "public"
    USER = "user"
    """Anyone with a valid token, for themselves; administrators for anyone."""
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Route(Generic[Query, Body]):
    method: str
    path: str
    summary: str
    query: type[Query]
    """Of the query string, and of what the path has in braces."""
    body: type[Body]
    answers: tuple[type, ...]
    """More than one: which depends on the query."""
    access: Access = Access.USER

    @property
    def changes(self) -> bool:
        """Whether it changes something, so that a cookie alone does not prove that the user meant it."""
        return self.method != "GET"


FRONT = Route("GET", "/", "What this is", ask.Nothing, ask.Nothing, (answer.Front,), Access.PUBLIC)
HEALTH = Route("GET", "/health", "Whether it lives", ask.Nothing, ask.Nothing, (answer.Alive,), Access.PUBLIC)

CONNECT = Route("POST", "/api/bot/connect", "Connect to the broker", ask.Nothing, ask.OfUser, (answer.Connected,))
DISCONNECT = Route("POST", "/api/bot/disconnect", "Leave the broker", ask.Nothing, ask.OfUser, (answer.Done,))
BALANCE = Route("GET", "/api/bot/balance", "Balances", ask.BalanceQuery, ask.Nothing, (answer.BalanceAnswer,))
STATUS = Route("GET", "/api/bot/status", "Connection and bot", ask.OfBots, ask.Nothing, (answer.Status,))
START = Route("POST", "/api/bot/start-runtime", "Start the bot", ask.Nothing, ask.StartRequest, (answer.BotStarting,))
STOP = Route("POST", "/api/bot/stop-runtime", "Stop the bot", ask.Nothing, ask.OfBots, (answer.BotStopping,))
PAUSE = Route("POST", "/api/bot/pause", "Open nothing until resumed", ask.Nothing, ask.OfBots, (answer.BotChanged,))
RESUME = Route("POST", "/api/bot/resume", "Go on", ask.Nothing, ask.OfBots, (answer.BotChanged,))
PREVIEW = Route(
    "POST", "/api/bot/preview", "What a configuration can cost", ask.Nothing, ask.StartRequest, (answer.PreviewAnswer,)
)
RECONFIGURE = Route(
    "POST", "/api/bot/reconfigure", "Change a running bot", ask.Nothing, ask.StartRequest, (answer.BotChanged,)
)
RUNTIME_STATUS = Route(
    "GET", "/api/bot/runtime-status", "The bot's current run", ask.OfBots, ask.Nothing, (answer.RuntimeStatus,)
)

ASSETS = Route(
    "GET", "/api/assets", "Tradable assets", ask.AssetsQuery, ask.Nothing, (answer.AllAssets, answer.AssetsOfCategory)
)
CANDLES = Route("GET", "/api/candles", "Past candles", ask.CandlesQuery, ask.Nothing, (answer.Candles,))
MARKET_SCANNER = Route(
    "GET", "/api/market-scanner", "The scanner's newest signals", ask.Nothing, ask.Nothing, (answer.SignalRow,)
)
STRATEGY_PERFORMANCE = Route(
    "GET", "/api/strategy-performance", "How signals turned out", ask.PerformanceQuery, ask.Nothing,
    (answer.ScannerRow, answer.StrategyTotal),
)  # fmt: skip
SCANNER_TOP = Route(
    "GET", "/api/scanner/top20", "The best assets and timeframes", ask.RankQuery, ask.Nothing, (answer.ScannerRanking,)
)
SCANNER_ASSET = Route(
    "GET", "/api/scanner/asset/{activeId}", "An asset on all timeframes", ask.ActiveQuery, ask.Nothing,
    (answer.ScannerAsset,),
)  # fmt: skip
COUNT_SCANNER = Route(
    "POST", "/api/scanner/aggregate", "Count the scanner's signals now", ask.Nothing, ask.Nothing,
    (answer.ScannerAggregated,), Access.ADMIN,
)  # fmt: skip
STRATEGIES = Route(
    "GET", "/api/strategies", "What bots may follow", ask.Nothing, ask.Nothing, (answer.StrategiesAnswer,)
)
CRM_STATS = Route(
    "GET", "/api/crm/stats", "Contacts in numbers", ask.Nothing, ask.Nothing, (answer.CrmStatsAnswer,), Access.ADMIN
)

PLATFORM = Route(
    "GET", "/api/admin/platform", "Kill switch and limits", ask.Nothing, ask.Nothing, (answer.PlatformAnswer,),
    Access.ADMIN,
)  # fmt: skip
SET_PLATFORM = Route(
    "PUT", "/api/admin/platform", "Set kill switch and limits", ask.Nothing, ask.PlatformRequest,
    (answer.PlatformAnswer,), Access.ADMIN,
)  # fmt: skip
LIMITS = Route(
    "GET", "/api/admin/limits", "A user's limits", ask.LimitsQuery, ask.Nothing, (answer.LimitsAnswer,), Access.ADMIN
)
SET_LIMITS = Route(
    "PUT", "/api/admin/limits", "Set a user's limits", ask.Nothing, ask.LimitsRequest, (answer.LimitsAnswer,),
    Access.ADMIN,
)  # fmt: skip
