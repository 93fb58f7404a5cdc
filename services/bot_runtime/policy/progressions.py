"""Stake plans that follow the results one by one. A tie never moves them."""

from dataclasses import dataclass
from decimal import Decimal

from libs.contracts.orders import TradeResult
from libs.contracts.score import PlanProgress, Score
from services.bot_runtime.policy.plan import CENT, UnitPlan
from services.bot_runtime.policy.trade import Trade


@dataclass(frozen=True, slots=True)
class Martingale(UnitPlan):
    """After the n-th loss in a row the base amount × leverage^n, at most `steps` times raised. A win goes back to the
    base amount (api-contract §10.6).

    Progress: `step` is how many losses there were in a row.
    """

    leverage: Decimal
    steps: int

    def stake(self, score: Score, balance: Decimal, payout: int) -> Decimal:  # noqa: ARG002 - one shape for all plans
        return self.amount * self.leverage ** min(score.plan.step, self.steps)

    def after(self, progress: PlanProgress, trade: Trade) -> PlanProgress:
        if trade.result is TradeResult.TIE:
            return progress
        return PlanProgress(step=progress.step + 1 if trade.result is TradeResult.LOSS else 0)


@dataclass(frozen=True, slots=True)
class Soros(UnitPlan):
    """What the wins so far brought is staked on top of the base amount, `levels` times; the win at the last level is
    kept and it begins again, as after any loss. A lost climb costs one base amount.

    Progress: `step` is the level, `profit` what was won on the way there.
    """

    levels: int

    def stake(self, score: Score, balance: Decimal, payout: int) -> Decimal:  # noqa: ARG002 - one shape for all plans
        return self.amount + score.plan.profit

    def after(self, progress: PlanProgress, trade: Trade) -> PlanProgress:
        if trade.result is TradeResult.TIE:
            return progress
        if trade.result is TradeResult.LOSS or progress.step >= self.levels:
            return PlanProgress()
        return PlanProgress(step=progress.step + 1, profit=progress.profit + trade.profit)


@dataclass(frozen=True, slots=True)
class Dalembert(UnitPlan):
    """One unit more after a loss, up to `max_units`; one less after a win, down to one.

    Progress: `step` is how many units there are besides the first.
    """

    max_units: int

    def stake(self, score: Score, balance: Decimal, payout: int) -> Decimal:  # noqa: ARG002 - one shape for all plans
        return self.amount * (1 + score.plan.step)

    def after(self, progress: PlanProgress, trade: Trade) -> PlanProgress:
        moved = {TradeResult.LOSS: 1, TradeResult.WIN: -1, TradeResult.TIE: 0}[trade.result]
        return PlanProgress(step=max(0, min(progress.step + moved, self.max_units - 1)))


@dataclass(frozen=True, slots=True)
class OscarsGrind(UnitPlan):
    """Cycles that each win what one unit wins. The stake stays after a loss and grows by a unit after a win, up to
    `max_units`, but is never more than the win that ends the cycle needs (Oscar's Grind, in A. N. Wilson, "The Casino
    Gambler's Guide", 1965; there at even money, where the goal is one unit).

    Progress: `step` is how many units there are besides the first, `profit` the cycle's so far.
    """

    max_units: int

    def stake(self, score: Score, balance: Decimal, payout: int) -> Decimal:  # noqa: ARG002 - one shape for all plans
        grown = self.amount * (1 + score.plan.step)
        if payout <= 0:
            return grown
        needed = self.amount - score.plan.profit * 100 / payout
        return min(grown, max(needed, CENT))

    def after(self, progress: PlanProgress, trade: Trade) -> PlanProgress:
        profit = progress.profit + trade.profit
        if trade.result is not TradeResult.WIN:
            return PlanProgress(step=progress.step, profit=profit)
        goal = self.amount * trade.profit / trade.stake
        if profit >= goal - CENT:  # stakes are whole cents
            return PlanProgress()
        return PlanProgress(step=min(progress.step + 1, self.max_units - 1), profit=profit)
