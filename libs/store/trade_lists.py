"""Trades as administrators look for them: table `trade_history` with the addresses of its users."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.contracts.account import AccountType
from libs.contracts.orders import TradeResult
from libs.store.cursors import BadCursor, amount_in, read_cursor, time_in, write_cursor
from libs.store.database import Database
from libs.store.rows import read_rows
from libs.store.trade_sums import Sums


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What is None does not matter."""

    accounts: tuple[AccountType, ...]
    user: UUID | None = None
    asset: str | None = None
    """Ticker."""
    result: TradeResult | None = None
    strategy: str | None = None
    seconds: int | None = None
    """Duration of the option."""
    min_payout: int | None = None
    """Percent."""
    max_payout: int | None = None
    first: date | None = None
    """Day of UTC in which it was opened, at the earliest…"""
    last: date | None = None
    """…and at the latest."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    by: Literal["data_abertura", "pnl", "valor"] = "data_abertura"
    ascending: bool = False


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    user_id: UUID
    email: str
    account_type: AccountType
    ativo_nome: str
    direction: Literal["call", "put"]
    valor: Decimal
    pnl: Decimal
    """0 while it is open."""
    resultado: TradeResult | None
    data_abertura: datetime
    closed_at: datetime | None
    seconds_open: int
    """Or, while it is open, the option's duration."""


class FoundTrade(Trade, frozen=True, kw_only=True):
    sort_value: str


class DetailedTrade(Trade, frozen=True, kw_only=True):
    full_name: str
    bot_mode: str | None
    """Of the run that decided it, if that is known."""
    balance_before: Decimal | None
    balance_after: Decimal | None


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Behind which trade a page begins, in the list's order."""

    value: str
    id: int


class TradeLists:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, wanted: Filter, order: Order, limit: int, offset: int = 0, after: Position | None = None
    ) -> list[FoundTrade]:
        data = await self._database.call(
            "find_trades",
            **_arguments(wanted),
            sort_by=order.by,
            ascending=order.ascending,
            at_most=limit,
            skipped=offset,
            after_value=after.value if after is not None else None,
            after_id=after.id if after is not None else None,
        )
        return read_rows(data, FoundTrade)

    async def sum(self, wanted: Filter) -> Sums:
        return read_rows(await self._database.call("sum_trades", **_arguments(wanted)), Sums)[0]

    async def trade(self, id: int) -> DetailedTrade | None:
        data = await self._database.call("trade_details", trade_id=id)
        return next(iter(read_rows(data, DetailedTrade)), None)


def cursor_of(trade: FoundTrade) -> str:
    return write_cursor(Position(trade.sort_value, trade.id))


def position_of(cursor: str, order: Order) -> Position:
    """Raises BadCursor."""
    position = read_cursor(cursor, Position)
    if not 0 < position.id < 2**63:
        raise BadCursor(cursor)
    if order.by == "data_abertura":
        return Position(time_in(position.value), position.id)
    return Position(amount_in(position.value), position.id)


def _arguments(wanted: Filter) -> dict[str, Any]:
    return {
        "accounts": list(wanted.accounts),
        "of_user": str(wanted.user) if wanted.user is not None else None,
        "asset": wanted.asset,
        "result": wanted.result,
        "strategy": wanted.strategy,
        "seconds": wanted.seconds,
        "least_payout": wanted.min_payout,
        "most_payout": wanted.max_payout,
        "first_day": wanted.first.isoformat() if wanted.first is not None else None,
        "last_day": wanted.last.isoformat() if wanted.last is not None else None,
    }
