"""Loss limits: they end the run and, because stakes are lowered to what is left, are never passed."""

from dataclasses import dataclass
from decimal import Decimal

from libs.contracts.bots import BotConfig, TradingState
from services.bot_runtime.policy.situation import Account, Refusal, Situation

SMALLEST_STAKE = Decimal(1)
"""Stakes below one unit of money are not worth an order; brokers refuse most of them."""


@dataclass(frozen=True, slots=True)
class LossLimit:
    """Base: what may still be lost. What is at risk already counts as lost."""

    limit: Decimal
    smallest: Decimal
    """With less than this left, the limit is reached."""

    name = ""
    """The field of the configuration."""

    def left(self, situation: Situation) -> Decimal | None:
        """None while the account's worth, of which it is a part, is not known."""
        raise NotImplementedError

    def told(self, situation: Situation) -> str:
        raise NotImplementedError

    def refuses(self, situation: Situation) -> Refusal | None:
        left = self.left(situation)
        if left is None or left >= max(self.smallest, situation.account.min_stake):
            return None
        if situation.account.at_risk:
            # Reached only if what is open is lost.
            return Refusal("Waiting for the open positions: a loss would reach the limit...")
        return Refusal(self.told(situation), state=TradingState.HALTED, final=True)


@dataclass(frozen=True, slots=True)
class StopLoss(LossLimit):
    """Money lost in the trading day."""

    name = "stopLoss"

    def left(self, situation: Situation) -> Decimal | None:
        return self.limit + situation.day.profit - situation.account.at_risk

    def told(self, situation: Situation) -> str:
        return f"Stop Loss reached: R$ {situation.day.profit:.2f}"


@dataclass(frozen=True, slots=True)
class StopLossPercent(LossLimit):
    """Of the balance at the start of the trading day."""

    name = "stopLossPercent"

    def left(self, situation: Situation) -> Decimal | None:
        day, account = situation.day, situation.account
        opening = _opening(day.opening_balance, account, day.profit)
        return None if opening is None else opening * self.limit / 100 + day.profit - account.at_risk

    def told(self, situation: Situation) -> str:
        return f"Stop Loss reached: {self.limit}% of the day's opening balance, R$ {situation.day.profit:.2f}"


@dataclass(frozen=True, slots=True)
class MaxDrawdown(LossLimit):
    """Money below the run's highest profit."""

    name = "maxDrawdown"

    def left(self, situation: Situation) -> Decimal | None:
        return self.limit - situation.score.drawdown - situation.account.at_risk

    def told(self, situation: Situation) -> str:
        return f"Maximum Drawdown reached: R$ {situation.score.drawdown:.2f}"


@dataclass(frozen=True, slots=True)
class MaxDrawdownPercent(LossLimit):
    """Of what the account was worth at that height."""

    name = "maxDrawdownPercent"

    def left(self, situation: Situation) -> Decimal | None:
        score, account = situation.score, situation.account
        opening = _opening(score.opening_balance, account, score.total)
        return None if opening is None else (opening + score.peak) * self.limit / 100 - score.drawdown - account.at_risk

    def told(self, situation: Situation) -> str:
        return f"Maximum Drawdown reached: {self.limit}%, R$ {situation.score.drawdown:.2f}"


def _opening(known: Decimal | None, account: Account, profit: Decimal) -> Decimal | None:
    """What the account was worth before `profit` was made."""
    if known is not None or account.worth is None:
        return known
    return account.worth - profit


def loss_limits(config: BotConfig) -> tuple[LossLimit, ...]:
    limits = config.limits
    configured: tuple[tuple[type[LossLimit], Decimal | None], ...] = (
        (StopLoss, config.stop_loss),
        (StopLossPercent, limits.stop_loss_percent),
        (MaxDrawdown, limits.max_drawdown),
        (MaxDrawdownPercent, limits.max_drawdown_percent),
    )
    smallest = min(SMALLEST_STAKE, config.amount, config.max_stake)
    return tuple(kind(limit, smallest) for kind, limit in configured if limit is not None)
