"""Orders of the kinds that have numbers of their own: digital options and margin trading (quadcode-protocol §15)."""

from enum import StrEnum
from sqlite3 import Row

import msgspec

from services.paper_broker.positions import InstrumentType
from services.paper_broker.storage import Storage


class OrderKind(StrEnum):
    INSTANT = "instant"
    DEFERRED = "deferred"
    """Waits for its price."""


class OrderStatus(StrEnum):
    NEW = "new"
    """The only one that is not final."""
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    id: int = 0
    """From the same row of numbers as positions; 0 until it is stored."""
    user_id: int
    balance_id: int
    instrument_type: InstrumentType
    kind: OrderKind
    status: OrderStatus
    position_id: str | None = None
    """Internal id of the position it opened."""


class Orders:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def insert(self, order: Order) -> Order:
        """With its number; inside a transaction."""
        order = msgspec.structs.replace(order, id=self._storage.next_id())
        self._storage.change(
            "INSERT INTO orders (id, user_id, balance_id, instrument_type, kind, status, position_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(order.id, order.user_id, order.balance_id, order.instrument_type, order.kind, order.status),
            order.position_id,
        )
        return order

    def finish(self, order: Order, status: OrderStatus, position_id: str | None = None) -> Order:
        """A live order that was filled, canceled or rejected; inside a transaction."""
        self._storage.change(
            "UPDATE orders SET status = ?, position_id = ? WHERE id = ?", status, position_id, order.id
        )
        return msgspec.structs.replace(order, status=status, position_id=position_id)

    def find(self, user_id: int, order_id: int) -> Order | None:
        """Live or finished, only if it is that user's."""
        row = self._storage.row("SELECT * FROM orders WHERE id = ? AND user_id = ?", order_id, user_id)
        return None if row is None else stored_order(row)

    def live(self, user_id: int, balance_id: int, kind: str = OrderKind.DEFERRED) -> list[Order]:
        """Oldest first."""
        rows = self._storage.rows(
            "SELECT * FROM orders WHERE user_id = ? AND status = 'new' AND balance_id = ? AND kind = ? ORDER BY id",
            *(user_id, balance_id, kind),
        )
        return [stored_order(row) for row in rows]


def stored_order(row: Row) -> Order:
    return Order(
        id=row["id"],
        user_id=row["user_id"],
        balance_id=row["balance_id"],
        instrument_type=InstrumentType(row["instrument_type"]),
        kind=OrderKind(row["kind"]),
        status=OrderStatus(row["status"]),
        position_id=row["position_id"],
    )
