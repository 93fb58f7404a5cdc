"""The ledger against the broker's books: what differs that should not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs.contracts.orders import TradeClosed, TradeOpened
from libs.contracts.rpc import BookedTrade
from libs.store.trades import KeptTrade, KeptTrades, row_of


class Fault(StrEnum):
    """Kinds of alerts."""

    MISSING = "ledger_row_missing"
    """Gone, and not by its owner."""
    ALTERED = "ledger_row_altered"
    UNKNOWN = "ledger_row_unknown"
    """Twice there, or nobody's order."""
    NOT_BOOKED = "position_not_in_books"
    """The broker has told of it, and does not list it."""


@dataclass(frozen=True, slots=True)
class Finding:
    fault: Fault
    order_id: str
    what: str
    """For people."""
    right: TradeOpened | TradeClosed | None = None
    """What its row must be; None if nobody but a human can tell."""


def compare(
    user: str, trades: Iterable[BookedTrade], kept: KeptTrades, since: datetime, until: datetime
) -> Iterator[Finding]:
    """`trades`: all the user's that were decided `since` then or a little earlier. What is newer than `until` may be on
    its way into the ledger."""
    rows = {row.order_id: row for row in kept.rows}
    known: set[str] = set()
    for trade in trades:
        order_id = trade.order.order_id
        known.add(order_id)
        if trade.updated_at > until:
            continue
        row, right = rows.get(order_id), _event(trade)
        if row is not None and (fields := sorted(_altered(row, right))):
            yield Finding(Fault.ALTERED, order_id, f"{', '.join(fields)} of {order_id}", right)
        elif row is None and order_id not in kept.forgotten:
            yield Finding(Fault.MISSING, order_id, order_id, right)
        if trade.missing:
            position = f"{trade.order.option} {trade.position.position_id}"
            yield Finding(Fault.NOT_BOOKED, order_id, f"{position} of {order_id}")
    for row in kept.rows:
        if row.order_id not in known and row.user_id == user and row.created_at <= until and row.data_abertura >= since:
            yield Finding(Fault.UNKNOWN, row.order_id, f"{row.type} {row.external_id}, row {row.id}")


def _event(trade: BookedTrade) -> TradeOpened | TradeClosed:
    order_id, at = trade.order.order_id, trade.updated_at
    if trade.settlement is None:
        return TradeOpened(id=f"{order_id}.opened", at=at, order=trade.order, position=trade.position)
    return TradeClosed(
        id=f"{order_id}.closed", at=at, order=trade.order, position=trade.position, settlement=trade.settlement
    )


_COMPARED = (
    "user_id", "external_id", "type", "account_type", "direction", "ativo_nome", "valor", "status", "resultado", "pnl",
)  # fmt: skip
"""What people are told, paid by and judged by."""


def _altered(row: KeptTrade, right: TradeOpened | TradeClosed) -> Iterator[str]:
    wanted = row_of(right)
    return (field for field in _COMPARED if getattr(row, field) != getattr(wanted, field))
