"""Routes of administrators (api-contract §3.10–3.16, §4.7, §4.8, §5), answered by analytics."""

from typing import Any, TypeVar

from msgspec import Struct

from libs.contracts import admin as ask
from libs.contracts import admin_rows as row
from libs.contracts.database_pool import DatabasePool
from libs.contracts.exports import AnalyticsExport, ExportFormat, TradesExport
from libs.contracts.figures import Figures, FiguresQuery
from libs.contracts.trade_context import TradeContext
from services.socket_edge.admin_answers import (
    AlertsPage,
    Data,
    HealthAnswer,
    LogsPage,
    Page,
    RoleBody,
    SuspendBody,
)
from services.socket_edge.export_answers import ExportFile, ExportStatus, OfExport
from services.socket_edge.requests import Nothing
from services.socket_edge.responses import Done
from services.socket_edge.route import Access, Rate, Route
from services.socket_edge.ssid_answers import NoSsid, OfBrokerUser, SsidKept, SsidsForgotten, SsidsQuery, SsidTotals

Q = TypeVar("Q", bound=Struct)
B = TypeVar("B", bound=Struct)

_ALIASES = {
    "startDate": "dateFrom", "dateStart": "dateFrom", "endDate": "dateTo", "dateEnd": "dateTo", "result": "resultado",
    "pageSize": "limit",
}  # fmt: skip
"""Names that clients and documents use for the same (api-contract §2.5)."""


_FILES = tuple(form.content_type for form in ExportFormat)


def _read(path: str, summary: str, query: type[Q], answer: Any) -> Route[Q, Nothing]:
    return Route(
        "GET", f"/api/admin/{path}", summary, query, Nothing, (answer,), Access.STAFF, Rate.READ, aliases=_ALIASES
    )


def _export(path: str, summary: str, query: type[Q]) -> Route[Q, Nothing]:
    """With everybody's addresses: not for every role."""
    return Route(
        "GET", f"/api/admin/{path}", summary, query, Nothing, (bytes,), Access.ADMIN, Rate.COSTLY, aliases=_ALIASES,
        files=_FILES,
    )  # fmt: skip


def _start_export(path: str, summary: str, query: type[Q]) -> Route[Q, Nothing]:
    """With the parameters of the one that is read at once."""
    return Route(
        "POST", f"/api/admin/{path}", summary, query, Nothing, (Data[ExportStatus],), Access.ADMIN, Rate.COSTLY,
        aliases=_ALIASES,
    )  # fmt: skip


def _do(
    method: str, path: str, summary: str, query: type[Q], body: type[B], access: Access = Access.ADMIN
) -> Route[Q, B]:
    return Route(method, f"/api/admin/{path}", summary, query, body, (Done,), access, Rate.WRITE)


DASHBOARD = _read("analytics/dashboard", "Key figures", ask.NoQuery, Data[row.DashboardMetrics])
REVENUE = _read("analytics/revenue", "Revenue by day", ask.Period, Data[tuple[row.Revenue, ...]])
USER_GROWTH = _read("analytics/user-growth", "New users by day", ask.Period, Data[tuple[row.UserGrowth, ...]])
TOP_BY_PNL = _read("analytics/top-users-pnl", "Users who won most", ask.Top, Data[tuple[row.TopUser, ...]])
TOP_BY_VOLUME = _read("analytics/top-users-volume", "Users who staked most", ask.Top, Data[tuple[row.TopUser, ...]])
TOP_BY_PNL_TOO = _read("analytics/top-users/pnl", "As top-users-pnl", ask.Top, Data[tuple[row.TopUser, ...]])
TOP_BY_VOLUME_TOO = _read("analytics/top-users/volume", "As top-users-volume", ask.Top, Data[tuple[row.TopUser, ...]])
ANALYTICS_USERS = _read("analytics/users", "As top-users-pnl", ask.Top, Data[tuple[row.TopUser, ...]])
ASSET_PERFORMANCE = _read(
    "analytics/asset-performance", "Trades by asset", ask.Top, Data[tuple[row.AssetPerformance, ...]]
)
BY_ASSET = _read("analytics/asset", "As asset-performance", ask.Top, Data[tuple[row.AssetPerformance, ...]])
DAILY = _read("analytics/daily", "Trades by day, without gaps", ask.Period, Data[tuple[row.DailyRow, ...]])
BY_STRATEGY = _read("analytics/strategy", "Trades by strategy", ask.Period, Data[tuple[row.StrategyRow, ...]])
HOURLY = _read("analytics/hourly", "Trades by hour of the day", ask.Period, Data[tuple[row.HourlyRow, ...]])
COMPARISON = _read("analytics/comparison", "Best, worst and usual day", ask.Period, Data[row.Comparison])
CHARTS = _read("analytics/charts", "Series to draw", ask.Period, Data[row.Charts])
FIGURES = _read("analytics/figures", "How well trades went", FiguresQuery, Data[Figures])
EXPORT_ANALYTICS = _export("analytics/export", "Rows of analytics as a file", AnalyticsExport)
START_ANALYTICS_EXPORT = _start_export(
    "analytics/export", "Make a file of rows of analytics in the background", AnalyticsExport
)
ANALYTICS_HEALTH = _read("analytics/health", "How the platform is", ask.NoQuery, Data[row.PlatformHealth])

