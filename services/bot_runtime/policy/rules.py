"""The rules that say whether to trade at all; each is one reason not to."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from libs.contracts.bots import BotConfig, TradingState
from libs.contracts.money import TradingWindow
from services.bot_runtime.policy.calendar import Calendar
from services.bot_runtime.policy.plan import Plan
from services.bot_runtime.policy.situation import Refusal, Rule, Situation

_LOCKS = {
    "assetHold": "losses on this asset",
    "stoplossGuard": "too many losses",
    "maxDrawdown": "the recent drawdown",
    "lowProfitPairs": "this asset's recent profit",
    "cooldownPeriod": "this asset's cool-down",
    "cooldownAfterLoss": "cool-down after a loss",
    "cooldownAfterTrade": "cool-down after a trade",
}


@dataclass(frozen=True, slots=True)
class SafetyStop:
    """Ends the run after so many losses in a row."""

    losses: int

    def refuses(self, situation: Situation) -> Refusal | None:
        losses = situation.score.losses_in_a_row
        return Refusal(f"Safety Stop triggered ({losses} losses)", final=True) if losses >= self.losses else None


@dataclass(frozen=True, slots=True)
class DailyGoal:
    """Ends the run when the trading day has won so much."""

    profit: Decimal

    def refuses(self, situation: Situation) -> Refusal | None:
        profit = situation.day.profit
        return Refusal(f"Daily Goal reached: R$ {profit:.2f}", final=True) if profit >= self.profit else None


@dataclass(frozen=True, slots=True)
class PlanEnd:
    """Ends the run with its stake plan."""

    plan: Plan

    def refuses(self, situation: Situation) -> Refusal | None:
        reason = self.plan.finished(situation.score.plan)
        return Refusal(reason, final=True) if reason else None


@dataclass(frozen=True, slots=True)
class OpeningHours:
    windows: tuple[TradingWindow, ...]
    calendar: Calendar

    def refuses(self, situation: Situation) -> Refusal | None:
        if self.calendar.is_open(self.windows, situation.now):
            return None
        return Refusal("outside the trading hours", self.calendar.next_opening(self.windows, situation.now))


@dataclass(frozen=True, slots=True)
class TradesPerHour:
    """Trades count in the clock hour in which they are decided; open ones in the present one, to be sure."""

    limit: int
    calendar: Calendar

    def refuses(self, situation: Situation) -> Refusal | None:
        day, now = situation.score.day, situation.now
        done = day.hour_trades if day.hour == self.calendar.hour_of(now) else 0
        if done + situation.account.open_positions < self.limit:
            return None
        return Refusal(f"{self.limit} trades in this hour", self.calendar.hour_end(now))


@dataclass(frozen=True, slots=True)
class TradesPerDay:
    limit: int
    calendar: Calendar

    def refuses(self, situation: Situation) -> Refusal | None:
        if situation.day.trades + situation.account.open_positions < self.limit:
            return None
        return Refusal(f"{self.limit} trades today", self.calendar.day_end(situation.now))


@dataclass(frozen=True, slots=True)
class OpenPositions:
    limit: int

    def refuses(self, situation: Situation) -> Refusal | None:
        full = situation.account.open_positions >= self.limit
        return Refusal("Tracking results...", state=TradingState.ACTIVE) if full else None


@dataclass(frozen=True, slots=True)
class Locked:
    """Locks are made when a trade is settled (protections.py) and lapse by themselves."""

    def refuses(self, situation: Situation) -> Refusal | None:
        offered = situation.offer.active_id if situation.offer is not None else 0
        now = situation.now.timestamp()
        locks = [lock for lock in situation.score.locks if lock.until > now and lock.active_id in (0, offered)]
        if not locks:
            return None
        last = max(locks, key=lambda lock: lock.until)
        state = TradingState.ACTIVE if last.active_id else TradingState.REDUCING
        return Refusal(_LOCKS[last.rule], datetime.fromtimestamp(last.until, UTC), state)


@dataclass(frozen=True, slots=True)
class MinimumPayout:
    percent: int

    def refuses(self, situation: Situation) -> Refusal | None:
        offer = situation.offer
        if offer is None or offer.payout >= self.percent:
            return None
        return Refusal(f"Waiting for a payout of {self.percent}%: it is {offer.payout}%...", state=TradingState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Funds:
    least: Decimal

    def refuses(self, situation: Situation) -> Refusal | None:
        balance = situation.account.balance
        if balance is not None and balance >= max(self.least, situation.account.min_stake):
            return None
        return Refusal("Waiting for funds: the balance is below the amount per trade...")


@dataclass(frozen=True, slots=True)
class SmallestStake:
    """What the plan stakes, before all caps, at the offer's payout or else at the highest there is."""

    plan: Plan

    def refuses(self, situation: Situation) -> Refusal | None:
        account = situation.account
        if account.balance is None or not account.min_stake:
            return None
        payout = situation.offer.payout if situation.offer is not None else 100
        stake = self.plan.stake(situation.score, account.balance, payout)
        return below_minimum(account.min_stake) if 0 < stake < account.min_stake else None


def below_minimum(least: Decimal) -> Refusal:
    return Refusal(f"Waiting: the stake is below the broker's minimum of {least}...")


def run_ends(config: BotConfig, plan: Plan) -> tuple[Rule, ...]:
    """The rules that end the run, besides the loss limits."""
    rules: list[Rule] = [PlanEnd(plan)]
    if config.safety_stop_enabled:
        rules.append(SafetyStop(config.safety_stop))
    if config.daily_goal_enabled:
        rules.append(DailyGoal(config.daily_goal))
    return tuple(rules)


def entry_rules(config: BotConfig, plan: Plan, calendar: Calendar) -> tuple[Rule, ...]:
    """The rules that only hold entries back; what lasts longest first, so that people are told that."""
    limits = config.limits
    rules: list[Rule] = []
    if limits.trading_hours:
        rules.append(OpeningHours(limits.trading_hours, calendar))
    if limits.max_trades_per_day is not None:
        rules.append(TradesPerDay(limits.max_trades_per_day, calendar))
    if limits.max_trades_per_hour is not None:
        rules.append(TradesPerHour(limits.max_trades_per_hour, calendar))
    return (
        *rules,
        Locked(),
        Funds(plan.least()),
        SmallestStake(plan),
        OpenPositions(config.max_open_positions),
        MinimumPayout(config.min_payout),
    )
