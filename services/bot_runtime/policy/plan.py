"""What a stake plan is. Caps and rounding are not its business (policy.py)."""

from dataclasses import dataclass
from decimal import Decimal

from libs.contracts.score import PlanProgress, Score
from services.bot_runtime.policy.trade import Trade

CENT = Decimal("0.01")


class Plan:
    """The base does what most need."""

    def stake(self, score: Score, balance: Decimal, payout: int) -> Decimal:
        """For the next trade; 0 or less: none at this payout (percent)."""
        raise NotImplementedError

    def least(self) -> Decimal:
        """What the balance must be to trade at all."""
        return CENT

    def after(self, progress: PlanProgress, trade: Trade) -> PlanProgress:  # noqa: ARG002 - not all follow results
        """Where the plan is once that trade of the run is settled."""
        return progress

    def finished(self, progress: PlanProgress) -> str:  # noqa: ARG002 - not all have an end
        """Why the plan is at its end; empty while it is not."""
        return ""

    def bound(self) -> Decimal | None:
        """The most a run can lose by it, if it has an end of its own."""
        return None


@dataclass(frozen=True, slots=True)
class UnitPlan(Plan):
    """One that counts in units of `amount`, and waits when the balance cannot pay the first."""

    amount: Decimal
    maximum: Decimal

    def least(self) -> Decimal:
        return min(self.amount, self.maximum)