HEALTH = _read("health", "How the platform is", ask.NoQuery, HealthAnswer)
DATABASE_POOL = _read("health/db-pool", "Connections to the database", ask.NoQuery, DatabasePool)
REALTIME = _read("metrics/realtime", "Figures of now", ask.NoQuery, Data[row.Realtime])
METRICS_DAILY = _read("metrics/daily", "The scanner's signals of a day", ask.NoQuery, Data[row.SignalMetrics])
METRICS_SUMMARY = _read("metrics/summary", "All of the scanner's signals", ask.NoQuery, Data[row.SignalMetrics])
METRICS_TOP_USERS = _read("metrics/top-users", "As top-users-pnl", ask.Top, Data[tuple[row.TopUser, ...]])

USERS = _read("users", "Users", ask.UsersQuery, Page[row.UserListItem])
USER = _read("users/{id}", "A user", ask.OfUserId, Data[row.UserDetails])
USER_METRICS = _read("users/{id}/metrics", "A user's trades in numbers", ask.MetricsOfUser, Data[row.UserMetrics])
USER_TRADES = _read("users/{id}/trades", "A user's trades", ask.TradesOfUser, Page[row.UserTrade])
USER_SESSIONS = _read("users/{id}/sessions", "A user's visits", ask.PageOfUser, Page[row.UserSession])
USER_ACTIVITY = _read("users/{id}/activity", "What was done to a user", ask.PageOfUser, Page[row.Activity])
ACTIVATE_USER = _do("PUT", "users/{id}/activate", "Lift a suspension", ask.OfUserId, Nothing)
SUSPEND_USER = _do("PUT", "users/{id}/suspend", "Let a user in no more", ask.OfUserId, SuspendBody)
SET_ROLE = _do("PUT", "users/{id}/role", "Appoint or dismiss", ask.OfUserId, RoleBody, Access.SUPER_ADMIN)
RESET_PASSWORD = _do(
    "POST", "users/{id}/reset-password", "Send a recovery e-mail", ask.OfUserId, Nothing, Access.SUPPORT
)

TRADES = _read("trades", "Trades", ask.TradesQuery, Page[row.TradeListItem])
RECENT_TRADES = _read("trades/recent", "The newest trades", ask.Recent, Data[tuple[row.TradeListItem, ...]])
TRADE_STATS = _read("trades/stats", "Trades in numbers", ask.TradesQuery, Data[row.TradeStats])
ASSET_STATS = _read("trades/asset-stats", "Trades by asset", ask.Top, Data[tuple[row.AssetStats, ...]])
DAILY_VOLUME = _read("trades/daily-volume", "Stakes by day", ask.Period, Data[tuple[row.DailyVolume, ...]])
EXPORT_TRADES = _export("trades/export", "Trades as a file", TradesExport)
START_TRADES_EXPORT = _start_export("trades/export", "Make a file of trades in the background", TradesExport)
TRADE = _read("trades/{id}", "A trade", ask.OfTrade, Data[row.TradeDetails])
TRADE_CONTEXT = _read("trades/{id}/context", "What a trade was decided on", ask.OfTrade, Data[TradeContext])
TRADE_TIMELINE = _read("trades/{id}/timeline", "A trade step by step", ask.OfTrade, Data[tuple[row.TimelineStep, ...]])

EXPORT = Route(
    "GET", "/api/admin/exports/{id}", "How far a file is, and where", OfExport, Nothing, (Data[ExportStatus],),
    Access.ADMIN,
)  # fmt: skip
EXPORT_FILE = Route(
    "GET", "/api/admin/exports/{id}/file", "A file that is done, by its link", ExportFile, Nothing, (bytes,),
    Access.ADMIN, Rate.COSTLY, files=_FILES,
)  # fmt: skip

ALERTS = _read("alerts", "Alerts", ask.AlertsQuery, AlertsPage)
READ_ALERT = _do("PUT", "alerts/{id}/read", "Mark an alert as read", ask.OfAlert, Nothing, Access.SUPPORT)
RESOLVE_ALERT = _do("PUT", "alerts/{id}/resolve", "Mark an alert as resolved", ask.OfAlert, Nothing, Access.SUPPORT)
LOGS = _read("logs", "Log entries", ask.LogsQuery, LogsPage)

SSIDS = Route(
    "GET", "/api/admin/ssid/stats", "Which broker users have a session id", SsidsQuery, Nothing, (Data[SsidTotals],),
    Access.ADMIN,
)  # fmt: skip
SSID = Route(
    "GET", "/api/admin/ssid/{userId}", "Until when a broker user's session id is good", OfBrokerUser, Nothing,
    (Data[SsidKept], Data[NoSsid]), Access.ADMIN,
)  # fmt: skip
RENEW_SSID = Route(
    "POST", "/api/admin/ssid/{userId}/renew", "Replace a broker user's session id", OfBrokerUser, Nothing, (Done,),
    Access.ADMIN, Rate.COSTLY,
)  # fmt: skip
CLEAN_UP_SSIDS = Route(
    "POST", "/api/admin/ssid/cleanup", "Forget session ids that expired", Nothing, Nothing, (SsidsForgotten,),
    Access.ADMIN, Rate.WRITE,
)  # fmt: skip

ALL: tuple[Route[Any, Any], ...] = tuple(value for value in list(globals().values()) if isinstance(value, Route))
