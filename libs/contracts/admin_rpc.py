"""RPC endpoints of what administrators read and do, answered by analytics."""

from typing import TypeVar

from libs.contracts import admin as ask
from libs.contracts import admin_rows as row
from libs.contracts.admin import Rows
from libs.contracts.database_pool import DatabasePool
from libs.contracts.exports import ExportedPage, ExportJob, ExportPage, ExportPiece, OfExport, OfPiece, StartExport
from libs.contracts.figures import Figures, FiguresQuery
from libs.contracts.rpc import Endpoint, ErrorCode
from libs.contracts.trade_context import TradeContext

Q = TypeVar("Q")
R = TypeVar("R")

_FOUND = (ErrorCode.NOT_FOUND,)


def _of_analytics(name: str, query: type[Q], answer: type[R], *errors: ErrorCode) -> Endpoint[Q, R]:
    return Endpoint("analytics", name, query, answer, errors)


DASHBOARD = _of_analytics("dashboard", ask.NoQuery, row.DashboardMetrics)
REVENUE = _of_analytics("revenue", ask.Period, Rows[row.Revenue])
USER_GROWTH = _of_analytics("user_growth", ask.Period, Rows[row.UserGrowth])
TOP_BY_PNL = _of_analytics("top_by_pnl", ask.Top, Rows[row.TopUser])
TOP_BY_VOLUME = _of_analytics("top_by_volume", ask.Top, Rows[row.TopUser])
ASSET_PERFORMANCE = _of_analytics("asset_performance", ask.Top, Rows[row.AssetPerformance])
DAILY = _of_analytics("daily", ask.Period, Rows[row.DailyRow])
BY_STRATEGY = _of_analytics("by_strategy", ask.Period, Rows[row.StrategyRow])
HOURLY = _of_analytics("hourly", ask.Period, Rows[row.HourlyRow])
COMPARISON = _of_analytics("comparison", ask.Period, row.Comparison)
CHARTS = _of_analytics("charts", ask.Period, row.Charts)
FIGURES = Endpoint("analytics", "figures", FiguresQuery, Figures, _FOUND, timeout=30.0)
"""Of long periods and everybody, costly."""
HEALTH = _of_analytics("health", ask.NoQuery, row.PlatformHealth)
DATABASE_POOL = _of_analytics("database_pool", ask.NoQuery, DatabasePool)
REALTIME = _of_analytics("realtime", ask.NoQuery, row.Realtime)
SIGNALS_OF_DAY = _of_analytics("signals_of_day", ask.NoQuery, row.SignalMetrics)
SIGNALS_EVER = _of_analytics("signals_ever", ask.NoQuery, row.SignalMetrics)

USERS = _of_analytics("users", ask.UsersQuery, Rows[row.UserListItem])
USER = _of_analytics("user", ask.OfUserId, row.UserDetails, *_FOUND)
USER_METRICS = _of_analytics("user_metrics", ask.MetricsOfUser, row.UserMetrics, *_FOUND)
USER_TRADES = _of_analytics("user_trades", ask.TradesOfUser, Rows[row.UserTrade], *_FOUND)
USER_SESSIONS = _of_analytics("user_sessions", ask.PageOfUser, Rows[row.UserSession], *_FOUND)
USER_ACTIVITY = _of_analytics("user_activity", ask.PageOfUser, Rows[row.Activity], *_FOUND)
ACTIVATE_USER = _of_analytics("activate_user", ask.ActOnUser, ask.Acted, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)
SUSPEND_USER = _of_analytics("suspend_user", ask.SuspendUser, ask.Acted, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)
SET_ROLE = _of_analytics("set_role", ask.SetRole, ask.Acted, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)
RESET_PASSWORD = _of_analytics("reset_password", ask.ActOnUser, ask.Acted, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)

TRADES = _of_analytics("trades", ask.TradesQuery, Rows[row.TradeListItem])
TRADE_STATS = _of_analytics("trade_stats", ask.TradesQuery, row.TradeStats)
ASSET_STATS = _of_analytics("asset_stats", ask.Top, Rows[row.AssetStats])
DAILY_VOLUME = _of_analytics("daily_volume", ask.Period, Rows[row.DailyVolume])
TRADE = _of_analytics("trade", ask.OfTrade, row.TradeDetails, *_FOUND)
TRADE_CONTEXT = _of_analytics("trade_context", ask.OfTrade, TradeContext, *_FOUND)
TRADE_TIMELINE = _of_analytics("trade_timeline", ask.OfTrade, Rows[row.TimelineStep], *_FOUND)

ALERTS = _of_analytics("alerts", ask.AlertsQuery, Rows[row.Alert])
READ_ALERT = _of_analytics("read_alert", ask.ActOnAlert, ask.Acted, *_FOUND)
RESOLVE_ALERT = _of_analytics("resolve_alert", ask.ActOnAlert, ask.Acted, *_FOUND)
LOGS = _of_analytics("logs", ask.LogsQuery, Rows[row.LogEntry])

EXPORT_PAGE = Endpoint("analytics", "export_page", ExportPage, ExportedPage, timeout=15.0)
"""May be asked again for the same page."""
START_EXPORT = Endpoint("analytics", "start_export", StartExport, ExportJob, (ErrorCode.LIMIT_REACHED,))
EXPORT_JOB = Endpoint("analytics", "export_job", OfExport, ExportJob, _FOUND)
EXPORT_PIECE = Endpoint("analytics", "export_piece", OfPiece, ExportPiece, _FOUND)
