"""The money rules of a bot (api-contract §10.6). Each judges by the run's score alone, so a restart changes nothing."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Protocol

from libs.contracts.bots import BotConfig
from libs.contracts.score import Score

_CENT = Decimal("0.01")


class StakeRule(Protocol):
    def stake(self, pnl: Score, balance: Decimal) -> Decimal | None:
        """What to put on the next trade, in major units and whole cents; None when the balance cannot pay the base
        amount."""
        ...


class StopRule(Protocol):
    def reached(self, pnl: Score) -> str:
        """Why the bot must stop, in the public words of api-contract §10.3; empty while it need not."""
        ...


@dataclass(frozen=True, slots=True)
class FixedStake:
    """The same amount every time."""

    amount: Decimal
    maximum: Decimal

    def stake(self, pnl: Score, balance: Decimal) -> Decimal | None:  # noqa: ARG002 - one shape for all stake rules
        amount = min(self.amount, self.maximum).quantize(_CENT, ROUND_HALF_UP)
        return amount if amount <= balance else None


@dataclass(frozen=True, slots=True)
class Martingale:
    """After the n-th loss in a row the base amount × leverage^n, at most `steps` times raised, and never more than
    `maximum` or the balance. A win goes back to the base amount, a tie changes nothing."""

    base: FixedStake
    leverage: Decimal
    steps: int

    def stake(self, pnl: Score, balance: Decimal) -> Decimal | None:
        affordable = self.base.stake(pnl, balance)
        if affordable is None:
            return None
        raised = self.base.amount * self.leverage ** min(pnl.losses_in_a_row, self.steps)
        capped = min(raised.quantize(_CENT, ROUND_HALF_UP), balance.quantize(_CENT, ROUND_DOWN))
        return min(capped, self.base.maximum.quantize(_CENT, ROUND_DOWN))


@dataclass(frozen=True, slots=True)
class SafetyStop:
    """Stops after so many losses in a row."""

    losses: int

    def reached(self, pnl: Score) -> str:
        if pnl.losses_in_a_row < self.losses:
            return ""
        return f"Safety Stop triggered ({pnl.losses_in_a_row} losses)"


@dataclass(frozen=True, slots=True)
class DailyGoal:
    """Stops when the run has won so much."""

    profit: Decimal

    def reached(self, pnl: Score) -> str:
        return f"Daily Goal reached: R$ {pnl.total:.2f}" if pnl.total >= self.profit else ""


def stake_rule(config: BotConfig) -> StakeRule:
    fixed = FixedStake(config.amount, config.max_stake)
    if not config.leverage_enabled:
        return fixed
    return Martingale(fixed, config.leverage, config.max_martingale_steps)


def stop_rules(config: BotConfig) -> tuple[StopRule, ...]:
    rules: list[StopRule] = []
    if config.safety_stop_enabled:
        rules.append(SafetyStop(config.safety_stop))
    if config.daily_goal_enabled:
        rules.append(DailyGoal(config.daily_goal))
    return tuple(rules)
