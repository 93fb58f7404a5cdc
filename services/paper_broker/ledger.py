"""Every change of a balance is an entry; a balance is never anything but the sum of its entries."""

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from services.paper_broker.money import from_units, to_units
from services.paper_broker.storage import Storage


class Reason(StrEnum):
    OPENING = "opening"
    STAKE = "stake"
    PAYOUT = "payout"
    REFUND = "refund"
    SALE = "sale"
    RESET = "reset"
    PNL = "pnl"
    """What a margin position won or lost."""
    COVER = "cover"
    """Makes up for what margin positions lost beyond the balance, once none is open."""
    HISTORY = "history"
    """Around past positions of the file of accounts: lends their stakes, then takes back what is more than before."""


class Entry(NamedTuple):
    balance_id: int
    at: int
    """Epoch milliseconds."""
    reason: Reason
    change: Decimal
    position_id: int | None
    """Option id."""


class InsufficientFunds(Exception):
    """A balance would become negative that is not for margin trading."""


class Ledger:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def post(self, balance_id: int, change: Decimal, reason: Reason, at: int, position_id: int | None = None) -> None:
        """Inside a transaction of the caller; `at` in epoch milliseconds. Raises InsufficientFunds."""
        units = to_units(change)
        row = self._storage.row("SELECT amount, is_marginal FROM balances WHERE id = ?", balance_id)
        if row is None:
            raise LookupError(f"no balance {balance_id}")
        if row["amount"] + units < 0 and not row["is_marginal"]:
            raise InsufficientFunds
        self._storage.change("UPDATE balances SET amount = amount + ? WHERE id = ?", units, balance_id)
        self._storage.change(
            "INSERT INTO ledger (balance_id, at, reason, change, position_id) VALUES (?, ?, ?, ?, ?)",
            *(balance_id, at, reason, units, position_id),
        )

    def has_deposits(self, balance_id: int) -> bool:
        """Whether it was opened with any money."""
        row = self._storage.row(
            "SELECT 1 FROM ledger WHERE balance_id = ? AND reason = ? AND change > 0", balance_id, Reason.OPENING
        )
        return row is not None

    def total(self, balance_id: int) -> Decimal:
        """Sum of all entries: what the balance must be."""
        row = self._storage.row("SELECT coalesce(sum(change), 0) AS total FROM ledger WHERE balance_id = ?", balance_id)
        return from_units(row["total"]) if row is not None else Decimal(0)

    def entries(self, balance_id: int) -> list[Entry]:
        """Oldest first."""
        rows = self._storage.rows("SELECT * FROM ledger WHERE balance_id = ? ORDER BY id", balance_id)
        return [
            Entry(row["balance_id"], row["at"], Reason(row["reason"]), from_units(row["change"]), row["position_id"])
            for row in rows
        ]
