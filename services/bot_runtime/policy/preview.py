"""What a configuration can cost, worked out by the policy itself before the bot starts."""

from datetime import datetime, timedelta
from decimal import Decimal

from libs.contracts.money import Preview
from libs.contracts.score import Score
from services.bot_runtime.policy.policy import Policy
from services.bot_runtime.policy.situation import Account, Entry, Offer, Refusal
from services.bot_runtime.policy.trade import Trade

MOST_TRADES = 100
"""As many losses in a row are played through."""

_LASTS = timedelta(milliseconds=1)
"""Of a trade that is played through: they shall all be on one day."""


def preview(policy: Policy, score: Score, balance: Decimal, payout: int, now: datetime, active_id: int = 0) -> Preview:
    """From this score and balance on. Without an active (auto mode) every trade is on another one, so that locks of one
    asset change nothing."""
    stakes, ended_by = _all_lost(policy, score, balance, payout, now, active_id)
    worst, bounded_by = min(_bounds(policy, score, balance, now))
    return Preview(
        stakes=stakes,
        loss=sum(stakes, Decimal(0)),
        ended_by=ended_by,
        worst_loss=max(worst, Decimal(0)),
        bounded_by=bounded_by,
    )


def _bounds(policy: Policy, score: Score, balance: Decimal, now: datetime) -> list[tuple[Decimal, str]]:
    """What each limit lets be lost today, with its field."""
    situation = policy.situation(score, Account(balance), now)
    bounds = [(balance, "balance")]
    bounds += [(left, limit.name) for limit in policy.loss_limits if (left := limit.left(situation)) is not None]
    most, at_most = policy.config.limits.max_trades_per_day, policy.plan.bound()
    if most is not None:
        bounds.append(((most - situation.day.trades) * policy.config.max_stake, "maxTradesPerDay"))
    if at_most is not None:
        bounds.append((at_most, "stakePlan"))
    return bounds


def _all_lost(
    policy: Policy, score: Score, balance: Decimal, payout: int, now: datetime, active_id: int
) -> tuple[tuple[Decimal, ...], str]:
    stakes: list[Decimal] = []
    day = ""
    while len(stakes) < MOST_TRADES:
        offer = Offer(active_id or -1 - len(stakes), payout)
        verdict = policy.judge(score, Account(balance), offer, now)
        if isinstance(verdict, Entry):
            day = policy.calendar.day_of(now)
            score = policy.after(score, _lost(score, offer, verdict.stake, balance, now), now)
            balance, now = balance - verdict.stake, now + _LASTS
            stakes.append(verdict.stake)
        elif _today(policy, verdict, day, now):
            now = verdict.until or now
        else:
            return tuple(stakes), verdict.reason
    return tuple(stakes), ""


def _today(policy: Policy, refusal: Refusal, day: str, now: datetime) -> bool:
    """Whether it only delays what can still be lost on the day on which the trades began."""
    if refusal.until is None or refusal.until <= now:
        return False
    return day in ("", policy.calendar.day_of(refusal.until))


def _lost(score: Score, offer: Offer, stake: Decimal, balance: Decimal, now: datetime) -> Trade:
    return Trade(
        run=score.run,
        sequence=score.sequence + 1,
        order_id="",
        account_type=score.account_type,
        active_id=offer.active_id,
        decided=now,
        ended=now + _LASTS,
        stake=stake,
        profit=-stake,
        worth=balance,
    )
