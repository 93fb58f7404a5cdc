"""A settled trade, as far as money rules look at it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from libs.contracts.account import AccountType
from libs.contracts.orders import Order, TradeResult


@dataclass(frozen=True, slots=True)
class Trade:
    run: str
    sequence: int
    order_id: str
    account_type: AccountType
    active_id: int
    decided: datetime
    ended: datetime
    """When its result was recorded, by our clock."""
    stake: Decimal
    profit: Decimal
    worth: Decimal | None = None
    """Of the account when it was decided."""

    @classmethod
    def of(cls, order: Order, profit: Decimal, ended: datetime) -> "Trade":
        return cls(
            run=order.run,
            sequence=order.sequence,
            order_id=order.order_id,
            account_type=order.account_type,
            active_id=order.active_id,
            decided=order.at,
            ended=ended,
            stake=order.stake,
            profit=profit,
            worth=order.worth,
        )

    @property
    def result(self) -> TradeResult:
        return TradeResult.of(self.profit)
