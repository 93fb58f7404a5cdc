"""How well trades went, in figures beyond those of the contract: sums from the database, and what they say."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from libs.bus.rpc import Handler
from libs.contracts import admin_rpc as rpc
from libs.contracts import figures as told
from libs.contracts.clock import Clock
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.store import trade_figures as stored
from libs.store.people import People
from libs.store.trade_figures import Selection, TradeFigures
from services.analytics.answering import accounts_of, answering
from services.analytics.figures import outcomes, returns, streaks
from services.analytics.figures.outcomes import Outcomes
from services.analytics.figures.returns import Day
from services.analytics.figures.streaks import Trader
from services.analytics.periods import days_of

N = TypeVar("N", float, Decimal)

_ASSETS = 20
"""In the heat map."""


class Performance:
    """Raises RpcError: INVALID_REQUEST for a period that is too long, NOT_FOUND for a user that is none."""

    def __init__(self, figures: TradeFigures, people: People, clock: Clock) -> None:
        self._figures = figures
        self._people = people
        self._clock = clock

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return answering({rpc.FIGURES: self.figures})

    async def figures(self, query: told.FiguresQuery) -> told.Figures:
        if query.user_id is not None and await self._people.profile(str(query.user_id)) is None:
            raise RpcError(ErrorCode.NOT_FOUND, "User not found")
        now = self._clock.now()
        first, last = days_of(query, now.date())
        selection = Selection(accounts=accounts_of(query.account_type), user=query.user_id, first=first, last=last)
        totals, exposure, traders, heat, days, weeks = await asyncio.gather(
            self._figures.totals(selection),
            self._figures.exposure(selection),
            self._figures.streaks(selection),
            self._figures.heat(selection, _ASSETS),
            self._figures.returns(selection),
            self._weeks(selection),
        )
        every_day = _every_day(days, first, last)
        sums = Outcomes(
            wins=totals.wins, losses=totals.losses, ties=totals.ties, won=totals.won, lost=totals.lost,
            staked=totals.staked, promised=totals.promised,
        )  # fmt: skip
        traded = every_day[(days[0].day - first).days :] if days else []
        daily = returns.daily_returns(traded)
        return told.Figures(
            first=first,
            last=last,
            trades=sums.decided,
            wins=sums.wins,
            losses=sums.losses,
            ties=sums.ties,
            staked=sums.staked,
            pnl=sums.pnl,
            win_rate=_win_rate(sums, totals),
            expectancy=_rounded(outcomes.expectancy(sums), 4),
            return_on_stakes=_rounded(outcomes.return_on_stakes(sums), 2),
            profit_factor=_rounded(outcomes.profit_factor(sums), 4),
            sharpe_ratio=_rounded(returns.sharpe_ratio(daily), 4),
            sortino_ratio=_rounded(returns.sortino_ratio(daily), 4),
            max_drawdown=_drawdown(every_day),
            streaks=await asyncio.to_thread(_streaks, traders),  # many traders are work
            exposure=_exposure(exposure, _seconds(first, last, now)),
            acknowledgement=told.Acknowledgement(
                trades=totals.acknowledged,
                p50_ms=_rounded(totals.acknowledged_p50, 1),
                p99_ms=_rounded(totals.acknowledged_p99, 1),
            ),
            slippage=told.Slippage(
                trades=totals.filled,
                mean=_rounded(totals.slippage_mean, 4),
                p50=_rounded(totals.slippage_p50, 4),
                p99=_rounded(totals.slippage_p99, 4),
            ),
            by_weekday=tuple(told.WeekdayCell(**_cell(one), weekday=one.weekday) for one in heat if one.weekday),
            by_asset=tuple(told.AssetCell(**_cell(one), asset=one.asset) for one in heat if not one.weekday),
            cohorts=tuple(map(_cohort, weeks)),
            equity=_equity(every_day),
        )

    async def _weeks(self, selection: Selection) -> list[stored.Week]:
        return await self._figures.weeks(selection.first, selection.last) if selection.user is None else []


def _every_day(days: Sequence[stored.Return], first: date, last: date) -> list[Day]:
    """Of the period."""
    known = {day.day: day for day in days}
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [
        Day(day=day, pnl=known[day].pnl, staked=known[day].staked)
        if day in known
        else Day(day=day, pnl=Decimal(0), staked=Decimal(0))
        for day in every
    ]


def _seconds(first: date, last: date, now: datetime) -> float:
    """Of the period, as far as it is past."""
    end = min(datetime.combine(last, time.max, UTC), now)
    return max(0.0, (end - datetime.combine(first, time.min, UTC)).total_seconds())


def _win_rate(sums: Outcomes, totals: stored.Totals) -> told.WinRate:
    return told.WinRate(
        value=_rounded(outcomes.win_rate(sums), 2),
        lower=totals.win_rate_lower,
        upper=totals.win_rate_upper,
        break_even=_rounded(outcomes.break_even_win_rate(sums), 2),
        edge=_rounded(outcomes.edge(sums), 2),
    )


def _drawdown(days: Sequence[Day]) -> told.Drawdown | None:
    deepest = returns.max_drawdown(days)
    if deepest is None:
        return None
    return told.Drawdown(
        amount=deepest.amount,
        peak=deepest.peak,
        trough=deepest.trough,
        recovered=deepest.recovered,
        length_days=deepest.length,
    )


def _streaks(found: Sequence[stored.Streaks]) -> told.Streaks:
    traders = [
        Trader(
            wins=one.wins, losses=one.losses, runs=one.runs, longest_win=one.longest_win, longest_loss=one.longest_loss
        )
        for one in found
    ]
    tested = streaks.runs_test(traders)
    return told.Streaks(
        longest_win=max((one.longest_win for one in traders), default=0),
        longest_loss=max((one.longest_loss for one in traders), default=0),
        longest_loss_chance=_rounded(streaks.chance_of_longest_loss(traders), 6),
        runs_test=None if tested is None else _runs_test(tested),
    )


def _runs_test(tested: streaks.RunsTest) -> told.RunsTest:
    return told.RunsTest(
        runs=tested.runs,
        expected=round(tested.expected, 2),
        z=round(tested.z, 4),
        p_value=round(tested.p_value, 6),
    )


def _exposure(found: stored.Exposure, seconds: float) -> told.Exposure:
    return told.Exposure(
        time_at_risk=round(min(100.0, 100 * found.seconds_at_risk / seconds), 2) if seconds else 0.0,
        mean_at_risk=round(Decimal(found.stake_seconds / seconds), 2) if seconds else Decimal(0),
        most_at_risk=found.most_at_risk,
        most_open=found.most_open,
    )


def _cell(one: stored.Heat) -> dict[str, Any]:
    decisive = one.wins + one.losses
    rate = round(100 * one.wins / decisive, 2) if decisive else None
    return {
        "hour": one.hour, "trades": one.trades, "wins": one.wins, "losses": one.losses, "win_rate": rate,
        "pnl": one.pnl,
    }  # fmt: skip


def _cohort(week: stored.Week) -> told.Cohort:
    return told.Cohort(
        week=week.week,
        people=week.people,
        converted=week.converted,
        conversion_rate=round(100 * week.converted / week.people, 2),
        median_days=_rounded(week.median_days, 2),
    )


def _equity(days: Sequence[Day]) -> tuple[told.EquityPoint, ...]:
    points, equity = [], Decimal(0)
    for day, below in zip(days, returns.drawdowns(days), strict=True):
        equity += day.pnl
        points.append(told.EquityPoint(date=day.day, pnl=day.pnl, equity=equity, drawdown=below))
    return tuple(points)


def _rounded(value: N | None, digits: int) -> N | None:
    return None if value is None else round(value, digits)
