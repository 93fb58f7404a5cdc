"""Users and their balances. A user exists from the first session on: any number is one."""

from decimal import Decimal
from enum import IntEnum
from sqlite3 import Row
from typing import NamedTuple

from libs.contracts.clock import Clock
from services.paper_broker.epoch import milliseconds
from services.paper_broker.ledger import Ledger, Reason
from services.paper_broker.money import from_units
from services.paper_broker.storage import Storage


class BalanceType(IntEnum):
    REAL = 1
    DEMO = 4


class Balance(NamedTuple):
    id: int
    user_id: int
    type: BalanceType
    amount: Decimal
    """Major units."""
    currency: str


class Opening(NamedTuple):
    """What a new user finds."""

    currency: str
    demo: Decimal
    real: Decimal


class Accounts:
    def __init__(self, storage: Storage, ledger: Ledger, opening: Opening, clock: Clock) -> None:
        self._storage = storage
        self._ledger = ledger
        self._opening = opening
        self._clock = clock

    def ensure(self, user_id: int) -> None:
        """The user with one real and one demo balance; nothing changes for a user who exists."""
        if self.exists(user_id):
            return
        now = milliseconds(self._clock)
        with self._storage.transaction():
            self._storage.change("INSERT INTO users (id, created_at) VALUES (?, ?)", user_id, now)
            self._open(user_id, BalanceType.REAL, self._opening.real, now)
            self._open(user_id, BalanceType.DEMO, self._opening.demo, now)

    def exists(self, user_id: int) -> bool:
        return self._storage.row("SELECT 1 FROM users WHERE id = ?", user_id) is not None

    def balances(self, user_id: int) -> list[Balance]:
        rows = self._storage.rows("SELECT * FROM balances WHERE user_id = ? ORDER BY id", user_id)
        return [_balance(row) for row in rows]

    def balance(self, user_id: int, balance_id: int) -> Balance | None:
        """Only if it is that user's."""
        row = self._storage.row("SELECT * FROM balances WHERE id = ? AND user_id = ?", balance_id, user_id)
        return None if row is None else _balance(row)

    def reset(self, balance: Balance, amount: Decimal) -> None:
        """Set a demo balance to an amount."""
        with self._storage.transaction():
            change = amount - balance.amount
            self._ledger.post(balance.id, change, Reason.RESET, milliseconds(self._clock))

    def _open(self, user_id: int, type_: BalanceType, amount: Decimal, now: int) -> None:
        balance_id = self._storage.change(
            "INSERT INTO balances (user_id, type, currency, amount) VALUES (?, ?, ?, 0)",
            *(user_id, type_, self._opening.currency),
        )
        self._ledger.post(balance_id, amount, Reason.OPENING, now)


def _balance(row: Row) -> Balance:
    return Balance(row["id"], row["user_id"], BalanceType(row["type"]), from_units(row["amount"]), row["currency"])
