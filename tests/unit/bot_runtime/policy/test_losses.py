"""Loss limits: never passed, and then the run is over."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.bots import TradingState
from libs.contracts.orders import TradeResult
from libs.contracts.score import Day
from services.bot_runtime.policy import Account, Entry, Offer, Refusal
from tests.messages import a_score
from tests.unit.bot_runtime.policy.builders import KINDS, RESULTS, D, Trader, a_config

W, L = TradeResult.WIN, TradeResult.LOSS


def halted(reason: str) -> Refusal:
    return Refusal(reason, state=TradingState.HALTED, final=True)


def test_a_stop_loss_lowers_the_last_stake_and_ends_the_run() -> None:
    trader = Trader(a_config(amount=40, stopLoss=100))
    assert trader.play([L] * 9) == [D(40), D(40), D(20)]
    assert trader.judge() == halted("Stop Loss reached: R$ -100.00")


def test_what_a_win_brought_may_be_lost_again() -> None:
    trader = Trader(a_config(amount=40, stopLoss=100))
    assert trader.play([L, W, L, L, L, L]) == [*[D(40)] * 4, D("12.80")]


def test_less_than_a_stake_worth_an_order_is_nothing_left() -> None:
    trader = Trader(a_config(amount=20, stopLoss="60.99"))
    assert trader.play([L] * 9) == [D(20)] * 3
    assert trader.judge() == halted("Stop Loss reached: R$ -60.00")


def test_what_is_worth_an_order_is_not_more_than_the_most_that_is_staked() -> None:
    trader = Trader(a_config(amount=10, maxStake="0.50", stopLoss="1.20"))
    assert trader.play([L] * 9) == [D("0.50"), D("0.50")]
    assert trader.judge() == halted("Stop Loss reached: R$ -1.00")


def test_a_stop_loss_in_percent_is_of_the_balance_at_the_start_of_the_day() -> None:
    trader = Trader(a_config(amount=20, limits={"stopLossPercent": 5}), "1000")
    assert trader.play([L] * 9) == [D(20), D(20), D(10)]
    assert trader.judge() == halted("Stop Loss reached: 5% of the day's opening balance, R$ -50.00")


def test_a_drawdown_is_counted_from_the_runs_height() -> None:
    trader = Trader(a_config(amount=100, limits={"maxDrawdown": 150}))
    assert trader.play([W, L, L, L]) == [D(100), D(100), D(50)]
    assert trader.judge() == halted("Maximum Drawdown reached: R$ 150.00")


def test_a_drawdown_in_percent_is_of_what_the_account_was_worth_there() -> None:
    trader = Trader(a_config(amount=100, limits={"maxDrawdownPercent": 20}), "918")
    assert trader.play([W, L, L, L]) == [D(100)] * 3, "20 % of 918 + 82"
    assert trader.judge() == halted("Maximum Drawdown reached: 20%, R$ 200.00")


def test_what_is_at_risk_counts_as_lost() -> None:
    trader = Trader(a_config(amount=40, stopLoss=100))
    offer = Offer(76, 82)
    one, two = Account(D(960), D(40), 1), Account(D(900), D(100), 2)
    assert trader.policy.judge(trader.score, one, offer, trader.now) == Refusal(
        "Tracking results...", state=TradingState.ACTIVE
    )
    several = Trader(a_config(amount=40, stopLoss=70, maxOpenPositions=3))
    assert several.policy.judge(several.score, one, offer, several.now) == Entry(D(30))
    full = several.policy.judge(several.score, two, offer, several.now)
    assert isinstance(full, Refusal)
    assert not full.final, "it may still be won"


def test_percent_limits_of_trades_that_do_not_tell_the_accounts_worth() -> None:
    """Stored before orders told it: then it is what the account is worth now, without what was made since."""
    made = a_score(total=D(-30), day=Day(date="2026-11-24", profit=D(-30), trades=3))
    for limit in ("stopLossPercent", "maxDrawdownPercent"):
        score = msgspec.structs.replace(made, peak=D(0))
        assert Trader(a_config(amount=90, limits={limit: 10}), "970", score).stake() == D(70)


def test_percent_limits_say_nothing_while_the_worth_of_the_account_is_not_known() -> None:
    trader = Trader(a_config(limits={"stopLossPercent": 5, "maxDrawdownPercent": 5}))
    obstacle = trader.policy.obstacle(a_score(), Account(None), trader.now)
    assert obstacle is not None
    assert not obstacle.final


LIMITS = [
    {"stopLoss": 100},
    {"limits": {"stopLossPercent": 10}},
    {"limits": {"maxDrawdown": 100}},
    {"limits": {"maxDrawdownPercent": 10}},
]


NAMES = ["stopLoss", "stopLossPercent", "maxDrawdown", "maxDrawdownPercent"]


@pytest.mark.parametrize("limit", LIMITS, ids=NAMES)
def test_what_several_open_positions_risk_together_counts_in_every_limit(limit: dict[str, Any]) -> None:
    trader = Trader(a_config(amount=80, maxOpenPositions=3, **limit))
    offer = Offer(76, 82)
    assert trader.policy.judge(trader.score, Account(D(960), D(40), 1), offer, trader.now) == Entry(D(60))
    full = trader.policy.judge(trader.score, Account(D(900), D(100), 2), offer, trader.now)
    assert full == Refusal("Waiting for the open positions: a loss would reach the limit...")


@pytest.mark.parametrize("limit", LIMITS, ids=NAMES)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(results=RESULTS, payout=st.integers(1, 100), amount=st.integers(1, 60))
def test_no_plan_and_no_results_pass_a_limit(
    kind: str, limit: dict[str, Any], results: list[TradeResult], payout: int, amount: int
) -> None:
    trader = Trader(a_config(**({"amount": amount} | KINDS[kind] | limit)), "1000")
    height = worth = Decimal(1000)
    for result in results:
        if not trader.play([result], payout):
            break
        worth = trader.balance
        height = max(height, worth)
        assert trader.score.day.profit >= -100 or "max" in str(limit)
        assert height - worth <= height * 10 / 100 or "stop" in str(limit) or height - worth <= 100
