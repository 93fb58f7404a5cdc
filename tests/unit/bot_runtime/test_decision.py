"""What bots decide by what they are offered, and how little that may take."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from libs.contracts.score import Lock, Score
from services.bot_runtime.choice import choices
from services.bot_runtime.decision import allowed
from services.bot_runtime.policy import Account, Entry, Offer, Policy, Refusal
from tests.messages import NOW, a_score
from tests.unit.bot_runtime.builders import a_board, actives_of, an_active
from tests.unit.bot_runtime.policy.builders import a_config

D = Decimal
MARKET = range(1, 151)
MONDAY = [{"days": ["mon"], "opens": "09:00", "closes": "10:00"}]


class CountingPolicy(Policy):
    judged = 0

    def judge(self, score: Score, account: Account, offer: Offer, now: datetime) -> Entry | Refusal:
        self.judged += 1
        return super().judge(score, account, offer, now)


def decide(config: dict[str, Any], score: Score | None = None, balance: int = 1000) -> tuple[int | None, int]:
    """The active that is bought of a whole market, the lowest first, and how often the rules were asked."""
    policy = CountingPolicy(a_config(**config))
    offered = choices(policy.config, a_board(dict.fromkeys(MARKET, (1, 60))), actives_of(*map(an_active, MARKET)), NOW)
    chosen = allowed(policy, score or a_score(), Account(D(balance)), offered, NOW)
    return chosen[0].active.id if chosen is not None else None, policy.judged


def test_the_first_that_is_allowed_is_bought() -> None:
    assert decide({}) == (1, 1)


def test_what_is_locked_alone_is_passed_over() -> None:
    locks = tuple(Lock(active_id=number, until=int(NOW.timestamp()) + 60, rule="assetHold") for number in (1, 2))
    assert decide({}, a_score(locks=locks)) == (3, 3)


@pytest.mark.parametrize(
    ("config", "balance"), [({"limits": {"tradingHours": MONDAY}}, 1000), ({"amount": 20}, 10), ({"amount": 20}, 0)]
)
def test_who_may_not_trade_at_all_is_not_asked_about_every_asset(config: dict[str, Any], balance: int) -> None:
    assert decide(config, balance=balance) == (None, 1)


def test_nor_is_who_wants_more_than_anything_pays() -> None:
    assert decide({"minPayout": 83}) == (None, 0)
    assert decide({"minPayout": 82}) == (1, 1)
