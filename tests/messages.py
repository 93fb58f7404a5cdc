"""Well-formed messages for tests; each call may change the fields that matter to it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from libs.contracts.account import AccountType
from libs.contracts.market import Active, Candle, Offering, TradingHours
from libs.contracts.orders import (
    Direction,
    OptionKind,
    Order,
    OrderRecord,
    Position,
    Settlement,
    TradeClosed,
    TradeOpened,
)
from libs.contracts.score import Score

USER = "01890a5d-ac96-774b-bcce-b302099a8057"
OTHER_USER = "01890a5d-ac96-774b-bcce-b302099a8058"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def a_candle(**changes: Any) -> Candle:
    candle = Candle(
        active_id=1, size=60, id=1, start=1_790_000_040, end=1_790_000_100,
        open=1.1, high=1.2, low=1.0, close=1.15, at=NOW,
    )  # fmt: skip
    return msgspec.structs.replace(candle, **changes)


def an_offering(**changes: Any) -> Offering:
    """Blitz options, always."""
    offering = Offering(
        kind=OptionKind.BLITZ, suspended=False, hours=(TradingHours(0, 2**33),), durations=(5, 10, 30, 60), payout=82
    )
    return msgspec.structs.replace(offering, **changes)


def an_active(id: int, ticker: str, name: str, category: str = "forex", **offering: Any) -> Active:
    """Blitz options are offered on it."""
    return Active(id=id, ticker=ticker, name=name, category=category, options=(an_offering(**offering),))


def a_score(**changes: Any) -> Score:
    pnl = Score(id="pnl-1", user=USER, at=NOW, run="run-1", account_type=AccountType.DEMO, sequence=0)
    return msgspec.structs.replace(pnl, **changes)


def an_order(**changes: Any) -> Order:
    order = Order(
        order_id="01890a5d-0000-774b-bcce-b302099a8057", user=USER, run="run-1", sequence=1, at=NOW,
        expires_at=NOW + timedelta(seconds=5), account_type=AccountType.DEMO, active_id=76, ticker="EURUSD-OTC",
        direction=Direction.CALL, stake=Decimal("10"), duration=10, strategy="aggressive", confidence=62,
        correlation_id="signal-1",
    )  # fmt: skip
    return msgspec.structs.replace(order, **changes)


def a_record(**changes: Any) -> OrderRecord:
    return msgspec.structs.replace(OrderRecord(order=an_order(), updated_at=NOW), **changes)


def a_position(**changes: Any) -> Position:
    position = Position(
        position_id=77120031, balance_id=900004, opened_at=NOW, expiry=NOW + timedelta(seconds=10),
        open_quote=1.08415, payout=82,
    )  # fmt: skip
    return msgspec.structs.replace(position, **changes)


def a_settlement(**changes: Any) -> Settlement:
    settlement = Settlement(closed_at=NOW + timedelta(seconds=10), close_quote=1.08421, profit=Decimal("8.20"))
    return msgspec.structs.replace(settlement, **changes)


def an_opening(**changes: Any) -> TradeOpened:
    order = changes.pop("order", an_order())
    opened = TradeOpened(id=f"{order.order_id}.opened", at=NOW, order=order, position=a_position())
    return msgspec.structs.replace(opened, **changes)


def a_closing(**changes: Any) -> TradeClosed:
    order = changes.pop("order", an_order())
    closed = TradeClosed(
        id=f"{order.order_id}.closed", at=NOW + timedelta(seconds=10), order=order,
        position=a_position(), settlement=a_settlement(),
    )  # fmt: skip
    return msgspec.structs.replace(closed, **changes)
