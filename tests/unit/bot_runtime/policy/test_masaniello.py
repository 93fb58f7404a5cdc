"""A row of trades with one target, whatever the order of its wins."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts.orders import TradeResult
from libs.contracts.score import PlanProgress
from services.bot_runtime.policy import Entry, Refusal
from services.bot_runtime.policy.masaniello import price
from tests.unit.bot_runtime.policy.builders import D, Trader, a_config

W, L = TradeResult.WIN, TradeResult.LOSS


def a_trader(capital: str, trades: int, wins: int) -> Trader:
    plan = {"kind": "masaniello", "capital": capital, "trades": trades, "wins": wins}
    return Trader(a_config(maxStake=10000, stakePlan=plan, protections={"assetHold": None}), "100000")


def test_the_prices_of_two_trades() -> None:
    """At a payout of 100 % a win is as likely as a loss."""
    assert [price(2, wins, 100) for wins in (0, 1, 2, 3)] == [D(1), D("0.75"), D("0.25"), D(0)]


def test_the_stakes_of_a_small_row() -> None:
    """One win of two at 100 %: a third of the capital, then what is left; the target is 4/3 of it."""
    trader = a_trader("90", 2, 1)
    assert trader.trade(L, payout=100) == D("30.00")
    assert trader.trade(W, payout=100) == D("60.00")
    assert trader.score.total == D("30.00")


def test_a_row_that_is_nearly_sure_stakes_a_cent() -> None:
    """Fifty trades of which one must win: the plan's own part of the capital is a millionth of a cent."""
    trader = a_trader("1", 50, 1)
    assert trader.stake(payout=100) == D("0.01")


@pytest.mark.parametrize(("lost", "stake"), [("99.985", "0.01"), ("99.99", "0.01"), ("98.505", "1.49")])
def test_the_last_cents_are_staked_whole_and_never_more_than_there_are(lost: str, stake: str) -> None:
    """Brokers that pay fractions of cents leave some."""
    trader = a_trader("100", 3, 3)
    trader.score = replace(trader.score, plan=PlanProgress(step=2, wins=2, profit=-D(lost)))
    assert trader.stake() == D(stake)


def test_less_than_a_cent_is_the_end_of_a_row() -> None:
    trader = a_trader("100", 9, 3)
    trader.score = replace(trader.score, plan=PlanProgress(step=2, wins=1, profit=D("-99.991")))
    verdict = trader.judge()
    assert isinstance(verdict, Refusal)
    assert verdict.final


@given(data=st.data(), payout=st.integers(50, 100))
def test_the_planned_wins_reach_the_target_in_any_order(data: st.DataObject, payout: int) -> None:
    trades = data.draw(st.integers(2, 20))
    wins = data.draw(st.integers(1, trades))
    results = data.draw(st.permutations([W] * wins + [L] * (trades - wins)))
    target = 100 / price(trades, wins, payout) - 100
    assume(target < 9000)  # above, the maximum stake is in the way
    trader = a_trader("100", trades, wins)
    rounding = D(0)
    for result in results:
        if isinstance(trader.judge(payout=payout), Refusal):
            break
        trader.trade(result, payout=payout)
        done = trader.score.plan
        # A cent more or less is worth as much at the end as what it can still buy of the target.
        rounding += D("0.02") / price(trades - done.step, wins - done.wins, payout)
    assert abs(trader.score.total - target) <= rounding
    verdict = trader.judge(payout=payout)
    assert isinstance(verdict, Refusal)
    assert verdict.final
    assert verdict.reason.startswith(f"Masaniello target reached ({wins} of ")


@given(data=st.data(), payout=st.integers(50, 100))
def test_one_win_too_few_costs_the_capital_and_not_more(data: st.DataObject, payout: int) -> None:
    trades = data.draw(st.integers(2, 20))
    wins = data.draw(st.integers(1, trades))
    results = data.draw(st.permutations([W] * (wins - 1) + [L] * (trades - wins + 1)))
    assume(100 / price(trades, wins, payout) < 9000)
    trader = a_trader("100", trades, wins)
    played: list[Decimal] = []
    for result in results:
        if not isinstance(trader.judge(payout=payout), Entry):
            break
        played.append(trader.trade(result, payout=payout))
        assert trader.score.total >= -100
    verdict = trader.judge(payout=payout)
    assert isinstance(verdict, Refusal)
    assert verdict.final
    assert verdict.reason.startswith("Masaniello row lost (")
    assert trader.score.total <= -100 + D("0.01") * trades * trades
