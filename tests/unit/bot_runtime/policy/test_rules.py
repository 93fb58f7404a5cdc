"""The rules that end a run or hold entries back."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from libs.contracts.bots import TradingState
from libs.contracts.orders import TradeResult
from libs.contracts.score import Day
from services.bot_runtime.policy import Account, Entry, Offer, Policy, Refusal, Situation
from tests.messages import NOW, a_score
from tests.unit.bot_runtime.policy.builders import D, Trader, a_config

W, L, T = TradeResult.WIN, TradeResult.LOSS, TradeResult.TIE
TODAY = "2026-11-24"
NO_FUNDS = "Waiting for funds: the balance is below the amount per trade..."


def final(reason: str) -> Refusal:
    return Refusal(reason, final=True)


def held(reason: str, minutes: float) -> Refusal:
    return Refusal(reason, NOW + timedelta(minutes=minutes))


def test_the_safety_stop_counts_losses_in_a_row() -> None:
    config = a_config(safetyStopEnabled=True, safetyStop=3)
    assert isinstance(Trader(config, score=a_score(losses_in_a_row=2)).judge(), Entry)
    assert Trader(config, score=a_score(losses_in_a_row=3)).judge() == final("Safety Stop triggered (3 losses)")
    assert isinstance(Trader(config, score=a_score(losses=30)).judge(), Entry)


@pytest.mark.parametrize(
    ("profit", "reason"),
    [("99.99", ""), ("100", "Daily Goal reached: R$ 100.00"), ("104.5", "Daily Goal reached: R$ 104.50"), ("-100", "")],
)
def test_the_daily_goal_is_of_the_day(profit: str, reason: str) -> None:
    config = a_config(dailyGoalEnabled=True, dailyGoal=100)
    score = a_score(total=D(500), day=Day(date=TODAY, profit=D(profit)))
    assert Trader(config, score=score).judge() == (final(reason) if reason else Entry(D(1)))


def test_tomorrow_the_goal_is_open_again() -> None:
    config = a_config(dailyGoalEnabled=True, dailyGoal=100, timeZone="America/Sao_Paulo")
    trader = Trader(config, score=a_score(day=Day(date=TODAY, profit=D(100))))
    trader.now = datetime.fromisoformat("2026-11-25T02:59:59Z")
    assert isinstance(trader.judge(), Refusal)
    trader.now = datetime.fromisoformat("2026-11-25T03:00:00Z")
    assert isinstance(trader.judge(), Entry)


def test_rules_that_are_not_enabled_do_not_apply() -> None:
    config = a_config(leverage=3, safetyStop=2, dailyGoal=50)
    score = a_score(losses_in_a_row=9, total=D(900), day=Day(date=TODAY, profit=D(900)))
    assert Trader(config, score=score).judge() == Entry(D(1))


def test_trades_of_an_hour() -> None:
    trader = Trader(a_config(limits={"maxTradesPerHour": 2}))
    assert len(trader.play([W, W])) == 2
    assert trader.judge() == Refusal("2 trades in this hour", NOW + timedelta(hours=1))
    trader.now = NOW + timedelta(hours=1)
    assert isinstance(trader.judge(), Entry)


def test_trades_of_an_hour_in_which_no_day_begins() -> None:
    """In Nepal hours begin at a quarter past those of UTC, and days with them."""
    config = a_config(limits={"maxTradesPerHour": 2}, timeZone="Asia/Kathmandu")
    midnight = datetime.fromisoformat("2026-11-24T18:15:00Z")
    trader = Trader(config)
    trader.now = midnight - timedelta(minutes=10)
    assert len(trader.play([W, W])) == 2
    assert trader.judge() == Refusal("2 trades in this hour", midnight)
    trader.now = midnight
    assert len(trader.play([W, W])) == 2
    assert trader.judge() == Refusal("2 trades in this hour", midnight + timedelta(hours=1))


def test_trades_of_a_day() -> None:
    trader = Trader(a_config(limits={"maxTradesPerDay": 2}, timeZone="America/Sao_Paulo"))
    assert len(trader.play([W, W])) == 2
    assert trader.judge() == Refusal("2 trades today", datetime.fromisoformat("2026-11-25T03:00:00Z"))


def test_open_positions_count_as_trades() -> None:
    account = Account(D(900), at_risk=D(2), open_positions=2)
    for limit in ("maxTradesPerHour", "maxTradesPerDay"):
        policy = Policy(a_config(limits={limit: 2}, maxOpenPositions=5))
        assert isinstance(policy.judge(a_score(), account, Offer(76, 82), NOW), Refusal)


def test_open_positions_are_limited() -> None:
    policy = Policy(a_config(maxOpenPositions=3))
    for count, verdict in ((2, Entry(D(1))), (3, Refusal("Tracking results...", state=TradingState.ACTIVE))):
        account = Account(D(900), at_risk=D(count), open_positions=count)
        assert policy.judge(a_score(), account, Offer(76, 82), NOW) == verdict


def test_outside_the_trading_hours_it_waits_for_them() -> None:
    window = {"days": ["tue", "wed"], "opens": "13:00", "closes": "14:00"}
    trader = Trader(a_config(limits={"tradingHours": [window]}))
    assert trader.judge() == held("outside the trading hours", 60)
    trader.now = NOW + timedelta(hours=1)
    assert isinstance(trader.judge(), Entry)


def test_a_low_payout_is_refused_for_that_offer_only() -> None:
    trader = Trader(a_config(minPayout=80))
    assert isinstance(trader.judge(payout=80), Entry)
    refused = trader.judge(payout=79)
    assert refused == Refusal("Waiting for a payout of 80%: it is 79%...", state=TradingState.ACTIVE)
    assert trader.policy.obstacle(trader.score, Account(D(1000)), NOW) is None


def test_without_a_balance_there_are_no_funds() -> None:
    policy = Policy(a_config())
    assert isinstance(policy.judge(a_score(), Account(None), Offer(76, 82), NOW), Refusal)


def test_what_ends_the_run_is_told_before_what_only_holds() -> None:
    trader = Trader(a_config(safetyStopEnabled=True, safetyStop=1, limits={"cooldownAfterLoss": 60}))
    trader.trade(L)
    assert trader.judge() == final("Safety Stop triggered (1 losses)")


MIN_STAKE = D(20)
BELOW = "Waiting: the stake is below the broker's minimum of 20..."


@pytest.mark.parametrize(
    ("config", "balance", "verdict"),
    [
        ({"amount": 19.99}, 1000, Refusal(BELOW)),
        ({"amount": 20}, 1000, Entry(D(20))),
        ({"amount": 20, "maxStake": 19}, 1000, Refusal(BELOW)),
        ({"stakePlan": {"kind": "percent", "percent": 2}}, 1000, Entry(D(20))),
        ({"stakePlan": {"kind": "percent", "percent": 2}}, 999, Refusal(BELOW)),
        ({"stakePlan": {"kind": "percent", "percent": 50}}, 19, Refusal(NO_FUNDS)),
        ({"amount": 30, "stopLoss": 30}, 1000, Entry(D(30))),
    ],
)
def test_nothing_is_staked_that_the_broker_does_not_take(config: dict[str, Any], balance: int, verdict: object) -> None:
    policy = Policy(a_config(**config))
    assert policy.judge(a_score(), Account(D(balance), min_stake=MIN_STAKE), Offer(76, 82), NOW) == verdict


def test_that_the_broker_does_not_take_it_is_told_without_any_offer() -> None:
    account = Account(D(1000), min_stake=MIN_STAKE)
    assert Policy(a_config(amount=19)).obstacle(a_score(), account, NOW) == Refusal(BELOW)
    assert Policy(a_config(amount=20)).obstacle(a_score(), account, NOW) is None


def test_a_loss_limit_of_which_less_is_left_than_the_broker_takes_is_reached() -> None:
    policy, account = Policy(a_config(amount=30, stopLoss=45)), Account(D(1000), min_stake=MIN_STAKE)
    lost = a_score(day=Day(date=TODAY, profit=D(-30)))
    verdict = policy.judge(lost, account, Offer(76, 82), NOW)
    assert isinstance(verdict, Refusal)
    assert (verdict.final, verdict.reason) == (True, "Stop Loss reached: R$ -30.00")


class Maintenance:
    def refuses(self, situation: Situation) -> Refusal | None:
        return Refusal("maintenance")

    def caps(self, situation: Situation) -> Iterable[Decimal]:
        return ()

    def bounds(self, situation: Situation) -> Iterable[tuple[Decimal, str]]:
        return ()


def test_the_platforms_rules_are_asked_first() -> None:
    policy = Policy(a_config(dailyGoalEnabled=True), Maintenance())
    reached = a_score(day=Day(date=TODAY, profit=Decimal(900)))
    assert policy.judge(reached, Account(D(900)), Offer(76, 82), NOW) == Refusal("maintenance")
