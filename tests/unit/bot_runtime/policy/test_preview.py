"""What a configuration can cost: told before, and not exceeded after."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.money import Preview
from libs.contracts.orders import TradeResult
from libs.contracts.score import Day
from services.bot_runtime.policy import Account, Policy
from services.bot_runtime.policy.preview import MOST_TRADES, preview
from tests.messages import NOW, a_score
from tests.unit.bot_runtime.policy.builders import KINDS, RESULTS, D, Trader, a_config

L = TradeResult.LOSS


def previewed(balance: str = "1000", payout: int = 82, active_id: int = 0, **fields: Any) -> Preview:
    return preview(Policy(a_config(**fields)), a_score(), Account(D(balance)), payout, NOW, active_id)


def test_martingale_until_the_safety_stop() -> None:
    told = previewed(amount=10, leverageEnabled=True, maxMartingaleSteps=2, safetyStopEnabled=True, safetyStop=4)
    assert told == Preview(
        stakes=(D(10), D(20), D(40), D(40)), loss=D(110), ended_by="Safety Stop triggered (4 losses)",
        worst_loss=D(1000), bounded_by="balance",
    )  # fmt: skip


def test_a_stop_loss_bounds_the_day() -> None:
    told = previewed(amount=40, stopLoss=100)
    assert (told.stakes, told.loss) == ((D(40), D(40), D(20)), D(100))
    assert told.ended_by == "Stop Loss reached: R$ -100.00"
    assert (told.worst_loss, told.bounded_by) == (D(100), "stopLoss")


def test_trades_of_a_day_bound_it_too() -> None:
    told = previewed(amount=10, maxStake=15, limits={"maxTradesPerDay": 3, "maxTradesPerHour": 1})
    assert (told.stakes, told.ended_by) == ((D(10),) * 3, "3 trades today")
    assert (told.worst_loss, told.bounded_by) == (D(45), "maxTradesPerDay")


def test_masaniello_costs_its_capital() -> None:
    told = previewed(stakePlan={"kind": "masaniello", "capital": 50, "trades": 5, "wins": 4})
    assert (told.loss, len(told.stakes), told.worst_loss, told.bounded_by) == (D(50), 2, D(50), "stakePlan")
    assert told.ended_by.startswith("Masaniello row lost")


def test_nothing_but_the_balance_in_the_way() -> None:
    told = previewed("25", amount=10)
    assert (told.stakes, told.worst_loss) == ((D(10),) * 2, D(25))
    assert told.ended_by == "Waiting for funds: the balance is below the amount per trade..."
    forever = previewed("100000", amount=1)
    assert (len(forever.stakes), forever.ended_by) == (MOST_TRADES, "")


def test_what_the_day_has_lost_already_is_not_lost_again() -> None:
    policy = Policy(a_config(amount=40, stopLoss=100))
    today = a_score(day=Day(date="2026-11-24", profit=D(-70), trades=3, opening_balance=D(1000)))
    told = preview(policy, today, Account(D(930)), 82, NOW)
    assert (told.stakes, told.worst_loss) == ((D(30),), D(30))


def test_trades_of_today_are_not_there_to_be_lost_again() -> None:
    policy = Policy(a_config(amount=10, maxStake=15, limits={"maxTradesPerDay": 3}))
    told = preview(policy, a_score(day=Day(date="2026-11-24", trades=2)), Account(D(1000)), 82, NOW)
    assert (told.stakes, told.ended_by) == ((D(10),), "3 trades today")
    assert (told.worst_loss, told.bounded_by) == (D(15), "maxTradesPerDay")


def test_a_day_that_ends_in_a_moment_is_still_the_only_one() -> None:
    policy = Policy(a_config(amount=40, stopLoss=100, limits={"cooldownAfterLoss": 1}, timeZone="America/Sao_Paulo"))
    midnight = datetime.fromisoformat("2026-11-25T03:00:00Z")
    for before, stakes in ((timedelta(microseconds=1), 1), (timedelta(seconds=1), 1), (timedelta(seconds=2.5), 2)):
        told = preview(policy, a_score(), Account(D(1000)), 82, midnight - before)
        assert told.stakes == (D(40),) * stakes, before
        assert told.worst_loss == D(100)
    policy = Policy(a_config(amount=40, stopLoss=100, timeZone="America/Sao_Paulo"))
    assert preview(policy, a_score(), Account(D(1000)), 82, midnight - timedelta(microseconds=1)).loss == D(100)


def test_when_nothing_is_traded_before_tomorrow_it_is_tomorrow_that_is_told_of() -> None:
    window = {"opens": "09:00", "closes": "10:00"}
    policy = Policy(a_config(amount=40, stopLoss=100, limits={"tradingHours": [window]}))
    today = a_score(day=Day(date="2026-11-24", profit=D(-70), trades=3, opening_balance=D(1000)))
    told = preview(policy, today, Account(D(930)), 82, NOW)
    assert (told.loss, told.worst_loss) == (D(100), D(100))


def test_trading_hours_only_delay_it_and_locks_of_one_asset_matter_in_manual_mode() -> None:
    window = {"opens": "18:00", "closes": "19:00"}
    assert len(previewed(limits={"tradingHours": [window]}, amount=10, stopLoss=50).stakes) == 5
    manual = previewed(active_id=7, mode="manual", asset="T7", protections={"cooldownPeriod": {"stopDuration": 1440}})
    assert (len(manual.stakes), manual.ended_by) == (1, "this asset's cool-down")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(results=RESULTS, payout=st.integers(1, 100), amount=st.integers(1, 80), data=st.data())
def test_no_results_cost_more_than_the_worst_that_was_told(
    kind: str, results: list[TradeResult], payout: int, amount: int, data: st.DataObject
) -> None:
    limits = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "stopLossPercent": st.integers(1, 50),
                "maxDrawdown": st.integers(80, 500),
                "maxDrawdownPercent": st.integers(1, 50),
                "maxTradesPerDay": st.integers(1, 20),
            },
        )
    )
    stop = data.draw(st.none() | st.integers(80, 500))
    trader = Trader(a_config(**({"amount": amount, "stopLoss": stop, "limits": limits} | KINDS[kind])), "800")
    told = preview(trader.policy, trader.score, Account(trader.balance), payout, trader.now)
    worst = Decimal(0)
    for result in results:
        if not trader.play([result], payout) or trader.policy.calendar.day_of(trader.now) != "2026-11-24":
            break
        worst = max(worst, 800 - trader.balance)
    assert worst <= told.worst_loss
    assert told.loss <= told.worst_loss


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(amount=st.integers(1, 80), safety=st.integers(1, 10), payout=st.integers(40, 100))
def test_a_row_of_losses_costs_what_was_told(kind: str, amount: int, safety: int, payout: int) -> None:
    fields = {"amount": amount, "safetyStopEnabled": True, "safetyStop": safety} | KINDS[kind]
    trader = Trader(a_config(**fields), "5000")
    told = preview(trader.policy, trader.score, Account(trader.balance), payout, trader.now)
    assert tuple(trader.play([L] * MOST_TRADES, payout)) == told.stakes
    assert told.loss == 5000 - trader.balance


def test_stakes_that_the_broker_does_not_take_are_not_lost() -> None:
    account = Account(D(90), min_stake=D(2))
    told = preview(Policy(a_config(stakePlan={"kind": "percent", "percent": 1})), a_score(), account, 82, NOW)
    assert (told.stakes, told.ended_by) == ((), "Waiting: the stake is below the broker's minimum of 2...")
