"""Of what could be bought, what the money rules allow."""

from collections.abc import Iterable
from datetime import datetime

from libs.contracts.score import Score
from services.bot_runtime.choice import Choice
from services.bot_runtime.policy import Account, Entry, Offer, Policy


def allowed(
    policy: Policy, score: Score, account: Account, offered: Iterable[Choice], now: datetime
) -> tuple[Choice, Entry] | None:
    """The first of them, with its stake. Whoever may not trade at all is told so once, and not for each of 150 assets:
    there may be thousands of them at every close."""
    for choice in offered:
        verdict = policy.judge(score, account, Offer(choice.active.id, choice.payout), now)
        if isinstance(verdict, Entry):
            return choice, verdict
        if policy.obstacle(score, account, now) is not None:
            return None
    return None
