"""Returns of days, and the line that they draw."""

import math
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from statistics import fmean

import msgspec

DAYS_A_YEAR = 365
"""OTC markets are open every day."""


class Day(msgspec.Struct, frozen=True, kw_only=True):
    day: date
    """Of UTC, in which the trades were opened."""
    pnl: Decimal
    staked: Decimal


class Drawdown(msgspec.Struct, frozen=True, kw_only=True):
    """From a peak of what was won in sum down to the lowest point before it was reached again."""

    amount: Decimal
    """Above 0."""
    peak: date
    trough: date
    recovered: date | None
    """The first day at or above the peak again; None if that is still to come."""
    length: int
    """Days from the peak until it was reached again, or until the last day."""


def daily_returns(days: Iterable[Day]) -> list[float]:
    """Of each day, what was won by what was staked; 0 of a day without trades, as nothing was risked.

    Stakes and not the balance: deposits and withdrawals would be returns, and sums over users have no balance.
    """
    return [float(day.pnl / day.staked) if day.staked else 0.0 for day in days]


def sharpe_ratio(returns: Sequence[float], a_year: int = DAYS_A_YEAR) -> float | None:
    """Mean by standard deviation (of a sample, n − 1), annualised by the square root of the days a year (W. F. Sharpe,
    "The Sharpe Ratio", 1994). The risk-free rate is 0: stakes earn none. None of returns that do not differ."""
    if len(returns) < 2 or min(returns) == max(returns):
        return None
    mean = fmean(returns)
    deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in returns) / (len(returns) - 1))
    return _ratio(mean * math.sqrt(a_year), deviation)


def sortino_ratio(returns: Sequence[float], a_year: int = DAYS_A_YEAR) -> float | None:
    """Mean by downside deviation: the root of the mean of squares of what is below 0, over all days (F. A. Sortino and
    L. N. Price, "Performance Measurement in a Downside Risk Framework", 1994), annualised. None without a loss."""
    if len(returns) < 2:
        return None
    downside = math.sqrt(math.fsum(min(each, 0.0) ** 2 for each in returns) / len(returns))
    return _ratio(fmean(returns) * math.sqrt(a_year), downside)


def max_drawdown(days: Sequence[Day]) -> Drawdown | None:
    """The deepest one, at the ends of days, from 0 before the first; of equally deep ones the first. None if what was
    won never fell below an earlier sum."""
    equity = peak = Decimal(0)
    peak_at = 0
    deepest: tuple[Decimal, Decimal, int, int] | None = None
    for at, day in enumerate(days):
        equity += day.pnl
        if equity >= peak:
            peak, peak_at = equity, at
        elif deepest is None or peak - equity > deepest[0]:
            deepest = peak - equity, peak, peak_at, at
    if deepest is None:
        return None
    amount, peak, peak_at, trough_at = deepest
    recovered_at = _recovered(days, peak, trough_at)
    return Drawdown(
        amount=amount,
        peak=days[peak_at].day,
        trough=days[trough_at].day,
        recovered=None if recovered_at is None else days[recovered_at].day,
        length=(days[-1 if recovered_at is None else recovered_at].day - days[peak_at].day).days,
    )


def drawdowns(days: Iterable[Day]) -> list[Decimal]:
    """At the end of each day, how far the sum is below its peak; 0 or less."""
    equity = peak = Decimal(0)
    below = []
    for day in days:
        equity += day.pnl
        peak = max(peak, equity)
        below.append(equity - peak)
    return below


def _recovered(days: Sequence[Day], peak: Decimal, trough_at: int) -> int | None:
    equity = sum((day.pnl for day in days[: trough_at + 1]), Decimal(0))
    for at in range(trough_at + 1, len(days)):
        equity += days[at].pnl
        if equity >= peak:
            return at
    return None


def _ratio(part: float, whole: float) -> float | None:
    """Also None of numbers so small or so large that their ratio is no number."""
    ratio = part / whole if whole else math.inf
    return ratio if math.isfinite(ratio) else None
