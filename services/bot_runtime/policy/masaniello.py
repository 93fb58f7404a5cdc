"""Masaniello: a row of n trades of which k must be won, with one target whatever their order."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from functools import cache
from math import comb

from libs.contracts.orders import TradeResult
from libs.contracts.score import PlanProgress, Score
from services.bot_runtime.policy.plan import CENT, Plan
from services.bot_runtime.policy.trade import Trade


@cache
def price(trades: int, wins: int, payout: int) -> Decimal:
    """What it costs to be paid 1 if at least `wins` of `trades` are won: Σ over j ≥ wins of C(n, j) pʲ (1 − p)ⁿ⁻ʲ, with
    p = 1 / (1 + payout), the win rate at which the payout (percent) is fair. At most 50 × 50 × 100 are remembered."""
    p = Decimal(100) / (100 + payout)
    terms = (comb(trades, won) * p**won * (1 - p) ** (trades - won) for won in range(max(wins, 0), trades + 1))
    return sum(terms, Decimal(0))


@dataclass(frozen=True, slots=True)
class Masaniello(Plan):
    """With n trades and k wins to go, the part 1 − P(n − 1, k) / P(n, k) of what is left of the capital; P is `price`.

    A win then leaves capital × P(n − 1, k − 1) / P(n, k) and a loss capital × P(n − 1, k) / P(n, k): either way what
    remains buys the same target, so k wins reach capital / P(n, k) in any order, and n − k + 1 losses cost all of it.
    The method is the spreadsheet of M. Mondò and C. Masaniello (2000s), with the same four numbers: capital, events,
    wins, odds. Here its stakes are derived. With a payout that changes from trade to trade, the target moves.

    Progress: `step` trades of the row done, `wins` of them won, `profit` so far. The row's end is the run's.
    """

    capital: Decimal
    trades: int
    wins: int

    def stake(self, score: Score, balance: Decimal, payout: int) -> Decimal:  # noqa: ARG002 - one shape for all plans
        trades, wins = self.trades - score.plan.step, self.wins - score.plan.wins
        left = self.capital + score.plan.profit
        if payout <= 0 or wins <= 0 or trades < wins:
            return Decimal(0)
        part = 1 - price(trades - 1, wins, payout) / price(trades, wins, payout)
        return max(left * part, CENT).quantize(CENT, ROUND_DOWN)  # with less than a cent left it is finished

    def after(self, progress: PlanProgress, trade: Trade) -> PlanProgress:
        if trade.result is TradeResult.TIE:
            return progress
        won = trade.result is TradeResult.WIN
        return PlanProgress(
            step=progress.step + 1, wins=progress.wins + won, profit=progress.profit + trade.profit
        )  # fmt: skip

    def finished(self, progress: PlanProgress) -> str:
        told = f"{progress.wins} of {progress.step} won, R$ {progress.profit:.2f}"
        if progress.wins >= self.wins:
            return f"Masaniello target reached ({told})"
        lost = progress.step - progress.wins > self.trades - self.wins or self.capital + progress.profit < CENT
        return f"Masaniello row lost ({told})" if lost else ""

    def bound(self) -> Decimal:
        return self.capital
