"""Trades in numbers, as administrators are answered."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.bus import Bus
from libs.contracts import admin_rpc as rpc
from libs.contracts.account import AccountType
from libs.contracts.admin import Accounts, OfTrade, Period, Top, TradesOfUser, TradesQuery
from libs.contracts.ids import new_id
from libs.contracts.orders import TradeResult
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.store import Database
from libs.store.trades import Trades
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import a_closing, a_position, a_settlement, an_opening, an_order

REAL, DEMO = AccountType.REAL, AccountType.DEMO


@pytest.fixture
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


@pytest.fixture
async def trades(supabase_server: SupabaseServer) -> AsyncIterator[Trades]:
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        yield Trades(database)


@pytest.fixture
def day() -> date:
    """The first of some on which nobody else trades."""
    return date(2030, 1, 1) + timedelta(days=10 * number() % 20_000)


async def trade(trades: Trades, person: Person, day: date, hour: int, profit: str | None, **changes: Any) -> None:
    """Of 10.00; an open one without a profit."""
    at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    changes = {"account_type": REAL, **changes}
    order = an_order(order_id=new_id(), user=person.user, **changes)
    position = a_position(position_id=number(), opened_at=at)
    if profit is None:
        await trades.record([an_opening(order=order, position=position)])
    else:
        settlement = a_settlement(profit=Decimal(profit))
        await trades.record([a_closing(order=order, position=position, settlement=settlement)])


def period(day: date, days: int, accounts: Accounts = Accounts.REAL) -> Period:
    last = day + timedelta(days=days - 1)
    return Period(date_from=day.isoformat(), date_to=last.isoformat(), account_type=accounts)


async def test_days_come_without_gaps_and_of_the_accounts_that_are_asked_for(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    day: date,
) -> None:
    await start_analytics(supabase_server)
    await trade(trades, person, day, 9, "8.20")
    await trade(trades, person, day, 9, "-10")
    await trade(trades, person, day, 23, "0")
    await trade(trades, person, day, 23, None)
    await trade(trades, person, day, 23, "8.20", account_type=DEMO)
    await trade(trades, person, day + timedelta(days=2), 0, "8.20")

    rows = (await bus.call(rpc.DAILY, period(day, 3))).rows
    assert [row.date for row in rows] == [day + timedelta(days=number) for number in range(3)]
    first, second, third = rows
    assert (first.total_trades, first.wins, first.losses, first.ties, first.win_rate) == (3, 1, 1, 1, 33.33)
    assert (first.volume, first.pnl, first.active_users) == (Decimal(40), Decimal("-1.80"), 1)
    assert (second.total_trades, second.win_rate, second.pnl, second.active_users) == (0, 0.0, Decimal(0), 0)
    assert (third.total_trades, third.pnl) == (1, Decimal("8.20"))
    both = (await bus.call(rpc.DAILY, period(day, 1, Accounts.BOTH))).rows[0]
    assert (both.total_trades, both.wins, both.active_users) == (4, 2, 1)

    hours = (await bus.call(rpc.HOURLY, period(day, 3))).rows
    assert [row.hour for row in hours] == list(range(24))
    assert {row.hour: row.total_trades for row in hours if row.total_trades} == {0: 1, 9: 2, 23: 1}

    newest, _, oldest = (await bus.call(rpc.REVENUE, period(day, 3, Accounts.DEMO))).rows
    assert (newest.date, newest.deposits_real, newest.withdrawals_real) == (third.date, Decimal(10), Decimal("8.20"))
    assert (oldest.deposits_real, oldest.withdrawals_real, oldest.net_revenue_real) == (
        Decimal(40),
        Decimal("8.20"),
        Decimal("-1.80"),
    )

    volumes = (await bus.call(rpc.DAILY_VOLUME, period(day, 2))).rows
    assert [(row.volume, row.pnl, row.trades) for row in volumes] == [
        (Decimal(40), Decimal("-1.80"), 4),
        (Decimal(0), Decimal(0), 0),
    ]


async def test_days_are_compared_and_drawn(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    day: date,
) -> None:
    await start_analytics(supabase_server)
    for number_, profit in enumerate(("2", "-4", "1", "1")):
        await trade(trades, person, day + timedelta(days=2 * number_), 1, profit)
    told = await bus.call(rpc.COMPARISON, period(day, 10))
    assert told.best is not None
    assert told.worst is not None
    assert told.average is not None
    assert (told.best.date, told.worst.date) == (day, day + timedelta(days=2))
    assert (told.average.pnl, told.average.total_trades, told.average.win_rate) == (Decimal(0), 1, 75.0)
    assert (told.change_percent, told.trend) == (200.0, "up"), "from -1 a day to 1 a day"

    charts = await bus.call(rpc.CHARTS, period(day, 3))
    assert [(point.date, point.value) for point in charts.pnl] == [
        (day, 2.0), (day + timedelta(days=1), 2.0), (day + timedelta(days=2), -2.0),
    ]  # fmt: skip
    assert [point.value for point in charts.volume] == [10.0, 0.0, 10.0]
    assert [point.value for point in charts.win_rate] == [100.0, 0.0, 0.0]

    nothing = await bus.call(rpc.COMPARISON, period(day + timedelta(days=7), 2))
    assert (nothing.best, nothing.worst, nothing.average, nothing.trend) == (None, None, None, "flat")


async def test_strategies_and_assets_by_what_they_did(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    day: date,
) -> None:
    await start_analytics(supabase_server)
    asset, most = f"A{number()}-OTC", Decimal(number() * 10_000)
    await trade(trades, person, day, 1, "8.20", strategy="mhi", ticker=asset, stake=most)
    await trade(trades, person, day, 2, "-10", strategy="balanced", ticker=asset, stake=most)
    await trade(trades, person, day, 3, "-10", strategy="balanced", ticker=asset, stake=most)
    await trade(trades, person, day, 3, None, strategy="ema-cross", ticker=asset, stake=most)

    strategies = (await bus.call(rpc.BY_STRATEGY, period(day, 1))).rows
    assert [(row.strategy_id, row.total_trades, row.win_rate, row.avg_pnl) for row in strategies] == [
        ("balanced", 2, 0.0, Decimal(-10)), ("mhi", 1, 100.0, Decimal("8.20")), ("ema-cross", 0, 0.0, Decimal(0)),
    ]  # fmt: skip
    best = next(row for row in (await bus.call(rpc.ASSET_PERFORMANCE, Top(limit=200))).rows if row.asset == asset)
    assert (best.total_trades, best.total_volume, best.total_profit) == (3, 4 * most, Decimal("-11.80"))
    assert (best.win_rate, best.avg_profit) == (33.33, Decimal("-3.93"))
    stats = {row.ativo: row for row in (await bus.call(rpc.ASSET_STATS, Top(limit=200))).rows}
    assert (stats[asset].win_count, stats[asset].loss_count, stats[asset].avg_trade_value) == (1, 2, most)
    by_volume = (await bus.call(rpc.TOP_BY_VOLUME, Top(limit=200))).rows
    first = next(row for row in by_volume if str(row.user_id) == person.user)
    assert (first.email, first.total_trades) == (person.email, 4)
    assert [row.total_volume_traded for row in by_volume] == sorted(
        (row.total_volume_traded for row in by_volume), reverse=True
    )
    by_pnl = (await bus.call(rpc.TOP_BY_PNL, Top(limit=200, account_type=Accounts.BOTH))).rows
    assert [row.lifetime_pnl for row in by_pnl] == sorted((row.lifetime_pnl for row in by_pnl), reverse=True)


async def test_what_cannot_be_answered_is_said(
    bus: Bus, start_analytics: StartAnalytics, own_supabase_server: SupabaseServer, day: date
) -> None:
    await start_analytics(own_supabase_server)
    with pytest.raises(RpcError, match="366 days") as refused:
        await bus.call(rpc.DAILY, period(day, 400))
    assert refused.value.code is ErrorCode.INVALID_REQUEST
    assert len((await bus.call(rpc.DAILY, Period(days=7))).rows) == 7
    assert (await bus.call(rpc.DAILY, Period(date_to="0001-01-05"))).rows[0].date == date.min
    assert (await bus.call(rpc.DAILY, Period())).rows[-1].date == bus.clock.now().date()
    own_supabase_server.stop()
    with pytest.raises(RpcError) as away:
        await bus.call(rpc.DAILY, Period(days=3))
    assert away.value.code is ErrorCode.UNAVAILABLE


async def test_trades_are_listed_as_the_client_reads_them(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    day: date,
) -> None:
    await start_analytics(supabase_server)
    await trade(trades, person, day, 1, "8.20")
    await trade(trades, person, day, 2, None, duration=60)
    await trade(trades, person, day, 3, "-10", account_type=DEMO)
    query = TradesQuery(user_id=UUID(person.user), limit=1)
    page = await bus.call(rpc.TRADES, query)
    [newest] = page.rows
    assert page.total == 2
    assert (newest.user_email, newest.direcao, newest.pnl, newest.resultado, newest.duracao_segundos) == (
        person.email, "CALL", Decimal(0), None, 60,
    )  # fmt: skip
    assert newest.data_fechamento is None
    older = await bus.call(rpc.TRADES, msgspec.structs.replace(query, cursor=page.next))
    assert [(row.pnl, row.resultado) for row in older.rows] == [(Decimal("8.20"), "WIN")]
    assert older.next == "", "there is nothing behind the last"

    stats = await bus.call(rpc.TRADE_STATS, TradesQuery(user_id=UUID(person.user), account_type=Accounts.BOTH))
    assert (stats.win, stats.loss, stats.tie, stats.total, stats.win_rate) == (1, 1, 0, 2, 50.0)
    assert (stats.total_pnl, stats.total_volume) == (Decimal("-1.80"), Decimal(30))
    own = await bus.call(rpc.USER_TRADES, TradesOfUser(id=UUID(person.user)))
    assert (own.total, [row.account_type for row in own.rows]) == (3, [DEMO, REAL, REAL])
    won = await bus.call(rpc.USER_TRADES, TradesOfUser(id=UUID(person.user), resultado=TradeResult.WIN))
    assert [row.trade_id for row in won.rows] == [row.trade_id for row in own.rows if row.resultado == "WIN"] != []
    day = newest.data_abertura.date()
    before = TradesOfUser(id=UUID(person.user), date_to=(day - timedelta(days=9)).isoformat())
    assert (await bus.call(rpc.USER_TRADES, before)).total == 0
    details = await bus.call(rpc.TRADE, OfTrade(id=int(newest.trade_id)))
    assert (details.trade_id, details.balance_before) == (newest.trade_id, None)

    unknown: tuple[tuple[Endpoint[Any, Any], Any], ...] = (
        (rpc.TRADE, OfTrade(id=2**62)), (rpc.USER_TRADES, TradesOfUser(id=UUID(new_id()))),
    )  # fmt: skip
    for endpoint, asked in unknown:
        with pytest.raises(RpcError) as refused:
            await bus.call(endpoint, asked)
        assert refused.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(RpcError, match="cursor"):
        await bus.call(rpc.TRADES, msgspec.structs.replace(query, cursor="nonsense"))
