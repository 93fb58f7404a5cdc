"""All money rules of one configuration, evaluated in one place."""

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

import msgspec
from msgspec.structs import replace

from libs.contracts.bots import BotConfig, TradingState
from libs.contracts.ids import derived_id
from libs.contracts.score import Day, PlanProgress, Score
from services.bot_runtime.policy.calendar import UTC_DAYS, Calendar
from services.bot_runtime.policy.losses import loss_limits
from services.bot_runtime.policy.plan import CENT
from services.bot_runtime.policy.plans import plan_of
from services.bot_runtime.policy.rules import below_minimum, entry_rules, run_ends
from services.bot_runtime.policy.scoring import Scoring
from services.bot_runtime.policy.situation import Account, Entry, Gate, Offer, Refusal, Rule, Situation
from services.bot_runtime.policy.trade import Trade


class Policy:
    """`judge` before every order, `after` with every result."""

    def __init__(self, config: BotConfig, platform: Gate | None = None) -> None:
        """`platform`: what administrators allow the user; it is asked first."""
        self.config = config
        self.calendar = Calendar(config.time_zone)
        self.plan = plan_of(config)
        self.loss_limits = loss_limits(config)
        self._scoring = Scoring(config, self.plan, self.calendar)
        self._platform = platform
        self._plan_told = _told("martingale" if config.leverage_enabled else config.stake_plan)
        limits = config.limits
        self._rules_told = _told(
            config.time_zone, config.mode, config.protections, limits.cooldown_after_trade, limits.cooldown_after_loss
        )  # fmt: skip
        self._rules: tuple[Rule, ...] = (
            *([platform] if platform is not None else []),
            *self.loss_limits,
            *run_ends(config, self.plan),
            *entry_rules(config, self.plan, self.calendar),
        )

    def bounds(self, situation: Situation) -> Iterable[tuple[Decimal, str]]:
        """What the limits let be lost until the trading day ends, with the name of each."""
        yield from ((left, limit.name) for limit in self.loss_limits if (left := limit.left(situation)) is not None)
        if (most := self.config.limits.max_trades_per_day) is not None:
            yield (most - situation.day.trades) * self.config.max_stake, "maxTradesPerDay"
        if (at_most := self.plan.bound()) is not None:
            yield at_most, "stakePlan"
        now = situation.now
        if self._platform is not None and UTC_DAYS.day_end(now) >= self.calendar.day_end(now):
            yield from self._platform.bounds(situation)

    @property
    def ends_with_day(self) -> bool:
        """Whether what happened earlier in the day can end a run."""
        config = self.config
        limits = (config.stop_loss, config.limits.stop_loss_percent)
        return config.daily_goal_enabled or any(limit is not None for limit in limits)

    def after(self, score: Score, trade: Trade, at: datetime) -> Score:
        """The score with a settled trade in it; `at`: when it was counted."""
        return self._scoring.after(score, trade, at)

    def rebuilt(self, fresh: Score, trades: Iterable[Trade], at: datetime) -> Score:
        """A score that holds nothing yet, with these trades in it, in order; what is told again is counted once."""
        score = replace(fresh, rules=self._rules_told, plan=PlanProgress(of=self._plan_told))
        once = {trade.order_id: trade for trade in trades}
        for trade in once.values():
            score = self.after(score, trade, at)
        return score

    def fits(self, score: Score) -> bool:
        """Whether the score was counted by these rules; if not, it must be adapted before it is judged by."""
        return (score.rules, score.plan.of) == (self._rules_told, self._plan_told)

    def adapted(self, score: Score, trades: Iterable[Trade], at: datetime) -> Score:
        """The score of a run that goes on under these rules: the trades, all that count from `since` on, say what it
        carries on. Its stake plan goes on if it is the same, and begins anew if not."""
        blank = Score(id="", user=score.user, at=at, run="", account_type=score.account_type, sequence=0)
        carried = self.rebuilt(blank, trades, at)
        return replace(
            score,
            rules=carried.rules,
            plan=score.plan if score.plan.of == carried.plan.of else carried.plan,
            day=carried.day,
            utc_day=carried.utc_day,
            losses_on=carried.losses_on,
            locks=carried.locks,
            recent=carried.recent,
        )

    def since(self, now: datetime) -> datetime:
        """Trades decided earlier than this have no bearing on a new run's score."""
        return self._scoring.since(now)

    def obstacle(self, score: Score, account: Account, now: datetime, offer: Offer | None = None) -> Refusal | None:
        """What keeps it from trading at all or, with an offer, from taking that one; the gravest first."""
        return self._refusal(self.situation(score, account, now, offer))

    def judge(self, score: Score, account: Account, offer: Offer, now: datetime) -> Entry | Refusal:
        """Whether to buy what is offered, and with how much: never more than `maxStake`, the balance, or what is left
        before a loss limit; nothing where that is less than the broker takes."""
        situation = self.situation(score, account, now, offer)
        refusal = self._refusal(situation)
        if refusal is not None:
            return refusal
        balance = account.balance or Decimal(0)
        wanted = self.plan.stake(score, balance, offer.payout).quantize(CENT, ROUND_HALF_UP)
        if wanted <= 0:
            return Refusal(f"Waiting: a payout of {offer.payout}% has no edge...", state=TradingState.ACTIVE)
        caps = (self.config.max_stake, balance, *self._left(situation))
        stake = min(wanted, *(cap.quantize(CENT, ROUND_DOWN) for cap in caps))
        return Entry(stake) if stake >= account.min_stake else below_minimum(account.min_stake)

    def situation(self, score: Score, account: Account, now: datetime, offer: Offer | None = None) -> Situation:
        day, utc_day = _today(score.day, self.calendar, now), _today(score.utc_day, UTC_DAYS, now)
        return Situation(score, day, utc_day, account, offer, now)

    def _refusal(self, situation: Situation) -> Refusal | None:
        for rule in self._rules:
            if (refusal := rule.refuses(situation)) is not None:
                return refusal
        return None

    def _left(self, situation: Situation) -> Iterable[Decimal]:
        yield from (left for limit in self.loss_limits if (left := limit.left(situation)) is not None)
        if self._platform is not None:
            yield from self._platform.caps(situation)


def _today(known: Day, calendar: Calendar, now: datetime) -> Day:
    date = calendar.day_of(now)
    return known if known.date == date else Day(date=date)


def _told(*parts: object) -> str:
    """Stands for them: short, and the same whenever they are."""
    return derived_id("rules", msgspec.json.encode(parts).decode())
