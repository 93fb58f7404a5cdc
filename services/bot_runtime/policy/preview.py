"""What a configuration can cost, worked out by the policy itself before the bot starts."""

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from libs.contracts.money import Preview
from libs.contracts.score import Score
from services.bot_runtime.policy.policy import Policy
from services.bot_runtime.policy.situation import Account, Entry, Offer
from services.bot_runtime.policy.trade import Trade

MOST_TRADES = 100
"""As many losses in a row are played through."""


def preview(policy: Policy, score: Score, account: Account, payout: int, now: datetime, active_id: int = 0) -> Preview:
    """From this score and account on. Without an active (auto mode) every trade is on another one, so that locks of one
    asset change nothing."""
    stakes, ended_by, begins = _all_lost(policy, score, account, payout, now, active_id)
    bounds = policy.bounds(policy.situation(score, account, begins))
    worst, bounded_by = min([(account.balance or Decimal(0), "balance"), *bounds])
    return Preview(
        stakes=stakes,
        loss=sum(stakes, Decimal(0)),
        ended_by=ended_by,
        worst_loss=max(worst, Decimal(0)),
        bounded_by=bounded_by,
    )


def _all_lost(
    policy: Policy, score: Score, account: Account, payout: int, now: datetime, active_id: int
) -> tuple[tuple[Decimal, ...], str, datetime]:
    """The stakes, what ends them, and when they begin. They take no time, so that no day ends among them."""
    stakes: list[Decimal] = []
    begins: datetime | None = None
    balance = account.balance or Decimal(0)
    while len(stakes) < MOST_TRADES:
        offer = Offer(active_id or -1 - len(stakes), payout)
        verdict = policy.judge(score, replace(account, balance=balance), offer, now)
        if isinstance(verdict, Entry):
            begins = begins or now
            score = policy.after(score, _lost(score, offer, verdict.stake, balance, now), now)
            balance -= verdict.stake
            stakes.append(verdict.stake)
        elif verdict.until is not None and _delays(policy, verdict.until, begins, now):
            now = verdict.until
        else:
            return tuple(stakes), verdict.reason, begins or now
    return tuple(stakes), "", begins or now


def _delays(policy: Policy, until: datetime, begins: datetime | None, now: datetime) -> bool:
    """Whether what can be lost on the day of the first trade is only delayed by that."""
    return until > now and (begins is None or until < policy.calendar.day_end(begins))


def _lost(score: Score, offer: Offer, stake: Decimal, balance: Decimal, now: datetime) -> Trade:
    return Trade(
        run=score.run,
        sequence=score.sequence + 1,
        order_id="",
        account_type=score.account_type,
        active_id=offer.active_id,
        decided=now,
        ended=now,
        stake=stake,
        profit=-stake,
        worth=balance,
    )
