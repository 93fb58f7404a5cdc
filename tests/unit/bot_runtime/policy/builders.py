"""Trades, and a bot that trades as its policy says, for tests."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st

from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig
from libs.contracts.orders import TradeResult
from libs.contracts.score import Score
from services.bot_runtime.policy import Account, Entry, Offer, Policy, Refusal, Trade
from tests.messages import NOW, a_score

D = Decimal
PAYOUT = 82
RESULTS = st.lists(st.sampled_from(list(TradeResult)), max_size=60)


def a_config(**fields: Any) -> BotConfig:
    """As a client would send it: by public names."""
    return msgspec.convert(fields, BotConfig)


def a_trade(profit: str | Decimal = "-10", **changes: Any) -> Trade:
    fields: dict[str, Any] = {
        "run": "run-1", "sequence": 1, "order_id": "order-1", "account_type": AccountType.DEMO, "active_id": 76,
        "decided": NOW, "ended": NOW, "stake": D(10), "profit": D(profit), "worth": D(1000),
    }  # fmt: skip
    return Trade(**(fields | changes))


class Trader:
    """Trades one option after the other, each `apart` from the next, with made-up results."""

    def __init__(self, config: BotConfig, balance: str = "1000", score: Score | None = None) -> None:
        self.policy = Policy(config)
        self.score = score or a_score()
        self.balance = D(balance)
        self.now = NOW
        self.trades: list[Trade] = []

    def judge(self, active_id: int = 76, payout: int = PAYOUT) -> Entry | Refusal:
        return self.policy.judge(self.score, Account(self.balance), Offer(active_id, payout), self.now)

    def stake(self, active_id: int = 76, payout: int = PAYOUT) -> Decimal:
        verdict = self.judge(active_id, payout)
        assert isinstance(verdict, Entry), verdict
        return verdict.stake

    def trade(self, result: TradeResult | str, active_id: int = 76, payout: int = PAYOUT, lasts: float = 10) -> Decimal:
        """What was staked."""
        stake = self.stake(active_id, payout)
        self.settle(stake, TradeResult(result), active_id, payout, lasts)
        return stake

    def settle(
        self, stake: Decimal, result: TradeResult, active_id: int = 76, payout: int = PAYOUT, lasts: float = 10
    ) -> None:
        profit = {TradeResult.WIN: stake * payout / 100, TradeResult.LOSS: -stake, TradeResult.TIE: D(0)}[result]
        ended = self.now + timedelta(seconds=lasts)
        sequence = self.score.sequence + 1
        trade = a_trade(
            profit, sequence=sequence, order_id=f"order-{sequence}", active_id=active_id, decided=self.now, ended=ended,
            stake=stake, worth=self.balance,
        )  # fmt: skip
        self.trades.append(trade)
        self.score = self.policy.after(self.score, trade, ended)
        self.balance += profit
        self.now = ended

    def play(self, results: Iterable[TradeResult], payout: int = PAYOUT) -> list[Decimal]:
        """As long as it may; waits where that helps. The stakes."""
        stakes = []
        for number, result in enumerate(results, 1):
            verdict = self.judge(number, payout)
            while isinstance(verdict, Refusal) and verdict.until is not None:
                self.now = verdict.until
                verdict = self.judge(number, payout)
            if isinstance(verdict, Refusal):
                break
            self.settle(verdict.stake, result, number, payout)
            stakes.append(verdict.stake)
        return stakes


def wait(trader: Trader, until: datetime) -> None:
    trader.now = until


KINDS: dict[str, dict[str, Any]] = {
    "fixed": {},
    "percent": {"stakePlan": {"kind": "percent", "percent": 2}},
    "kelly": {"stakePlan": {"kind": "kelly", "winRate": 60, "maxPercent": 5}},
    "martingale": {"leverageEnabled": True, "leverage": "2.5", "maxMartingaleSteps": 6},
    "soros": {"stakePlan": {"kind": "soros", "levels": 3}},
    "dalembert": {"stakePlan": {"kind": "dalembert", "maxUnits": 10}},
    "oscars-grind": {"stakePlan": {"kind": "oscars-grind", "maxUnits": 10}},
    "masaniello": {"stakePlan": {"kind": "masaniello", "capital": 200, "trades": 10, "wins": 6}},
}
"""A configuration of every stake plan."""
