"""Returns against a maintained library, and drawdowns against looking at every pair of days."""

import math
import warnings
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.figures.returns import (
    Day,
    Drawdown,
    daily_returns,
    drawdowns,
    max_drawdown,
    sharpe_ratio,
    sortino_ratio,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    import empyrical

FIRST = date(2026, 11, 1)

returns_of_days = st.lists(st.floats(-1, 2, width=32), min_size=2, max_size=60)
amounts = st.lists(st.integers(-50, 50).map(Decimal), min_size=1, max_size=30)


def days_of(*pnl: Decimal | int) -> list[Day]:
    return [Day(day=FIRST + timedelta(days=at), pnl=Decimal(each), staked=Decimal(50)) for at, each in enumerate(pnl)]


@given(returns_of_days)
def test_ratios_are_those_of_the_library(returns: list[float]) -> None:
    known = np.array(returns)
    if np.ptp(known) > 1e-6:
        assert sharpe_ratio(returns) == pytest.approx(empyrical.sharpe_ratio(known, annualization=365), rel=1e-6)
    if known.min() < -1e-6:
        assert sortino_ratio(returns) == pytest.approx(empyrical.sortino_ratio(known, annualization=365), rel=1e-6)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e150, max_value=1e150), max_size=20))
def test_no_ratio_is_infinite(returns: list[float]) -> None:
    for ratio in (sharpe_ratio(returns), sortino_ratio(returns)):
        assert ratio is None or math.isfinite(ratio)


def test_what_is_not_defined_is_null() -> None:
    assert (sharpe_ratio([]), sortino_ratio([])) == (None, None)
    assert (sharpe_ratio([0.1]), sortino_ratio([-0.1])) == (None, None), "one day does not vary"
    assert sharpe_ratio([0.1, 0.1, 0.1]) is None
    assert sortino_ratio([0.1, 0.0, 0.3]) is None, "nothing was lost"


def test_a_day_without_trades_returns_nothing() -> None:
    idle = Day(day=FIRST, pnl=Decimal(0), staked=Decimal(0))
    assert daily_returns([*days_of(10), idle, *days_of(-50)]) == [0.2, 0.0, -1.0]


def test_a_drawdown_by_hand() -> None:
    days = days_of(10, -4, -3, 5, 2, -6, 1)
    assert max_drawdown(days) == Drawdown(
        amount=Decimal(7), peak=FIRST, trough=FIRST + timedelta(days=2), recovered=FIRST + timedelta(days=4), length=4
    )
    assert drawdowns(days) == [0, -4, -7, -2, 0, -6, -5]


def test_a_drawdown_may_last() -> None:
    days = days_of(-5, 4)
    assert max_drawdown(days) == Drawdown(amount=Decimal(5), peak=FIRST, trough=FIRST, recovered=None, length=1)


def test_who_never_fell_has_none() -> None:
    assert max_drawdown([]) is None
    assert max_drawdown(days_of(1, 0, 3)) is None


@given(amounts)
def test_no_pair_of_days_is_further_apart(pnl: list[Decimal]) -> None:
    equity = [Decimal(0)]
    for each in pnl:
        equity.append(equity[-1] + each)
    deepest = max(equity[i] - equity[j] for i in range(len(equity)) for j in range(i, len(equity)))
    found = max_drawdown(days_of(*pnl))
    assert (found.amount if found else 0) == deepest
    assert -min(drawdowns(days_of(*pnl))) == deepest


@given(amounts)
def test_a_drawdown_ends_where_its_peak_is_reached_again(pnl: list[Decimal]) -> None:
    found = max_drawdown(days_of(*pnl))
    if found is None:
        return
    equity = [sum(pnl[: at + 1], Decimal(0)) for at in range(len(pnl))]
    peak_at, trough_at = (found.peak - FIRST).days, (found.trough - FIRST).days
    peak = equity[trough_at] + found.amount
    assert peak == max([Decimal(0), *equity[: trough_at + 1]])
    assert peak_at <= trough_at
    if found.recovered is None:
        assert max(equity[trough_at:]) < peak
        assert found.length == len(pnl) - 1 - peak_at
    else:
        assert equity[(found.recovered - FIRST).days] >= peak > max(equity[trough_at : (found.recovered - FIRST).days])
        assert found.length == (found.recovered - found.peak).days
