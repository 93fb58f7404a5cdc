"""Stake plans that look at the balance, or at nothing."""

from dataclasses import dataclass
from decimal import Decimal

from libs.contracts.score import Score
from services.bot_runtime.policy.plan import Plan, UnitPlan

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Fixed(UnitPlan):
    """The same amount every time."""

    def stake(self, score: Score, balance: Decimal, payout: int) -> Decimal:  # noqa: ARG002 - one shape for all plans
        return self.amount


@dataclass(frozen=True, slots=True)
class Percent(Plan):
    """Of the balance."""

    percent: Decimal

    def stake(self, score: Score, balance: Decimal, payout: int) -> Decimal:  # noqa: ARG002 - one shape for all plans
        return balance * self.percent / _HUNDRED


@dataclass(frozen=True, slots=True)
class Kelly(Plan):
    """`fraction` of Kelly's bet, f = p − (1 − p) / b (J. L. Kelly, "A New Interpretation of Information Rate", 1956),
    at most `cap` of the balance. b is the payout; p is estimated from the run as if `prior_trades` trades of the
    assumed win rate had come before it. Ties say nothing."""

    win_rate: Decimal
    """Part of 1, as `fraction` and `cap` are."""
    prior_trades: int
    fraction: Decimal
    cap: Decimal

    def stake(self, score: Score, balance: Decimal, payout: int) -> Decimal:
        if payout <= 0:
            return Decimal(0)
        trades = score.wins + score.losses + self.prior_trades
        p = (score.wins + self.prior_trades * self.win_rate) / trades
        bet = p - (1 - p) * _HUNDRED / payout
        return balance * min(self.fraction * bet, self.cap)
