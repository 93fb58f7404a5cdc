"""What is true of every stake, whatever the plan, the results and the market."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.orders import TradeResult
from libs.contracts.score import PlanProgress, Score
from services.bot_runtime.policy import Account, Entry, Offer, Policy, Trade
from tests.messages import NOW, a_score
from tests.unit.bot_runtime.policy.builders import KINDS, RESULTS, D, Trader, a_config, a_trade

TODAY = "2026-11-24"
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


EVERY_RULE: dict[str, Any] = {
    "safetyStopEnabled": True, "safetyStop": 4, "dailyGoalEnabled": True, "dailyGoal": 40, "minPayout": 80,
    "maxOpenPositions": 2, "stopLoss": 60,
    "limits": {
        "maxTradesPerDay": 40, "maxTradesPerHour": 20, "cooldownAfterLoss": 20, "maxDrawdown": 50,
        "tradingHours": [{"days": ["tue"], "opens": "00:00", "closes": "23:00"}],
    },
    "protections": {"cooldownPeriod": {"stopDuration": 1}},
}  # fmt: skip


@given(
    results=RESULTS, actives=st.lists(st.integers(1, 3), min_size=60, max_size=60), at_risk=st.integers(0, 60),
    positions=st.integers(0, 3), payout=st.integers(79, 82), later=st.integers(0, 86_400),
)  # fmt: skip
def test_what_may_be_bought_means_that_nothing_keeps_it_from_trading(
    results: list[TradeResult], actives: list[int], at_risk: int, positions: int, payout: int, later: int
) -> None:
    """So that a bot need not ask its rules twice."""
    trader = Trader(a_config(**EVERY_RULE))
    for result, active_id in zip(results, actives, strict=False):
        if isinstance(trader.judge(active_id), Entry):
            trader.trade(result, active_id)
    account, now = Account(trader.balance, D(at_risk), positions), trader.now + timedelta(seconds=later)
    verdict = trader.policy.judge(trader.score, account, Offer(1, payout), now)
    if isinstance(verdict, Entry):
        assert trader.policy.obstacle(trader.score, account, now) is None


WORTH: dict[str, Any] = {"leverageEnabled": True, "leverage": 5, "maxMartingaleSteps": 6, "maxStake": 10000}


def test_the_greatest_configuration_is_still_capped() -> None:
    config = a_config(amount=1000, **WORTH)
    policy = Policy(config)
    verdict = policy.judge(a_score(plan=PlanProgress(step=6)), Account(D(10**9)), Offer(76, 82), NOW)
    assert verdict == Entry(D(10000))


LOST = [a_trade(decided=NOW - timedelta(hours=hours), sequence=4 - hours, order_id=f"{hours}") for hours in (3, 2, 1)]
"""Before noon UTC, which is after ten at night in Auckland."""


def under(policy: Policy, trades: Iterable[Trade] = LOST) -> Score:
    return policy.rebuilt(a_score(), trades, NOW)


def changed(score: Score, **fields: Any) -> Score:
    """The run goes on under another configuration."""
    policy = Policy(a_config(**fields))
    assert not policy.fits(score)
    score = policy.adapted(score, [trade for trade in LOST if trade.decided >= policy.since(NOW)], NOW)
    assert policy.fits(score)
    return score


def test_a_run_that_goes_on_in_another_time_zone_has_that_zones_day() -> None:
    there = under(Policy(a_config(timeZone="Pacific/Kiritimati")))
    assert (there.day.date, there.day.trades) == ("2026-11-25", 2)
    unheld: dict[str, Any] = {"stopLoss": 50, "protections": {"assetHold": None}}
    here = changed(there, **unheld)
    assert (here.day.date, here.day.profit, here.total) == (TODAY, D(-30), D(-30))
    assert here.utc_day == there.utc_day
    verdict = Trader(a_config(amount=40, **unheld), score=here).judge()
    assert verdict == Entry(D(20)), "what was lost today counts"


def test_protections_that_are_chosen_later_look_back_as_well() -> None:
    score = under(Policy(a_config()))
    guard = {"assetHold": None, "stoplossGuard": {"tradeLimit": 3, "lookback": 240, "stopDuration": 600}}
    assert [lock.rule for lock in changed(score, protections=guard).locks] == ["stoplossGuard"]
    locked = under(Policy(a_config(protections=guard)))
    assert changed(locked, protections={"assetHold": None}).locks == (), "and one that is chosen no more lets go"


@pytest.mark.parametrize("kind", KINDS)
def test_another_stake_plan_begins_anew_and_the_same_goes_on(kind: str) -> None:
    """A row of Masaniello's that is half done would be a D'Alembert that has lost for hours."""
    plan = {"stakePlan": {"kind": "dalembert", "maxUnits": 20}}
    score = under(Policy(a_config(**plan)))
    assert score.plan.step == 3
    assert changed(score, timeZone="Europe/London", **plan).plan == score.plan
    if KINDS[kind].keys() & {"stakePlan", "leverageEnabled"}:
        adapted = changed(score, **KINDS[kind])
        assert adapted.plan == under(Policy(a_config(**KINDS[kind])), ()).plan
        assert adapted.total == D(-30)
    assert changed(score, stakePlan={"kind": "dalembert", "maxUnits": 2}).plan.step == 0


def test_martingale_that_was_left_begins_anew_when_it_is_chosen_again() -> None:
    score = under(Policy(a_config(leverageEnabled=True)))
    assert score.plan.step == 3
    left = changed(score)
    assert changed(left, leverageEnabled=True).plan.step == 0
