"""Locks: on one asset or on all, after what happened, for a while."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from libs.contracts.bots import TradingState
from libs.contracts.orders import TradeResult
from services.bot_runtime.policy import Account, Entry, Refusal
from services.bot_runtime.policy.protections import MOST
from tests.messages import NOW
from tests.unit.bot_runtime.policy.builders import D, Trader, a_config

W, L, T = TradeResult.WIN, TradeResult.LOSS, TradeResult.TIE
A, B = 1, 2


def a_trader(**protections: Any) -> Trader:
    return Trader(a_config(amount=10, protections={"assetHold": None} | protections))


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def locked(trader: Trader, active_id: int) -> bool:
    return isinstance(trader.judge(active_id), Refusal)


def test_two_losses_hold_an_asset_for_five_minutes() -> None:
    trader = Trader(a_config())
    trader.trade(L, A)
    assert not locked(trader, A)
    trader.trade(L, A)
    assert trader.judge(A) == Refusal("losses on this asset", after(20 + 300), TradingState.ACTIVE)
    assert not locked(trader, B)
    assert trader.policy.obstacle(trader.score, Account(D(900)), trader.now) is None
    trader.now = after(20 + 300)
    assert not locked(trader, A)


@pytest.mark.parametrize(("hold", "rest"), [(60, 5), (5, 60)])
def test_of_two_locks_the_longer_holds(hold: int, rest: int) -> None:
    trader = a_trader(assetHold={"losses": 1, "minutes": hold}, cooldownPeriod={"stopDuration": rest})
    trader.trade(L, A)
    trader.now = after(10 + 3600 - 1)
    assert locked(trader, A)
    trader.now = after(10 + 3600)
    assert not locked(trader, A)


def test_after_a_hold_the_losses_count_anew() -> None:
    trader = Trader(a_config())
    trader.trade(L, A), trader.trade(L, A)
    trader.now = after(1000)
    trader.trade(L, A)
    assert not locked(trader, A)
    trader.trade(L, A)
    assert locked(trader, A)


def test_a_win_on_the_asset_forgets_its_losses_and_a_tie_keeps_them() -> None:
    trader = Trader(a_config())
    for active_id, result in ((A, L), (B, W), (A, T), (A, L)):
        trader.trade(result, active_id)
    assert locked(trader, A)
    other = Trader(a_config())
    for result in (L, W, L):
        other.trade(result, A)
    assert not locked(other, A)


def test_manual_mode_has_no_hold() -> None:
    trader = Trader(a_config(mode="manual", asset="T1-OTC"))
    trader.trade(L, A), trader.trade(L, A)
    assert not locked(trader, A)
    assert trader.score.losses_on == {}


def test_the_stoploss_guard_locks_everything() -> None:
    trader = a_trader(stoplossGuard={"lookback": 10, "tradeLimit": 3, "stopDuration": 15})
    for result, active_id in ((L, A), (W, A), (L, B), (T, A), (L, A)):
        assert not locked(trader, A)
        trader.trade(result, active_id)
    assert trader.judge(B) == Refusal("too many losses", after(50 + 900))
    trader.now = after(50 + 900)
    assert not locked(trader, B)


def test_the_stoploss_guard_forgets_what_is_older_than_its_lookback() -> None:
    trader = a_trader(stoplossGuard={"lookback": 10, "tradeLimit": 2, "stopDuration": 15})
    trader.trade(L)
    trader.now = after(10 + 600 - 10)
    trader.trade(L)
    assert not locked(trader, A)
    assert len(trader.score.recent) == 1


def test_the_stoploss_guard_of_one_asset() -> None:
    trader = a_trader(stoplossGuard={"tradeLimit": 2, "perAsset": True})
    trader.trade(L, A), trader.trade(L, B)
    assert not locked(trader, A)
    trader.trade(L, A)
    assert locked(trader, A)
    assert not locked(trader, B)


def test_the_drawdown_guard_looks_at_the_deepest_fall() -> None:
    """From 1,016.40 to 996.40 is 1.97 %; the win after it changes nothing."""
    for percent, expected in (("1.9", True), ("2", False)):
        trader = a_trader(maxDrawdown={"maxDrawdown": percent, "tradeLimit": 2})
        for result in (W, W, L, L):
            trader.trade(result)
        assert locked(trader, A) is expected


def test_just_the_allowed_drawdown_is_allowed() -> None:
    trader = a_trader(maxDrawdown={"maxDrawdown": 1})
    trader.trade(L)
    assert not locked(trader, A)
    trader.trade(L)
    assert locked(trader, A)


def test_every_protection_has_its_own_lookback() -> None:
    trader = a_trader(
        stoplossGuard={"lookback": 10, "tradeLimit": 2}, lowProfitPairs={"lookback": 600, "requiredProfit": -100}
    )
    trader.trade(L)
    trader.now = after(10 + 601)
    trader.trade(L)
    assert not locked(trader, A)
    assert len(trader.score.recent) == 2


def test_the_drawdown_guard_waits_for_enough_trades() -> None:
    trader = a_trader(maxDrawdown={"maxDrawdown": "0.5", "tradeLimit": 3})
    trader.trade(L), trader.trade(L)
    assert not locked(trader, A)
    trader.trade(T)
    assert locked(trader, A)


def test_an_asset_with_a_low_profit_is_locked() -> None:
    trader = a_trader(lowProfitPairs={"tradeLimit": 2, "requiredProfit": -5, "stopDuration": 30})
    trader.trade(L, A), trader.trade(W, B)
    assert not locked(trader, A)
    trader.trade(W, A)  # -1.80 of 20 staked
    assert trader.judge(A) == Refusal("this asset's recent profit", after(30 + 1800), TradingState.ACTIVE)
    assert not locked(trader, B)


def test_an_asset_with_just_the_required_profit_is_not_locked() -> None:
    trader = a_trader(lowProfitPairs={"tradeLimit": 2, "requiredProfit": -9})
    trader.trade(L, A), trader.trade(W, A)
    assert not locked(trader, A)


def test_an_asset_rests_after_each_trade() -> None:
    trader = a_trader(cooldownPeriod={"stopDuration": 2})
    trader.trade(W, A)
    assert trader.judge(A) == Refusal("this asset's cool-down", after(10 + 120), TradingState.ACTIVE)
    assert not locked(trader, B)


@pytest.mark.parametrize(("result", "seconds"), [(W, 20), (T, 20), (L, 90)])
def test_cool_downs_of_everything(result: TradeResult, seconds: int) -> None:
    trader = Trader(a_config(limits={"cooldownAfterTrade": 20, "cooldownAfterLoss": 90}))
    trader.trade(result, A)
    word = "a loss" if result is L else "a trade"
    assert trader.judge(B) == Refusal(f"cool-down after {word}", after(10 + seconds))
    trader.now = after(10 + seconds)
    assert isinstance(trader.judge(B), Entry)


def test_nothing_is_remembered_that_no_protection_asks_for() -> None:
    trader = Trader(a_config())
    trader.play([W, L, T])
    assert trader.score.recent == ()


def test_what_is_remembered_is_bounded() -> None:
    trader = a_trader(stoplossGuard={"lookback": 1440, "tradeLimit": 50})
    trader.play([W] * (MOST + 20))
    assert len(trader.score.recent) == MOST
    assert len({lock.active_id for lock in trader.score.locks}) == len(trader.score.locks)


def test_locks_that_lapsed_are_forgotten() -> None:
    trader = a_trader(cooldownPeriod={"stopDuration": 1})
    for active_id in range(1, 51):
        trader.trade(W, active_id)
    assert len(trader.score.locks) == 6


def test_of_all_locks_the_last_to_lapse_is_told() -> None:
    trader = Trader(
        a_config(protections={"cooldownPeriod": {"stopDuration": 5}}, limits={"cooldownAfterTrade": 60}), "1000"
    )  # fmt: skip
    trader.trade(W, A)
    refused = trader.judge(A)
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.until) == ("this asset's cool-down", after(10 + 300))
