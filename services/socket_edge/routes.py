"""Every REST route, declared once: what it takes, what it answers, who may ask, and how often."""

from typing import Any

from libs.contracts.admin import Recent
from services.socket_edge import admin_routes
from services.socket_edge import requests as ask
from services.socket_edge import responses as answer
from services.socket_edge import session_responses as session
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm import routes as crm_routes
from services.socket_edge.route import Access, Rate, Route

FRONT = Route(
    "GET", "/", "What this is", ask.Nothing, ask.Nothing, (answer.Front,), Access.PUBLIC, Rate.POLL
)  # fmt: skip
HEALTH = Route(
    "GET", "/health", "Whether it lives", ask.Nothing, ask.Nothing, (answer.Alive,), Access.PUBLIC, Rate.POLL
)  # fmt: skip

HEALTHZ = Route(
    "GET", "/healthz", "Whether it lives", ask.Nothing, ask.Nothing, (answer.Alive,), Access.PUBLIC, Rate.POLL
)  # fmt: skip
READYZ = Route(
    "GET", "/readyz", "Whether it can do its work", ask.Nothing, ask.Nothing, (answer.Ready,), Access.PUBLIC, Rate.POLL
)  # fmt: skip

CONNECT = Route(
    "POST", "/api/bot/connect", "Connect to the broker", ask.Nothing, ask.OfUser, (answer.Connected,),
    rate=Rate.COSTLY,
)  # fmt: skip
RECONNECT = Route(
    "POST", "/api/bot/reconnect", "Connect anew, with a fresh session", ask.Nothing, ask.OfUser,
    (answer.Reconnected,), rate=Rate.COSTLY,
)  # fmt: skip
DISCONNECT = Route(
    "POST", "/api/bot/disconnect", "Leave the broker", ask.Nothing, ask.OfUser, (answer.Done,), rate=Rate.WRITE
)  # fmt: skip
CONNECTION = Route(
    "GET", "/api/bot/connection-status", "The connection alone", ask.OfUser, ask.Nothing,
    (session.ConnectionAnswer, session.NeverConnected), rate=Rate.POLL,
)  # fmt: skip
BALANCE = Route(
    "GET", "/api/bot/balance", "Balances", ask.BalanceQuery, ask.Nothing, (answer.BalanceAnswer,), rate=Rate.POLL
)  # fmt: skip
STATUS = Route(
    "GET", "/api/bot/status", "Connection and bot", ask.OfBots, ask.Nothing, (answer.Status,), rate=Rate.POLL
)  # fmt: skip
ACCOUNT_TYPE = Route(
    "POST", "/api/bot/account-type", "Which account bots trade on by default", ask.Nothing, ask.AccountTypeRequest,
    (answer.Done,), rate=Rate.WRITE,
)  # fmt: skip
START = Route(
    "POST", "/api/bot/start-runtime", "Start the bot", ask.Nothing, ask.StartRequest, (answer.BotStarting,),
    rate=Rate.COSTLY,
)  # fmt: skip
STOP = Route(
    "POST", "/api/bot/stop-runtime", "Stop the bot", ask.Nothing, ask.OfBots, (answer.BotStopping,), rate=Rate.WRITE
)  # fmt: skip
START_FLAG = Route("POST", "/api/bot/start", "Gone: use start-runtime", ask.Nothing, ask.OfUser, (), rate=Rate.WRITE)
STOP_FLAG = Route("POST", "/api/bot/stop", "Gone: use stop-runtime", ask.Nothing, ask.OfUser, (), rate=Rate.WRITE)
PAUSE = Route(
    "POST", "/api/bot/pause", "Open nothing until resumed", ask.Nothing, ask.OfBots, (answer.BotChanged,),
    rate=Rate.WRITE,
)  # fmt: skip
RESUME = Route(
    "POST", "/api/bot/resume", "Go on", ask.Nothing, ask.OfBots, (answer.BotChanged,), rate=Rate.WRITE
)  # fmt: skip
PREVIEW = Route(
    "POST", "/api/bot/preview", "What a configuration can cost", ask.Nothing, ask.StartRequest,
    (answer.PreviewAnswer,),
)  # fmt: skip
RECONFIGURE = Route(
    "POST", "/api/bot/reconfigure", "Change a running bot", ask.Nothing, ask.ReconfigureRequest, (answer.BotChanged,),
    rate=Rate.WRITE,
)  # fmt: skip
RUNTIME_STATUS = Route(
    "GET", "/api/bot/runtime-status", "The bot's current run", ask.OfBots, ask.Nothing, (answer.RuntimeStatus,),
    rate=Rate.POLL,
)  # fmt: skip
STRATEGIES = Route(
    "GET", "/api/strategies", "What bots may follow", ask.Nothing, ask.Nothing, (answer.StrategiesAnswer,)
)

SYNC = Route(
    "POST", "/api/sync-pending-positions", "Ask the broker for results that are missing", ask.Nothing,
    ask.SyncRequest, (answer.Synced,), rate=Rate.COSTLY,
)  # fmt: skip
SIGN_UP = Route(
    "POST", "/api/avalon/create-user", "Become a user of the broker", ask.Nothing, ask.NewBrokerUser,
    (answer.BrokerUserMade,), Access.PUBLIC, Rate.COSTLY,
)  # fmt: skip

