"""What administrators read and order: asked of analytics in one form, answered to clients in theirs."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from libs.bus.rpc import Dated
from libs.contracts import admin as ask
from libs.contracts import admin_rows as row
from libs.contracts import admin_rpc as rpc
from libs.contracts.account import AccountType
from libs.contracts.admin import Acted, Rows
from libs.contracts.database_pool import (
    DatabasePool,
    PoolCheck,
    PoolConfiguration,
    PoolHealth,
    PoolMetrics,
    PoolNow,
    PoolStats,
)
from libs.contracts.orders import TradeResult
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.edge.client import Edge
from tests.integration.edge.shapes import TIME
from tests.integration.edge.stack import Stack
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import NOW, USER

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRADE = row.TradeListItem(
    trade_id="7", account_type=AccountType.REAL, ativo="EURUSD-OTC", valor=Decimal(10), pnl=Decimal("8.2"),
    resultado=TradeResult.WIN, direcao="CALL", data_abertura=NOW, data_fechamento=NOW, duracao_segundos=10,
    user_id=UUID(USER), user_email="somebody@example.test",
)  # fmt: skip

POOL = DatabasePool(
    status="healthy", timestamp=NOW,
    health=PoolHealth(healthy=True, utilization_rate="15.00%", success_rate="99.87%", status="ok", last_check=NOW),
    stats=PoolStats(
        connected=True,
        configuration=PoolConfiguration(max_connections=20, min_connections=0, connection_timeout=3000, max_retries=0),
        current=PoolNow(active_connections=3, failed_connections=1, successful_connections=40),
        metrics=PoolMetrics(total_queries=1000, total_retries=0, failed_queries=1, average_query_time=4.5),
        last_health_check=PoolCheck(timestamp=NOW, response_time=2.25, status="healthy", active_connections=3),
    ),
)  # fmt: skip


class Analytics:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def top(self, query: ask.Top) -> Rows[row.TopUser]:
        self.asked.append(query)
        user = row.TopUser(
            user_id=UUID(USER), email="a@example.test", full_name="Unknown", total_trades=3,
            lifetime_pnl=Decimal("12.5"), total_volume_traded=Decimal(30), win_rate_percentage=66.67,
        )  # fmt: skip
        return Rows(rows=(user,), total=1)

    async def daily(self, query: ask.Period) -> Dated[Rows[row.DailyRow]]:
        """Made a while ago."""
        day = row.DailyRow(
            date=NOW.date(), total_trades=1, wins=1, losses=0, ties=0, win_rate=100.0, volume=Decimal(10),
            pnl=Decimal("8.2"), active_users=1,
        )  # fmt: skip
        return Dated(Rows(rows=(day,), total=1), datetime.now(UTC) - timedelta(seconds=3))

    async def trades(self, query: ask.TradesQuery) -> Rows[row.TradeListItem]:
        self.asked.append(query)
        return Rows(rows=(TRADE,), total=201, next="after-7")

    async def user(self, query: ask.OfUserId) -> row.UserDetails:
        raise RpcError(ErrorCode.NOT_FOUND, "User not found")

    async def health(self, query: ask.NoQuery) -> row.PlatformHealth:
        services = {"database": row.ServiceState(state="healthy", latency_ms=2.5)}
        services |= {"avalon": row.ServiceState(state="disconnected"), "bot": row.ServiceState(state="running")}
        return row.PlatformHealth(
            status="degraded", services=services, uptime=86400.5, active_bots=3, errors24h=2, avg_latency_ms=12.5,
            queue_depth=0,
        )  # fmt: skip

    async def realtime(self, query: ask.NoQuery) -> row.Realtime:
        return row.Realtime(
            total_users=12, active_bots=3, active_sessions=4, recent_trades=100, win_rate="55.50",
            win_rate_value=55.5, trades_today=9, win_rate_today=44.44, pnl_today=Decimal("-1.5"), uptime=86400.5,
            services={"database": "healthy"}, sources={"totalUsers": "auth.users"}, timestamp=NOW,
        )  # fmt: skip

    async def database_pool(self, query: ask.NoQuery) -> DatabasePool:
        return POOL

    async def suspend(self, request: ask.SuspendUser) -> Acted:
        self.asked.append(request)
        return Acted(message="User suspended")


@pytest_asyncio.fixture(loop_scope="session")
async def analytics(shared_stack: Stack) -> AsyncIterator[Analytics]:
    analytics = Analytics()
    handlers: dict[Any, Any] = {
        rpc.TOP_BY_PNL: analytics.top,
        rpc.DAILY: analytics.daily,
        rpc.TRADES: analytics.trades,
        rpc.USER: analytics.user,
        rpc.HEALTH: analytics.health,
        rpc.REALTIME: analytics.realtime,
        rpc.DATABASE_POOL: analytics.database_pool,
        rpc.SUSPEND_USER: analytics.suspend,
    }
    served = await shared_stack.backend.analytics.serve("analytics", handlers)
    yield analytics
    await served.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def boss(supabase_server: SupabaseServer) -> Person:
    person = await supabase_server.sign_up()
    await supabase_server.appoint(person, "admin")
    return person


async def test_money_and_rates_are_numbers(edge: Edge, analytics: Analytics, boss: Person) -> None:
    status, body = await edge.get("/api/admin/analytics/top-users-pnl?limit=4&accountType=real", boss)
    assert (status, body["success"]) == (200, True)
    [user] = body["data"]
    assert (user["lifetime_pnl"], user["win_rate_percentage"]) == (12.5, 66.67)
    assert analytics.asked == [ask.Top(limit=4)]


async def test_an_answer_says_if_it_was_made_before(edge: Edge, analytics: Analytics, boss: Person) -> None:
    _, body = await edge.get("/api/admin/analytics/daily", boss)
    assert body["data"][0]["total_trades"] == 1
    assert body["filters"] == {"startDate": body["data"][0]["date"], "endDate": body["data"][-1]["date"]}
    assert body["cachedAt"].endswith("Z")
    assert 3 <= body["ageSeconds"] < 20
    _, body = await edge.get("/api/admin/analytics/top-users-pnl", boss)
    assert set(body) == {"success", "data"}


@pytest.mark.parametrize("names", [("dateFrom", "dateTo", "resultado"), ("startDate", "dateEnd", "result")])
async def test_every_name_of_a_parameter_means_the_same(
    edge: Edge, analytics: Analytics, boss: Person, names: tuple[str, str, str]
) -> None:
    first, last, result = names
    path = f"/api/admin/trades?{first}=2026-11-01&{last}=2026-11-02T10:00:00.000Z&{result}=WIN&limit=100&page=2"
    status, body = await edge.get(path, boss)
    assert status == 200
    [query] = analytics.asked
    assert (str(query.first), str(query.last), query.resultado) == ("2026-11-01", "2026-11-02", TradeResult.WIN)
    assert (query.limit, query.offset) == (100, 100)
    assert (body["data"][0]["trade_id"], body["data"][0]["valor"]) == ("7", 10)
    assert body["pagination"] == {
        "total": 201, "limit": 100, "offset": 100, "page": 2, "hasMore": True, "next": "after-7",
    }  # fmt: skip
    assert body["filters"]["resultado"] == "WIN"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("trades?limit=201", "limit"),
        ("trades?dateFrom=yesterday", "dateFrom"),
        ("trades?dateFrom=2026-02-30", "dateFrom"),
        ("trades?dateFrom=2026-11-02&dateTo=2026-11-01", "dateTo"),
        ("trades?sortBy=password", "sortBy"),
        ("analytics/daily?days=0", "days"),
        ("users/17", "id"),
        ("trades/first", "id"),
    ],
)
async def test_a_wrong_parameter_is_named(edge: Edge, boss: Person, path: str, field: str) -> None:
    status, body = await edge.get(f"/api/admin/{path}", boss)
    assert (status, body["field"]) == (400, field)


async def test_health_under_every_name(edge: Edge, analytics: Analytics, boss: Person) -> None:
    status, body = await edge.get("/api/admin/health", boss)
    memory, details = body.pop("memory"), body.pop("details")
    assert (status, body) == (200, {
        "success": True, "status": "degraded", "timestamp": TIME, "version": "2.0.0", "uptime": 86400.5,
        "services": {"database": "healthy", "avalon": "disconnected", "bot": "running"},
        "data": {"status": "degraded", "timestamp": TIME, "version": "2.0.0"},
    })  # fmt: skip
    assert memory["rss"] > 1024 * 1024
    assert details["services"]["database"] == {"state": "healthy", "latency_ms": 2.5}


async def test_figures_of_now(edge: Edge, analytics: Analytics, boss: Person) -> None:
    assert await edge.get("/api/admin/metrics/realtime", boss) == (200, {
        "success": True,
        "data": {
            "totalUsers": 12, "activeBots": 3, "activeSessions": 4, "recentTrades": 100, "winRate": "55.50",
            "winRateValue": 55.5, "tradesToday": 9, "winRateToday": 44.44, "pnlToday": -1.5, "uptime": 86400.5,
            "services": {"database": "healthy"}, "sources": {"totalUsers": "auth.users"}, "timestamp": TIME,
        },
    })  # fmt: skip


async def test_the_connections_to_the_database_are_told_without_an_envelope(
    edge: Edge, analytics: Analytics, boss: Person
) -> None:
    now = NOW.isoformat().replace("+00:00", "Z")
    assert await edge.get("/api/admin/health/db-pool", boss) == (200, {
        "status": "healthy",
        "health": {
            "healthy": True, "utilizationRate": "15.00%", "successRate": "99.87%", "status": "ok", "lastCheck": now,
        },
        "stats": {
            "connected": True,
            "configuration": {"maxConnections": 20, "minConnections": 0, "connectionTimeout": 3000, "maxRetries": 0},
            "current": {"activeConnections": 3, "failedConnections": 1, "successfulConnections": 40},
            "metrics": {"totalQueries": 1000, "totalRetries": 0, "failedQueries": 1, "averageQueryTime": 4.5},
            "lastHealthCheck": {
                "timestamp": now, "responseTime": 2.25, "status": "healthy", "activeConnections": 3,
            },
        },
        "timestamp": now,
    })  # fmt: skip


async def test_what_is_not_there_is_not_found(edge: Edge, analytics: Analytics, boss: Person) -> None:
    status, body = await edge.get(f"/api/admin/users/{USER}", boss)
    assert (status, body["error"]) == (404, "User not found")


async def test_an_order_says_who_gave_it(edge: Edge, analytics: Analytics, boss: Person) -> None:
    path = f"/api/admin/users/{USER}/suspend"
    status, body, _ = await edge.ask("PUT", path, boss, json={})
    assert (status, body["field"]) == (400, "reason")
    status, body, _ = await edge.ask("PUT", path, boss, json={"reason": "chargeback"})
    assert (status, body) == (200, {"success": True, "message": "User suspended"})
    assert analytics.asked == [ask.SuspendUser(by=boss.user, user=USER, address="127.0.0.1", reason="chargeback")]


async def test_health_is_told_while_nobody_knows_it(edge: Edge, shared_stack: Stack, boss: Person) -> None:
    status, body = await edge.get("/api/admin/health", boss)
    assert (status, body["success"], body["status"]) == (200, True, "unhealthy")
    assert body["services"] == {"analytics": "disconnected"}
