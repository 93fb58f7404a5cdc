"""Table `trade_history`: one row per order that the broker booked."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from libs.contracts.orders import Order, Position, Settlement, TradeClosed, TradeOpened
from libs.store.database import Database
from libs.store.rows import read_rows

BATCH = 4000
"""Rows in one request."""

_CENT = Decimal("0.01")


PreparedRow = dict[str, Any]
"""As it is sent to the database."""


class _Row(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Money is a string, which the database reads as exactly that number."""

    order_id: str
    user_id: str
    external_id: int
    type: str
    account_type: str
    active_id: int
    ativo_nome: str
    direction: str
    valor: Decimal
    profit_esperado: Decimal
    payout: int
    expiration_seconds: int
    strategy_id: str
    confidence: int
    status: str
    data_abertura: datetime
    data_expiracao: datetime
    open_quote: float
    balance_id: int
    session_id: str
    sequence: int
    correlation_id: str
    decided_at: datetime
    acknowledged_at: datetime | None = None
    decided_quote: float | None = None
    resultado: str | None = None
    pnl: Decimal | None = None
    data_fechamento: datetime | None = None
    close_quote: float | None = None


class RecordedTrade(msgspec.Struct, frozen=True):
    order_id: str
    id: int
    """`trade_history.id`."""
    status: str


class KeptTrade(msgspec.Struct, frozen=True):
    """What the table says of a trade."""

    id: int
    order_id: str
    user_id: str
    external_id: int | None
    type: str
    account_type: str
    direction: str
    ativo_nome: str
    valor: Decimal
    status: str
    resultado: str | None
    pnl: Decimal | None
    data_abertura: datetime
    created_at: datetime


class KeptTrades(msgspec.Struct, frozen=True):
    rows: tuple[KeptTrade, ...]
    forgotten: frozenset[str]
    """Orders whose rows their owner has deleted."""


class Trades:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, trades: Iterable[TradeOpened | TradeClosed]) -> dict[str, RecordedTrade]:
        """Write them, at most `BATCH` orders; by order id, what is in the table afterwards.

        A closing wins over the opening of the same order, whichever comes first; a settled row is never written again.
        """
        return await self.write(prepared(trades))

    async def write(self, rows: list[PreparedRow]) -> dict[str, RecordedTrade]:
        """As `record`."""
        if not rows:
            return {}
        data = await self._database.call("record_trades", rows=rows)
        return {recorded.order_id: recorded for recorded in read_rows(data, RecordedTrade)}

    async def kept(self, user: str, orders: Iterable[str], since: datetime) -> KeptTrades:
        """The rows of these orders, and all rows of the user's trades that were opened since then."""
        data = await self._database.call("kept_trades", account=user, orders=list(orders), since=since.isoformat())
        told = msgspec.convert(data, dict[str, list[Any]])
        return KeptTrades(tuple(read_rows(told["rows"], KeptTrade)), frozenset(told["forgotten"]))

    async def repair(self, trades: Iterable[TradeOpened | TradeClosed]) -> None:
        """Make their rows what is told here, whatever they are; not those that their owner has deleted."""
        rows = [msgspec.to_builtins(row_of(trade)) for trade in trades]
        for first in range(0, len(rows), BATCH):
            await self._database.call("repair_trades", rows=rows[first : first + BATCH])


def prepared(trades: Iterable[TradeOpened | TradeClosed]) -> list[PreparedRow]:
    """One of each order."""
    rows: dict[str, _Row] = {}
    acknowledged: dict[str, datetime] = {}
    for trade in trades:
        if isinstance(trade, TradeClosed):
            rows[trade.order.order_id] = row_of(trade)
        else:
            acknowledged[trade.order.order_id] = trade.at
            rows.setdefault(trade.order.order_id, row_of(trade))
    for order_id, at in acknowledged.items():
        rows[order_id].acknowledged_at = at
    return [msgspec.to_builtins(row) for row in rows.values()]


def row_of(trade: TradeOpened | TradeClosed) -> _Row:
    settlement = trade.settlement if isinstance(trade, TradeClosed) else None
    return _row(trade.order, trade.position, settlement)


def _row(order: Order, position: Position, settlement: Settlement | None) -> _Row:
    row = _Row(
        order_id=order.order_id,
        user_id=order.user,
        external_id=position.position_id,
        type=f"{order.option}-option",
        account_type=order.account_type,
        active_id=order.active_id,
        ativo_nome=order.ticker,
        direction=order.direction,
        valor=order.stake,
        profit_esperado=(order.stake * position.payout / 100).quantize(_CENT),
        payout=position.payout,
        expiration_seconds=order.duration,
        strategy_id=order.strategy,
        confidence=order.confidence,
        status="open",
        data_abertura=position.opened_at,
        data_expiracao=position.expiry,
        open_quote=position.open_quote,
        balance_id=position.balance_id,
        session_id=order.run,
        sequence=order.sequence,
        correlation_id=order.correlation_id,
        decided_at=order.at,
        decided_quote=order.quote,
    )
    if settlement is not None:
        row.status, row.resultado, row.pnl = "closed", settlement.result, settlement.profit
        row.data_fechamento, row.close_quote = settlement.closed_at, settlement.close_quote
    return row