START_SESSION = Route(
    "POST", "/api/bot/sessions/{userId}/start", "Start a user's bot", ask.OfUser, ask.SessionStart,
    (session.BotSessionStartAnswer,), rate=Rate.COSTLY,
)  # fmt: skip
STOP_SESSION = Route(
    "POST", "/api/bot/sessions/{userId}/stop", "Stop a user's bot", ask.OfUser, ask.SessionChange,
    (session.BotSessionStopAnswer,), rate=Rate.WRITE,
)  # fmt: skip
PAUSE_SESSION = Route(
    "POST", "/api/bot/sessions/{userId}/pause", "Pause a user's bot", ask.OfUser, ask.SessionChange, (answer.Done,),
    rate=Rate.WRITE,
)  # fmt: skip
RESUME_SESSION = Route(
    "POST", "/api/bot/sessions/{userId}/resume", "Resume a user's bot", ask.OfUser, ask.SessionChange, (answer.Done,),
    rate=Rate.WRITE,
)  # fmt: skip
SESSION_STATUS = Route(
    "GET", "/api/bot/sessions/{userId}/status", "A user's bot", ask.OfBots, ask.Nothing,
    (session.BotSessionStatus, session.NoBotSession), rate=Rate.POLL,
)  # fmt: skip
SESSIONS = Route(
    "GET", "/api/bot/sessions", "The bots that run", ask.Page, ask.Nothing, (session.BotSessionsAnswer,), Access.ADMIN
)
BOT_TOTALS = Route(
    "GET", "/api/bot/stats", "The bots that run, in sum", ask.Nothing, ask.Nothing, (session.BotTotals,), Access.ADMIN
)
STOP_ALL = Route(
    "POST", "/api/bot/sessions/stop-all", "Stop every bot", ask.Nothing, ask.Nothing, (session.BotsStopped,),
    Access.ADMIN, Rate.COSTLY,
)  # fmt: skip
CLEAN_UP = Route(
    "POST", "/api/bot/sessions/cleanup", "Forget sessions that ended", ask.Nothing, ask.Nothing,
    (session.SessionsCleaned,), Access.ADMIN, Rate.WRITE,
)  # fmt: skip

MAKE_BROKER_SESSION = Route(
    "POST", "/api/user/generate-ssid", "Connect, and tell of the session", ask.Nothing, ask.BrokerSessionRequest,
    (session.BrokerSessionMade,), rate=Rate.COSTLY,
)  # fmt: skip
VALIDATE_HANDLE = Route(
    "POST", "/api/user/validate-ssid", "Whether a handle's session is open", ask.Nothing, ask.HandleRequest,
    (session.HandleValid,), rate=Rate.POLL,
)  # fmt: skip
BROKER_SESSION = Route(
    "GET", "/api/user/session/{userId}", "A user's session at the broker", ask.OfUser, ask.Nothing,
    (session.BrokerSessionAnswer,),
)  # fmt: skip
CLOSE_BROKER_SESSION = Route(
    "POST", "/api/user/close-session", "Leave the broker", ask.Nothing, ask.OfUser, (answer.Done,), rate=Rate.WRITE
)  # fmt: skip
CREDENTIALS = Route(
    "POST", "/api/user/avalon-credentials", "Gone: no password is needed", ask.Nothing, ask.OfUser, (),
    rate=Rate.WRITE,
)  # fmt: skip

ASSETS = Route(
    "GET", "/api/assets", "Tradable assets", ask.AssetsQuery, ask.Nothing,
    (answer.AllAssets, answer.AssetsOfCategory), Access.PUBLIC, Rate.POLL, etag=True,
)  # fmt: skip
CANDLES = Route("GET", "/api/candles", "Past candles", ask.CandlesQuery, ask.Nothing, (answer.Candles,), etag=True)

DISCOVER_ASSETS = Route(
    "GET", "/api/debug/discover-assets", "What the broker offers; in local mode only", ask.Nothing, ask.Nothing,
    (answer.Discovered,), Access.ADMIN,
)  # fmt: skip

MARKET_SCANNER = Route(
    "GET", "/api/market-scanner", "The scanner's newest signals", ask.Nothing, ask.Nothing, (list[answer.SignalRow],)
)
STRATEGY_PERFORMANCE = Route(
    "GET", "/api/strategy-performance", "How signals turned out", ask.PerformanceQuery, ask.Nothing,
    (list[answer.ScannerRow], list[answer.StrategyTotal]),
)  # fmt: skip
SCANNER_ACTIVITY = Route(
    "GET", "/api/admin/metrics/activity", "The scanner's newest signals, as many as wanted", Recent, ask.Nothing,
    (Data[tuple[answer.SignalRow, ...]],), Access.STAFF,
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
    (answer.ScannerAggregated,), Access.ADMIN, Rate.COSTLY,
)  # fmt: skip

PLATFORM = Route(
    "GET", "/api/admin/platform", "Kill switch and limits", ask.Nothing, ask.Nothing, (answer.PlatformAnswer,),
    Access.ADMIN,
)  # fmt: skip
SET_PLATFORM = Route(
    "PUT", "/api/admin/platform", "Set kill switch and limits", ask.Nothing, ask.PlatformRequest,
    (answer.PlatformAnswer,), Access.ADMIN, Rate.WRITE,
)  # fmt: skip
LIMITS = Route(
    "GET", "/api/admin/limits", "A user's limits", ask.LimitsQuery, ask.Nothing, (answer.LimitsAnswer,), Access.ADMIN
)
SET_LIMITS = Route(
    "PUT", "/api/admin/limits", "Set a user's limits", ask.Nothing, ask.LimitsRequest, (answer.LimitsAnswer,),
    Access.ADMIN, Rate.WRITE,
)  # fmt: skip

_HERE = tuple(value for value in list(globals().values()) if isinstance(value, Route))
ALL: tuple[Route[Any, Any], ...] = (*_HERE, *admin_routes.ALL, *crm_routes.ALL)
