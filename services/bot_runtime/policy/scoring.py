"""The score as a fold over settled trades: the same trades make the same score, whoever counts them."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from msgspec.structs import replace

from libs.contracts.bots import BotConfig
from libs.contracts.ids import derived_id
from libs.contracts.orders import TradeResult
from libs.contracts.score import Day, Lock, PastTrade, Score
from services.bot_runtime.policy.calendar import UTC_DAYS, Calendar
from services.bot_runtime.policy.plan import Plan
from services.bot_runtime.policy.protections import MOST, protections
from services.bot_runtime.policy.trade import Trade


class Scoring:
    def __init__(self, config: BotConfig, plan: Plan, calendar: Calendar) -> None:
        self._plan = plan
        self._calendar = calendar
        self._protections = protections(config)
        self._holds = any(each.name == "assetHold" for each in self._protections)
        self._lookback = max((each.lookback for each in self._protections), default=0)
        self._reach = timedelta(
            seconds=max((each.lookback + each.duration for each in self._protections), default=0)
        )  # fmt: skip

    def since(self, now: datetime) -> datetime:
        """Trades decided earlier than this have no bearing on a new run's score."""
        since = now - self._reach
        return min(self._calendar.day_start(since), UTC_DAYS.day_start(since))

    def after(self, score: Score, trade: Trade, at: datetime) -> Score:
        """With the trade in it. Of another account type it counts nowhere; of another run, not in the run's totals."""
        if trade.account_type is not score.account_type:
            return score
        if trade.run == score.run:
            score = self._in_run(score, trade, at)
        return self._locked(self._remembered(self._in_day(score, trade), trade), trade)

    def _in_run(self, score: Score, trade: Trade, at: datetime) -> Score:
        result, total = trade.result, score.total + trade.profit
        row = {TradeResult.WIN: 0, TradeResult.TIE: score.losses_in_a_row}.get(result, score.losses_in_a_row + 1)
        return replace(
            passed(score, trade.sequence, at),
            order_id=trade.order_id,
            profit=trade.profit,
            total=total,
            wins=score.wins + (result is TradeResult.WIN),
            losses=score.losses + (result is TradeResult.LOSS),
            ties=score.ties + (result is TradeResult.TIE),
            losses_in_a_row=row,
            peak=max(score.peak, total),
            opening_balance=trade.worth if score.trades == 0 else score.opening_balance,
            plan=replace(self._plan.after(score.plan, trade), of=score.plan.of),
        )

    def _in_day(self, score: Score, trade: Trade) -> Score:
        day = _with(score.day, trade, self._calendar)
        losses_on = score.losses_on if day.date == score.day.date else {}
        return replace(score, day=day, utc_day=_with(score.utc_day, trade, UTC_DAYS), losses_on=losses_on)

    def _remembered(self, score: Score, trade: Trade) -> Score:
        if self._holds:
            losses_on = dict(score.losses_on)
            if trade.result is TradeResult.WIN:
                losses_on.pop(trade.active_id, None)
            elif trade.result is TradeResult.LOSS:
                losses_on[trade.active_id] = losses_on.get(trade.active_id, 0) + 1
            score = replace(score, losses_on=losses_on)
        if self._lookback:
            ended = int(trade.ended.timestamp())
            past = PastTrade(
                ended=ended, active_id=trade.active_id, stake=_cents(trade.stake), profit=_cents(trade.profit)
            )  # fmt: skip
            recent = (each for each in (*score.recent, past) if each.ended > ended - self._lookback)
            score = replace(score, recent=tuple(recent)[-MOST:])
        return score

    def _locked(self, score: Score, trade: Trade) -> Score:
        made = (protection.after(score, trade) for protection in self._protections)
        kept: dict[int, Lock] = {}
        for lock in (*score.locks, *(lock for lock in made if lock is not None)):
            known = kept.get(lock.active_id)
            if lock.until > trade.ended.timestamp() and (known is None or lock.until > known.until):
                kept[lock.active_id] = lock
        return replace(score, locks=tuple(kept[active_id] for active_id in sorted(kept)))


def _with(day: Day, trade: Trade, calendar: Calendar) -> Day:
    """The day of the latest trade, with that trade in it if it is of that day."""
    date, hour = calendar.day_of(trade.decided), calendar.hour_of(trade.decided)
    if date < day.date:
        return day  # a position that was opened before midnight ends after one of today's
    if date > day.date:
        day = Day(date=date, opening_balance=trade.worth)
    return replace(
        day,
        profit=day.profit + trade.profit,
        trades=day.trades + 1,
        hour=max(hour, day.hour),
        hour_trades=day.hour_trades + 1 if hour == day.hour else day.hour_trades if hour < day.hour else 1,
    )


def passed(score: Score, sequence: int, at: datetime) -> Score:
    """With the run's n-th order counted in, of which nothing was won or lost."""
    counted = sorted({*score.ahead, sequence})
    last = score.sequence
    while counted and counted[0] <= last + 1:
        last = max(last, counted.pop(0))
    return replace(
        score,
        id=derived_id("pnl", score.run, sequence),
        at=at,
        sequence=last,
        ahead=tuple(counted),
        order_id=derived_id("order", score.run, sequence),
        profit=Decimal(0),
    )


def _cents(amount: Decimal) -> int:
    return int((amount * 100).to_integral_value(ROUND_HALF_EVEN))
