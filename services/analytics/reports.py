"""What administrators ask about trades in numbers (api-contract §3.14, §4.8, §5). Answered from sums that the database
keeps in the transaction that writes the trades, so an answer is never older than the ledger."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeVar

from libs.bus.rpc import Handler
from libs.contracts import admin_rpc as rpc
from libs.contracts.admin import Accounts, Period, Rows, Top
from libs.contracts.admin_rows import (
    AssetPerformance,
    AssetStats,
    Charts,
    Comparison,
    DailyRow,
    DailyVolume,
    HourlyRow,
    Point,
    Revenue,
    StrategyRow,
    TopUser,
)
from libs.contracts.clock import Clock
from libs.contracts.rpc import Endpoint
from libs.store.trade_sums import DaySums, KeySums, TradeSums, UserSums
from services.analytics.answering import accounts_of, answering
from services.analytics.periods import days_of

R = TypeVar("R")

_HOURS = tuple(f"{hour:02}" for hour in range(24))
_FLAT = 5.0
"""Percent of change that is none."""


class Reports:
    """Raises RpcError: INVALID_REQUEST for a period that is too long."""

    def __init__(self, sums: TradeSums, clock: Clock) -> None:
        self._sums = sums
        self._clock = clock

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return answering(
            {
                rpc.DAILY: self.daily,
                rpc.BY_STRATEGY: self.by_strategy,
                rpc.HOURLY: self.hourly,
                rpc.COMPARISON: self.comparison,
                rpc.CHARTS: self.charts,
                rpc.REVENUE: self.revenue,
                rpc.DAILY_VOLUME: self.daily_volume,
                rpc.ASSET_PERFORMANCE: self.asset_performance,
                rpc.ASSET_STATS: self.asset_stats,
                rpc.TOP_BY_PNL: self.top_by_pnl,
                rpc.TOP_BY_VOLUME: self.top_by_volume,
            }
        )

    async def daily(self, query: Period) -> Rows[DailyRow]:
        """Ascending, without gaps."""
        return _rows([_daily_row(day) for day in await self._days(query)])

    async def by_strategy(self, query: Period) -> Rows[StrategyRow]:
        """The most used first."""
        sums = await self._by("strategy", query)
        return _rows(
            [
                StrategyRow(
                    strategy_id=one.key, total_trades=one.decided, wins=one.wins, losses=one.losses, ties=one.ties,
                    win_rate=one.win_rate, volume=one.volume, pnl=one.pnl, avg_pnl=one.mean_pnl,
                )
                for one in sorted(sums, key=lambda one: (-one.decided, one.key))
            ]
        )  # fmt: skip

    async def hourly(self, query: Period) -> Rows[HourlyRow]:
        """All 24 of them."""
        sums = {one.key: one for one in await self._by("hour", query)}
        hours = [sums.get(key) or KeySums(key=key) for key in _HOURS]
        return _rows(
            [
                HourlyRow(
                    hour=int(one.key), total_trades=one.decided, wins=one.wins, losses=one.losses,
                    win_rate=one.win_rate, pnl=one.pnl,
                )
                for one in hours
            ]
        )  # fmt: skip

    async def comparison(self, query: Period) -> Comparison:
        """Of the days with trades: the best and the worst by what was won, their mean, and how the second half of them
        did against the first."""
        days = [day for day in await self._days(query) if day.decided]
        if not days:
            return Comparison(best=None, worst=None, average=None, trend="flat", change_percent=0.0)
        best, worst = max(days, key=lambda day: day.pnl), min(days, key=lambda day: day.pnl)
        change = _change(days)
        trend: Literal["up", "down", "flat"] = "flat" if abs(change) < _FLAT else "up" if change > 0 else "down"
        return Comparison(
            best=_daily_row(best),
            worst=_daily_row(worst),
            average=_mean(days),
            trend=trend,
            change_percent=change,
        )

    async def charts(self, query: Period) -> Charts:
        """A point a day; what was won adds up from the first day on."""
        days, total, pnl = await self._days(query), Decimal(0), []
        for day in days:
            total += day.pnl
            pnl.append(Point(date=day.day, value=float(total)))
        return Charts(
            pnl=tuple(pnl),
            volume=tuple(Point(date=day.day, value=float(day.volume)) for day in days),
            trades=tuple(Point(date=day.day, value=day.decided) for day in days),
            win_rate=tuple(Point(date=day.day, value=day.win_rate) for day in days),
        )

    async def revenue(self, query: Period) -> Rows[Revenue]:
        """Of real accounts, the newest day first. Proxies, as clients know them: stakes for deposits, the profit of
        winning trades for withdrawals, and what users won on the whole for the net (api-contract §5.2)."""
        days = await self._days(query, Accounts.REAL)
        return _rows(
            [
                Revenue(date=day.day, deposits_real=day.volume, withdrawals_real=day.won, net_revenue_real=day.pnl)
                for day in reversed(days)
            ]
        )

    async def daily_volume(self, query: Period) -> Rows[DailyVolume]:
        """Ascending, without gaps."""
        days = await self._days(query)
        return _rows([DailyVolume(date=day.day, volume=day.volume, pnl=day.pnl, trades=day.trades) for day in days])

    async def asset_performance(self, query: Top) -> Rows[AssetPerformance]:
        """The most staked on first."""
        decided = await self._assets(query)
        return _rows(
            [asset_performance(one) for one in sorted(decided, key=lambda one: (-one.volume, one.key))], query.limit
        )

    async def asset_stats(self, query: Top) -> Rows[AssetStats]:
        """The most traded first."""
        decided = await self._assets(query)
        return _rows(
            [
                AssetStats(
                    ativo=one.key, total_trades=one.decided, win_count=one.wins, loss_count=one.losses,
                    tie_count=one.ties, win_rate=one.win_rate, total_pnl=one.pnl, total_volume=one.volume,
                    avg_trade_value=round(one.volume / one.trades, 2),
                )
                for one in sorted(decided, key=lambda one: (-one.decided, one.key))
            ],
            query.limit,
        )  # fmt: skip

    async def top_by_pnl(self, query: Top) -> Rows[TopUser]:
        return await self._top(query, by_volume=False)

    async def top_by_volume(self, query: Top) -> Rows[TopUser]:
        return await self._top(query, by_volume=True)

    async def _top(self, query: Top, by_volume: bool) -> Rows[TopUser]:
        users = await self._sums.top_users(accounts_of(query.account_type), by_volume, query.limit)
        return _rows([top_user(one) for one in users])

    async def _assets(self, query: Top) -> list[KeySums]:
        return [one for one in await self._sums.by_asset(accounts_of(query.account_type)) if one.decided]

    async def _by(self, what: Literal["asset", "strategy", "hour"], query: Period) -> list[KeySums]:
        return await self._sums.by(what, accounts_of(query.account_type), *self._period(query))

    async def _days(self, query: Period, accounts: Accounts | None = None) -> list[DaySums]:
        """Every day of the period."""
        first, last = self._period(query)
        traded = {
            day.day: day for day in await self._sums.by_day(accounts_of(accounts or query.account_type), first, last)
        }
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        return [traded.get(day) or DaySums(day=day) for day in days]

    def _period(self, query: Period) -> tuple[date, date]:
        return days_of(query, self._clock.now().date())


def asset_performance(one: KeySums) -> AssetPerformance:
    return AssetPerformance(
        asset=one.key, total_trades=one.decided, win_rate=one.win_rate, total_volume=one.volume, total_profit=one.pnl,
        avg_profit=one.mean_pnl,
    )  # fmt: skip


def top_user(one: UserSums) -> TopUser:
    return TopUser(
        user_id=one.user_id, email=one.email, full_name=one.full_name, total_trades=one.trades, lifetime_pnl=one.pnl,
        total_volume_traded=one.volume, win_rate_percentage=one.win_rate,
    )  # fmt: skip


def _rows(rows: list[R], limit: int | None = None) -> Rows[R]:
    return Rows(rows=tuple(rows[:limit]), total=len(rows))


def _daily_row(day: DaySums) -> DailyRow:
    return DailyRow(
        date=day.day, total_trades=day.decided, wins=day.wins, losses=day.losses, ties=day.ties,
        win_rate=day.win_rate, volume=day.volume, pnl=day.pnl, active_users=day.active_users,
    )  # fmt: skip


def _mean(days: list[DaySums]) -> DailyRow:
    """A day as they were on the average, with the date of the last; counts are rounded."""
    number = len(days)
    wins, decided = sum(day.wins for day in days), sum(day.decided for day in days)
    return DailyRow(
        date=days[-1].day,
        total_trades=round(decided / number),
        wins=round(wins / number),
        losses=round(sum(day.losses for day in days) / number),
        ties=round(sum(day.ties for day in days) / number),
        win_rate=round(100 * wins / decided, 2),
        volume=round(sum((day.volume for day in days), Decimal(0)) / number, 2),
        pnl=round(sum((day.pnl for day in days), Decimal(0)) / number, 2),
        active_users=round(sum(day.active_users for day in days) / number),
    )


def _change(days: list[DaySums]) -> float:
    """Percent by which a day of the later half won more than one of the earlier half, of the latter's amount."""
    half = len(days) // 2
    if not half:
        return 0.0
    before = sum((day.pnl for day in days[:half]), Decimal(0)) / half
    after = sum((day.pnl for day in days[-half:]), Decimal(0)) / half
    return round(float((after - before) / abs(before) * 100), 2) if before else 0.0
