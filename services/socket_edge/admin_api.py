"""What administrators read and order: handed on to analytics, and put into the clients' envelopes."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from prometheus_client import REGISTRY

from libs.bus import Bus
from libs.bus.rpc import Dated
from libs.contracts import admin as ask
from libs.contracts import admin_rows as row
from libs.contracts import admin_rpc as rpc
from libs.contracts.admin import Rows
from libs.contracts.database_pool import DatabasePool
from libs.contracts.rpc import Endpoint, RpcError
from services.socket_edge import admin_routes as routes
from services.socket_edge.admin_answers import (
    AlertsPage,
    Data,
    HealthAnswer,
    HealthData,
    LogsPage,
    Memory,
    Page,
    SuspendBody,
    pagination,
)
from services.socket_edge.dispatch import Call, Handler
from services.socket_edge.responses import Done
from services.socket_edge.route import Route
from services.socket_edge.service_api import VERSION

_VALUES: dict[Route[Any, Any], Endpoint[Any, Any]] = {
    routes.DASHBOARD: rpc.DASHBOARD,
    routes.COMPARISON: rpc.COMPARISON,
    routes.CHARTS: rpc.CHARTS,
    routes.FIGURES: rpc.FIGURES,
    routes.ANALYTICS_HEALTH: rpc.HEALTH,
    routes.REALTIME: rpc.REALTIME,
    routes.METRICS_DAILY: rpc.SIGNALS_OF_DAY,
    routes.METRICS_SUMMARY: rpc.SIGNALS_EVER,
    routes.USER: rpc.USER,
    routes.USER_METRICS: rpc.USER_METRICS,
    routes.TRADE_STATS: rpc.TRADE_STATS,
    routes.TRADE: rpc.TRADE,
    routes.TRADE_CONTEXT: rpc.TRADE_CONTEXT,
}
_ROWS: dict[Route[Any, Any], Endpoint[Any, Any]] = {
    routes.REVENUE: rpc.REVENUE,
    routes.USER_GROWTH: rpc.USER_GROWTH,
    routes.TOP_BY_PNL: rpc.TOP_BY_PNL,
    routes.TOP_BY_VOLUME: rpc.TOP_BY_VOLUME,
    routes.TOP_BY_PNL_TOO: rpc.TOP_BY_PNL,
    routes.TOP_BY_VOLUME_TOO: rpc.TOP_BY_VOLUME,
    routes.ANALYTICS_USERS: rpc.TOP_BY_PNL,
    routes.METRICS_TOP_USERS: rpc.TOP_BY_PNL,
    routes.ASSET_PERFORMANCE: rpc.ASSET_PERFORMANCE,
    routes.BY_ASSET: rpc.ASSET_PERFORMANCE,
    routes.BY_STRATEGY: rpc.BY_STRATEGY,
    routes.HOURLY: rpc.HOURLY,
    routes.ASSET_STATS: rpc.ASSET_STATS,
    routes.DAILY_VOLUME: rpc.DAILY_VOLUME,
    routes.TRADE_TIMELINE: rpc.TRADE_TIMELINE,
}
_PAGES: dict[Route[Any, Any], Endpoint[Any, Any]] = {
    routes.USERS: rpc.USERS,
    routes.USER_TRADES: rpc.USER_TRADES,
    routes.USER_SESSIONS: rpc.USER_SESSIONS,
    routes.USER_ACTIVITY: rpc.USER_ACTIVITY,
    routes.TRADES: rpc.TRADES,
}
_ON_USERS: dict[Route[Any, Any], Endpoint[Any, Any]] = {
    routes.ACTIVATE_USER: rpc.ACTIVATE_USER,
    routes.RESET_PASSWORD: rpc.RESET_PASSWORD,
}
_ON_ALERTS: dict[Route[Any, Any], Endpoint[Any, Any]] = {
    routes.READ_ALERT: rpc.READ_ALERT,
    routes.RESOLVE_ALERT: rpc.RESOLVE_ALERT,
}


_HEALTH_TIMEOUT = 1.0
_NOT_KNOWN = row.PlatformHealth(
    status="unhealthy", services={"analytics": row.ServiceState(state="disconnected")}, uptime=0.0, active_bots=0,
    errors24h=0, avg_latency_ms=0.0, queue_depth=0,
)  # fmt: skip


class AdminApi:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def handlers(self) -> dict[Route[Any, Any], Handler]:
        return {
            **{route: self._value(endpoint) for route, endpoint in _VALUES.items()},
            **{route: self._rows(endpoint) for route, endpoint in _ROWS.items()},
            **{route: self._page(endpoint) for route, endpoint in _PAGES.items()},
            **{route: self._on_user(endpoint) for route, endpoint in _ON_USERS.items()},
            **{route: self._on_alert(endpoint) for route, endpoint in _ON_ALERTS.items()},
            routes.DAILY: self.daily,
            routes.HEALTH: self.health,
            routes.DATABASE_POOL: self.database_pool,
            routes.RECENT_TRADES: self.recent,
            routes.ALERTS: self.alerts,
            routes.LOGS: self.logs,
            routes.SUSPEND_USER: self.suspend,
            routes.SET_ROLE: self.set_role,
        }

    async def health(self, call: Call[ask.NoQuery, Any]) -> HealthAnswer:
        """Also while analytics is away: then that is what is known."""
        try:
            health = await self._bus.call(rpc.HEALTH, call.query, timeout=_HEALTH_TIMEOUT)
        except RpcError:
            health = _NOT_KNOWN
        now = self._bus.clock.now()
        return HealthAnswer(
            status=health.status,
            timestamp=now,
            version=VERSION,
            uptime=health.uptime,
            services={name: service.state for name, service in health.services.items()},
            memory=Memory(rss=_resident()),
            details=health,
            data=HealthData(status=health.status, timestamp=now, version=VERSION),
        )

    async def database_pool(self, call: Call[ask.NoQuery, Any]) -> DatabasePool:
        return await self._bus.call(rpc.DATABASE_POOL, call.query)

    async def daily(self, call: Call[ask.Period, Any]) -> Data[Any]:
        """Every day has a row, so the rows say which were meant."""
        told = self._data(await self._bus.call_dated(rpc.DAILY, call.query), lambda answer: answer.rows)
        days = [each.date.isoformat() for each in told.data]
        return msgspec.structs.replace(told, filters={"startDate": days[0], "endDate": days[-1]} if days else {})

    async def recent(self, call: Call[ask.Recent, Any]) -> Data[Any]:
        query = ask.TradesQuery(account_type=ask.Accounts.BOTH, limit=call.query.limit)
        return Data(data=(await self._bus.call(rpc.TRADES, query)).rows)

    async def alerts(self, call: Call[ask.AlertsQuery, Any]) -> AlertsPage:
        page = await self._paged(rpc.ALERTS, call.query)
        return AlertsPage(
            data=page.data, filters=page.filters, pagination=page.pagination, alerts=page.data,
            total=page.pagination.total,
        )  # fmt: skip

    async def logs(self, call: Call[ask.LogsQuery, Any]) -> LogsPage:
        page = await self._paged(rpc.LOGS, call.query)
        return LogsPage(
            data=page.data, filters=page.filters, pagination=page.pagination, logs=page.data,
            total=page.pagination.total,
        )  # fmt: skip

    async def suspend(self, call: Call[ask.OfUserId, SuspendBody]) -> Done:
        request = ask.SuspendUser(by=call.user, user=str(call.query.id), address=call.address, reason=call.body.reason)
        return Done(message=(await self._bus.call(rpc.SUSPEND_USER, request)).message)

    async def set_role(self, call: Call[ask.OfUserId, Any]) -> Done:
        request = ask.SetRole(by=call.user, user=str(call.query.id), address=call.address, role=call.body.role)
        return Done(message=(await self._bus.call(rpc.SET_ROLE, request)).message)

    def _value(self, endpoint: Endpoint[Any, Any]) -> Handler:
        async def handler(call: Call[Any, Any]) -> Data[Any]:
            return self._data(await self._bus.call_dated(endpoint, call.query), lambda answer: answer)

        return handler

    def _rows(self, endpoint: Endpoint[Any, Rows[Any]]) -> Handler:
        async def handler(call: Call[Any, Any]) -> Data[Any]:
            return self._data(await self._bus.call_dated(endpoint, call.query), lambda answer: answer.rows)

        return handler

    def _data(self, told: Dated[Any], part: Callable[[Any], Any]) -> Data[Any]:
        if told.made_at is None:
            return Data(data=part(told.answer))
        age = max(0.0, (self._bus.clock.now() - told.made_at).total_seconds())
        return Data(data=part(told.answer), cached_at=told.made_at, age_seconds=round(age, 3))

    def _page(self, endpoint: Endpoint[Any, Rows[Any]]) -> Handler:
        async def handler(call: Call[Any, Any]) -> Page[Any]:
            return await self._paged(endpoint, call.query)

        return handler

    async def _paged(self, endpoint: Endpoint[Any, Rows[Any]], query: Any) -> Page[Any]:
        if getattr(query, "page", None) is not None:
            query = msgspec.structs.replace(query, offset=(query.page - 1) * query.limit, page=None)
        rows = await self._bus.call(endpoint, query)
        asked = {name: value for name, value in msgspec.to_builtins(query).items() if value not in (None, "")}
        return Page(data=rows.rows, filters=asked, pagination=pagination(rows, query.limit, query.offset))

    def _on_user(self, endpoint: Endpoint[ask.ActOnUser, ask.Acted]) -> Callable[[Call[Any, Any]], Awaitable[Done]]:
        async def handler(call: Call[ask.OfUserId, Any]) -> Done:
            request = ask.ActOnUser(by=call.user, user=str(call.query.id), address=call.address)
            return Done(message=(await self._bus.call(endpoint, request)).message)

        return handler

    def _on_alert(self, endpoint: Endpoint[ask.ActOnAlert, ask.Acted]) -> Callable[[Call[Any, Any]], Awaitable[Done]]:
        async def handler(call: Call[ask.OfAlert, Any]) -> Done:
            request = ask.ActOnAlert(by=call.user, id=call.query.id)
            return Done(message=(await self._bus.call(endpoint, request)).message)

        return handler


def _resident() -> int | None:
    told = REGISTRY.get_sample_value("process_resident_memory_bytes")
    return None if told is None else int(told)
