"""Users as administrators are answered."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.bus import Bus
from libs.bus.topology import ACCOUNTS, BOTS
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys
from libs.contracts.account import AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.admin import Accounts, MetricsOfUser, NoQuery, OfUserId, Period, UsersQuery
from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus
from libs.contracts.ids import new_id
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.store import Database
from libs.store.trades import Trades
from tests.integration.analytics.books import Books, until
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.store.test_trade_sums import a_story
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.takes(30)

REAL, DEMO = AccountType.REAL, AccountType.DEMO


async def connected(bus: Bus, person: Person, **changes: Any) -> None:
    """Its session to the broker is open, and a bot trades real money."""
    now = datetime.now(UTC)
    balances = Balances(
        user=person.user, at=now, balances=(Balance(id=1, type=REAL, amount=Decimal("12.5"), currency="USD"),)
    )
    await bus.bucket(ACCOUNTS).put(keys.balance(person.user), balances)
    await bus.bucket(ACCOUNTS).put(
        keys.session(person.user), SessionStatus(user=person.user, at=now, state=SessionState.CONNECTED)
    )
    status = BotStatus(
        id=new_id(), user=person.user, at=now, run="run-1", number=1, state=BotState.RUNNING,
        activity=Activity.ANALYZING, label="Analyzing markets...", config=BotConfig(account_type=REAL), started_at=now,
    )  # fmt: skip
    status = msgspec.structs.replace(status, **changes)
    await bus.bucket(BOTS).put(keys.bot_status(status.bot), status)


async def test_users_are_listed_page_by_page(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer
) -> None:
    prefix = new_id()[-12:]
    for number in range(3):
        await supabase_server.sign_up(email=f"{prefix}-{number}@{'long-' * 10}example.test")
    await start_analytics(supabase_server)
    query = UsersQuery(account_type=Accounts.BOTH, search=prefix, sort_by="email", sort_order="asc", limit=2)
    page = await bus.call(rpc.USERS, query)
    assert [row.email.split("@")[0] for row in page.rows] == [f"{prefix}-0", f"{prefix}-1"]
    assert (page.total, page.rows[0].account_type, page.rows[0].total_pnl) == (3, Accounts.DEMO, Decimal(0))
    rest = await bus.call(rpc.USERS, msgspec.structs.replace(query, cursor=page.next))
    assert ([row.email.split("@")[0] for row in rest.rows], rest.next) == ([f"{prefix}-2"], "")
    assert (await bus.call(rpc.USERS, UsersQuery(search=prefix))).total == 0, "nobody of them has a real account"
    with pytest.raises(RpcError, match="cursor"):
        await bus.call(rpc.USERS, msgspec.structs.replace(query, cursor="nonsense"))


async def test_a_user_is_told_with_bots_and_balances_as_they_are_now(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer
) -> None:
    person = await supabase_server.sign_up()
    await connected(bus, person)
    await start_analytics(supabase_server)
    user = await bus.call(rpc.USER, OfUserId(id=UUID(person.user)))
    assert (user.bot_running_real, user.bot_mode_real, user.balance_real) == (True, "auto", Decimal("12.5"))
    assert (user.bot_running_demo, user.bot_mode_demo, user.balance_demo) == (False, None, Decimal(0))
    assert (user.email, user.total_trades_real, user.first_trade_real) == (person.email, 0, None)


async def test_a_users_trades_in_numbers(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer
) -> None:
    person = await supabase_server.sign_up()
    await start_analytics(supabase_server)
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        for hour, (profit, account) in enumerate((("8.20", REAL), ("-10", REAL), ("-10", REAL), ("5", DEMO))):
            at = datetime(2026, 5, 1, hour, tzinfo=UTC)
            closed = a_story(person, at, profit=profit, account_type=account)[1]
            settlement = msgspec.structs.replace(closed.settlement, closed_at=at + timedelta(minutes=1))
            await Trades(database).record([msgspec.structs.replace(closed, settlement=settlement)])
    told = await bus.call(rpc.USER_METRICS, MetricsOfUser(id=UUID(person.user), account_type=Accounts.REAL))
    assert (told.total_trades, told.wins, told.losses, told.win_rate) == (3, 1, 2, 33.33)
    assert (told.total_pnl, told.avg_pnl, told.total_volume) == (Decimal("-11.80"), Decimal("-3.93"), Decimal(30))
    assert (told.best_trade, told.worst_trade, told.max_drawdown) == (Decimal("8.20"), Decimal(-10), Decimal(20))
    assert told.current_streak == -2
    assert [(one.name, one.total_trades) for one in told.by_strategy] == [("aggressive", 3)]
    both = await bus.call(rpc.USER_METRICS, MetricsOfUser(id=UUID(person.user)))
    assert (both.total_trades, both.current_streak) == (4, 1)


async def test_who_is_not_there_is_not_found(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer
) -> None:
    await start_analytics(supabase_server)
    nobody = UUID(new_id())
    asked: tuple[tuple[Endpoint[Any, Any], Any], ...] = (
        (rpc.USER, OfUserId(id=nobody)), (rpc.USER_METRICS, MetricsOfUser(id=nobody)),
    )  # fmt: skip
    for endpoint, query in asked:
        with pytest.raises(RpcError) as refused:
            await bus.call(endpoint, query)
        assert refused.value.code is ErrorCode.NOT_FOUND


async def test_growth_has_no_gaps(
    bus: Bus, start_analytics: StartAnalytics, own_supabase_server: SupabaseServer
) -> None:
    for _ in range(2):
        await own_supabase_server.sign_up()
    await start_analytics(own_supabase_server)
    today, yesterday = (await bus.call(rpc.USER_GROWTH, Period(days=2))).rows
    assert (today.date - yesterday.date, today.new_users + yesterday.new_users) == (timedelta(days=1), 2)
    assert today.date == bus.clock.now().date()


async def test_key_figures_count_the_bots_that_trade_real_money_now(
    bus: Bus, start_analytics: StartAnalytics, own_supabase_server: SupabaseServer
) -> None:
    first, second, third = [await own_supabase_server.sign_up() for _ in range(3)]
    await connected(bus, first)
    await connected(bus, second, state=BotState.STOPPED)
    await connected(bus, third, config=BotConfig(account_type=DEMO))
    async with await Database.connect(own_supabase_server.url, own_supabase_server.secret_key) as database:
        await Trades(database).record([a_story(first, datetime.now(UTC), account_type=REAL)[1]])
    await start_analytics(own_supabase_server)
    board = await bus.call(rpc.DASHBOARD, NoQuery())
    assert (board.total_users, board.active_bots_real) == (3, 1)
    assert (board.trades_today_real, board.platform_win_rate_real) == (1, 100.0)
    now = await bus.call(rpc.REALTIME, NoQuery())
    assert (now.total_users, now.active_bots, now.active_sessions) == (3, 2, 3)
    assert (now.recent_trades, now.win_rate, now.win_rate_value) == (1, "100.00", 100.0)
    assert (now.trades_today, now.win_rate_today, now.pnl_today) == (1, 100.0, Decimal("8.20"))
    assert set(now.sources) < set(msgspec.to_builtins(now)), "every source is of a number"


async def test_a_trade_is_in_the_key_figures_within_a_second_of_its_news(
    bus: Bus, start_analytics: StartAnalytics, own_supabase_server: SupabaseServer
) -> None:
    person = await own_supabase_server.sign_up()
    await start_analytics(own_supabase_server)
    assert (await bus.call(rpc.DASHBOARD, NoQuery())).trades_today_real == 0
    books = Books(bus, own_supabase_server)
    await books.follow()
    closed = a_story(person, datetime.now(UTC), account_type=REAL)[1]
    await books.tell(closed)

    async def recorded() -> bool:
        return bool(books.announced_of(closed.order.order_id))

    async def told() -> bool:
        return (await bus.call(rpc.DASHBOARD, NoQuery())).trades_today_real == 1

    await until(recorded)
    await until(told, timeout=3)


async def test_signals_are_counted(
    bus: Bus, start_analytics: StartAnalytics, own_supabase_server: SupabaseServer
) -> None:
    await start_analytics(own_supabase_server)
    for result in ("WIN", "WIN", "LOSS", "TIE"):
        row = {
            "active_id": "1", "ativo_nome": "EUR/USD", "timeframe": 60, "strategy_id": "mhi", "result": result,
            "signal_timestamp": datetime.now(UTC).isoformat(), "signal_direction": "CALL", "signal_price": 1,
        }  # fmt: skip
        await own_supabase_server.as_service("POST", "/rest/v1/strategy_trades", row)
    for endpoint, period in ((rpc.SIGNALS_OF_DAY, "24h"), (rpc.SIGNALS_EVER, "all-time")):
        told = await bus.call(endpoint, NoQuery())
        assert (told.total_trades, told.wins, told.losses, told.win_rate) == (4, 2, 1, "66.67")
        assert told.period == period


async def test_health_is_told_at_once_while_the_database_does_not_answer(
    bus: Bus, start_analytics: StartAnalytics, own_supabase_server: SupabaseServer
) -> None:
    await start_analytics(own_supabase_server)
    health = await bus.call(rpc.HEALTH, NoQuery())
    states = {name: service.state for name, service in health.services.items()}
    assert states == {
        "database": "healthy", "nats": "healthy", "auth": "healthy", "avalon": "disconnected", "bot": "stopped",
        "crm": "disconnected",
    }  # fmt: skip
    assert (health.status, health.queue_depth, health.errors24h) == ("degraded", 0, 0)
    assert all((service.latency_ms is not None) is (service.state == "healthy") for service in health.services.values())
    assert health.avg_latency_ms > 0

    own_supabase_server.freeze()

    async def unhealthy() -> bool:
        asked = bus.clock.monotonic()
        health = await bus.call(rpc.HEALTH, NoQuery(), timeout=1.0)
        assert bus.clock.monotonic() - asked < 1.0
        return health.status == "unhealthy"

    await until(unhealthy)
    own_supabase_server.thaw()

    async def well_again() -> bool:
        return (await bus.call(rpc.HEALTH, NoQuery())).status == "degraded"

    await until(well_again)


async def test_the_connections_to_the_database_are_told(
    bus: Bus, start_analytics: StartAnalytics, own_supabase_server: SupabaseServer
) -> None:
    await start_analytics(own_supabase_server)
    await bus.call(rpc.HEALTH, NoQuery())
    pool = await bus.call(rpc.DATABASE_POOL, NoQuery())
    assert (pool.status, pool.health.healthy, pool.health.success_rate) == ("healthy", True, "100.00%")
    assert (pool.stats.connected, pool.stats.configuration.max_connections) == (True, 20)
    asked = pool.stats.metrics.total_queries
    assert 0 < asked == pool.stats.current.successful_connections
    assert pool.stats.metrics.average_query_time > 0
    assert pool.stats.last_health_check is not None
    assert pool.stats.last_health_check.response_time > 0

    own_supabase_server.stop()
    with pytest.raises(RpcError):
        await bus.call(rpc.SIGNALS_EVER, NoQuery())

    async def unhealthy() -> bool:
        pool = await bus.call(rpc.DATABASE_POOL, NoQuery())
        check = pool.stats.last_health_check
        return pool.status == "unhealthy" and check is not None and check.error == "no answer"

    await until(unhealthy)
    pool = await bus.call(rpc.DATABASE_POOL, NoQuery())
    assert pool.stats.metrics.failed_queries > 0
    assert pool.health.success_rate != "100.00%"


async def test_many_who_ask_at_once_are_answered_from_one_look(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer
) -> None:
    await start_analytics(supabase_server)
    told = await asyncio.gather(*(bus.call(rpc.REALTIME, NoQuery()) for _ in range(20)))
    assert len({one.timestamp for one in told}) == 1
