"""Figures of wins and losses, on cases worked out by hand and against what they mean."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.figures.outcomes import (
    Outcomes,
    break_even_win_rate,
    edge,
    expectancy,
    profit_factor,
    return_on_stakes,
    win_rate,
)

HAND = Outcomes(
    wins=3, losses=2, ties=1, won=Decimal("24.60"), lost=Decimal(20), staked=Decimal(60), promised=Decimal("49.2")
)
"""Six trades of 10 that pay 82 %."""

cents = st.integers(1, 10**7).map(lambda number: Decimal(number) / 100)


def test_six_trades_by_hand() -> None:
    assert win_rate(HAND) == pytest.approx(60)
    assert expectancy(HAND) == pytest.approx(Decimal("0.766666"), abs=Decimal("0.000001"))
    assert return_on_stakes(HAND) == pytest.approx(100 * 4.6 / 60)
    assert profit_factor(HAND) == pytest.approx(1.23)
    assert break_even_win_rate(HAND) == pytest.approx(100 / 1.82)
    assert edge(HAND) == pytest.approx(60 - 100 / 1.82)


def test_nothing_is_null() -> None:
    nothing = Outcomes()
    figures = (win_rate, expectancy, return_on_stakes, profit_factor, break_even_win_rate, edge)
    assert [figure(nothing) for figure in figures] == [None] * len(figures)


def test_without_a_loss_there_is_no_profit_factor() -> None:
    lucky = Outcomes(wins=2, won=Decimal(16), staked=Decimal(20), promised=Decimal(16))
    assert profit_factor(lucky) is None
    assert expectancy(lucky) == 8


def test_only_ties_have_no_win_rate() -> None:
    ties = Outcomes(ties=3, staked=Decimal(30), promised=Decimal(24))
    assert win_rate(ties) is None
    assert edge(ties) is None
    assert expectancy(ties) == 0


@given(stakes=st.lists(cents, min_size=1, max_size=20), payout=st.integers(1, 200))
def test_who_wins_as_often_as_breaks_even_wins_nothing(stakes: list[Decimal], payout: int) -> None:
    """So much of every stake is won, and the rest lost."""
    staked, promised = sum(stakes, Decimal(0)), sum((stake * payout / 100 for stake in stakes), Decimal(0))
    rate = break_even_win_rate(Outcomes(losses=1, staked=staked, promised=promised))
    assert rate is not None
    assert rate / 100 * float(promised) == pytest.approx((1 - rate / 100) * float(staked))
    assert rate == pytest.approx(100 / (1 + payout / 100))


@given(won=cents, lost=cents, number=st.integers(1, 1000))
def test_a_profit_factor_above_one_is_a_profit(won: Decimal, lost: Decimal, number: int) -> None:
    outcomes = Outcomes(wins=number, losses=number, won=won, lost=lost, staked=lost + won)
    factor, mean = profit_factor(outcomes), expectancy(outcomes)
    assert factor is not None
    assert mean is not None
    assert (won > lost, won < lost) == (mean > 0, mean < 0)
    assert factor == pytest.approx(float(won) / float(lost))
