"""What is true of every stake, whatever the plan, the results and the market."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.orders import TradeResult
from services.bot_runtime.policy import Account, Entry, Offer, Policy
from tests.messages import NOW, a_score
from tests.unit.bot_runtime.policy.builders import KINDS, RESULTS, D, Trader, a_config

CENTS = st.decimals("0.01", 50, places=2)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(results=RESULTS, payout=st.integers(0, 100), amount=CENTS, cap=CENTS, balance=st.decimals(0, 400, places=4))
def test_a_stake_is_whole_cents_above_nothing_and_never_above_cap_or_balance(
    kind: str, results: list[TradeResult], payout: int, amount: Decimal, cap: Decimal, balance: Decimal
) -> None:
    trader = Trader(a_config(**({"amount": amount, "maxStake": cap} | KINDS[kind])), str(balance))
    for result in results:
        before = trader.balance
        for stake in trader.play([result], payout):
            assert stake.is_finite()
            assert D("0.01") <= stake <= min(cap, before)
            assert stake == stake.quantize(D("0.01"))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(results=RESULTS)
def test_the_same_score_is_judged_the_same(kind: str, results: list[TradeResult]) -> None:
    """A policy holds nothing of its own: another process judges alike."""
    trader = Trader(a_config(**KINDS[kind]))
    trader.play(results)
    again = Policy(trader.policy.config).judge(trader.score, Account(trader.balance), Offer(76, 82), trader.now)
    assert again == trader.judge()


WORTH: dict[str, Any] = {"leverageEnabled": True, "leverage": 5, "maxMartingaleSteps": 6, "maxStake": 10000}


def test_the_greatest_configuration_is_still_capped() -> None:
    config = a_config(amount=1000, **WORTH)
    policy = Policy(config)
    verdict = policy.judge(a_score(losses_in_a_row=6), Account(D(10**9)), Offer(76, 82), NOW)
    assert verdict == Entry(D(10000))
