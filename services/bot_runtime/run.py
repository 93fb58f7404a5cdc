"""One run of a bot: its orders, one at a time and in sequence, and its score. Pure; persisting is the caller's."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from libs.contracts.account import AccountType
from libs.contracts.ids import derived_id
from libs.contracts.orders import Order, OrderRecord, OrderState, TradeResult
from libs.contracts.score import Score
from services.bot_runtime.choice import Choice

_PROGRESS = {OrderState.INTENDED: 0, OrderState.SENDING: 1, OrderState.OPENED: 2}
_FINAL = 3


def order_id(run: str, sequence: int) -> str:
    """The id of a run's n-th order: whoever runs the bot next finds that order, and cannot decide it again."""
    return derived_id("order", run, sequence)


def fresh_pnl(user: str, run: str, account_type: AccountType, at: datetime) -> Score:
    """The score before the first order."""
    return Score(id=derived_id("pnl", run, 0), user=user, at=at, run=run, account_type=account_type, sequence=0)


def skip(pnl: Score, at: datetime) -> Score:
    """The score with one more order passed, of which nothing was won or lost."""
    sequence = pnl.sequence + 1
    return msgspec.structs.replace(
        pnl,
        id=derived_id("pnl", pnl.run, sequence),
        at=at,
        sequence=sequence,
        order_id=order_id(pnl.run, sequence),
        profit=Decimal(0),
    )


class Run:
    """`pnl` counts every settled order; `order` is the one after it, if it was decided."""

    def __init__(self, pnl: Score, order: OrderRecord | None = None) -> None:
        self.pnl = pnl
        self.order = order

    @property
    def next_order_id(self) -> str:
        return order_id(self.pnl.run, self.pnl.sequence + 1)

    def decide(self, choice: Choice, stake: Decimal, at: datetime, lifetime: float, min_payout: int = 0) -> Order:
        """The next order. It becomes `order` when its record was created (`learn`)."""
        if self.order is not None:
            raise RuntimeError(f"order {self.order.order.order_id} is not settled")
        return Order(
            order_id=self.next_order_id,
            user=self.pnl.user,
            run=self.pnl.run,
            sequence=self.pnl.sequence + 1,
            at=at,
            expires_at=at + timedelta(seconds=lifetime),
            account_type=self.pnl.account_type,
            active_id=choice.active.id,
            ticker=choice.active.ticker,
            direction=choice.signal.direction,
            stake=stake,
            duration=choice.duration,
            min_payout=min_payout,
            strategy=choice.signal.strategy,
            confidence=choice.signal.confidence,
            correlation_id=choice.signal.id,
        )

    def learn(self, record: OrderRecord) -> bool:
        """Take news about the order. False if there is nothing new: another order, or a state already passed, so that
        events may be repeated and come in any order."""
        if record.order.order_id != self.next_order_id:
            return False
        if self.order is not None and _progress(record) <= _progress(self.order):
            return False
        self.order = record
        return True

    def scored(self, at: datetime) -> Score:
        """The score with the settled order in it, to be made durable before `settle`."""
        if self.order is None or self.order.state not in (OrderState.CLOSED, OrderState.REJECTED):
            raise RuntimeError(f"order {self.next_order_id} is not settled")
        pnl = skip(self.pnl, at)
        return pnl if self.order.settlement is None else _add(pnl, self.order.settlement.profit)

    def settle(self, pnl: Score) -> None:
        """The score is durable: the next order may be decided."""
        self.pnl, self.order = pnl, None


def _progress(record: OrderRecord) -> int:
    return _PROGRESS.get(record.state, _FINAL)


def _add(pnl: Score, profit: Decimal) -> Score:
    result = TradeResult.of(profit)
    losses_in_a_row = {TradeResult.WIN: 0, TradeResult.TIE: pnl.losses_in_a_row}.get(result, pnl.losses_in_a_row + 1)
    return msgspec.structs.replace(
        pnl,
        profit=profit,
        total=pnl.total + profit,
        wins=pnl.wins + (result is TradeResult.WIN),
        losses=pnl.losses + (result is TradeResult.LOSS),
        ties=pnl.ties + (result is TradeResult.TIE),
        losses_in_a_row=losses_in_a_row,
    )
