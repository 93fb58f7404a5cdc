"""Users and their balances. A user exists from the first session on: any number is one."""

from collections.abc import Sequence
from decimal import Decimal
from enum import IntEnum
from sqlite3 import IntegrityError, Row
from typing import NamedTuple

from libs.contracts.clock import Clock
from services.paper_broker.epoch import milliseconds
from services.paper_broker.ledger import Ledger, Reason
from services.paper_broker.money import from_units
from services.paper_broker.storage import Storage

EMAIL = r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\Z"
"""What an e-mail address looks like; only a mail can tell more."""
FIRST_USER = 1_000_001
"""Users who sign up are numbered from here on."""
_LAST_USER = 2**31
"""Larger numbers exist only because somebody named them."""


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
    is_marginal: bool = False
    """For margin trading; options are bought on the others."""
    watched: bool = False
    """Its margin numbers are told to its user's connections (`marginal-portfolio.subscribe-balance-changed`)."""


class Opening(NamedTuple):
    """A balance at its beginning."""

    type: BalanceType
    currency: str
    amount: Decimal
    is_marginal: bool = False


class Person(NamedTuple):
    """Whom a profile shows."""

    email: str
    first_name: str
    last_name: str


class EmailTaken(Exception):
    """Another user has that e-mail address."""

    def __init__(self, user_id: int) -> None:
        super().__init__(f"belongs to user {user_id} already")


class Accounts:
    def __init__(self, storage: Storage, ledger: Ledger, openings: Sequence[Opening], clock: Clock) -> None:
        """`openings`: what a new user finds."""
        self._storage = storage
        self._ledger = ledger
        self._openings = openings
        self._clock = clock

    def ensure(self, user_id: int) -> None:
        """The user with the balances of a new one; nothing changes for a user who exists."""
        if self.exists(user_id):
            return
        with self._storage.transaction():
            self.add(user_id)

    def add(self, user_id: int, openings: Sequence[Opening] = ()) -> None:
        """A new user, with those balances or the usual ones; inside a transaction."""
        self._storage.change("INSERT INTO users (id, created_at) VALUES (?, ?)", user_id, milliseconds(self._clock))
        for opening in openings or self._openings:
            self.open(user_id, opening)

    def open(self, user_id: int, opening: Opening) -> None:
        """One more balance, unless the user has one of that type, currency and margin flag; inside a transaction."""
        key = (user_id, opening.type, opening.currency, opening.is_marginal)
        if self._storage.row(
            "SELECT 1 FROM balances WHERE user_id = ? AND type = ? AND currency = ? AND is_marginal = ?", *key
        ):
            return
        balance_id = self._storage.change(
            "INSERT INTO balances (user_id, type, currency, is_marginal, amount) VALUES (?, ?, ?, ?, 0)", *key
        )
        self._ledger.post(balance_id, opening.amount, Reason.OPENING, milliseconds(self._clock))

    def exists(self, user_id: int) -> bool:
        return self._storage.row("SELECT 1 FROM users WHERE id = ?", user_id) is not None

    def sign_up(self, person: Person, password: bytes) -> int:
        """The id of a new user; `password` as a digest (passwords.py). Raises EmailTaken."""
        with self._storage.transaction():
            row = self._storage.row("SELECT max(id) AS last FROM users WHERE id < ?", _LAST_USER)
            user_id = max(FIRST_USER, (row["last"] or 0) + 1 if row is not None else 0)
            self.add(user_id)
            self.describe(user_id, person)
            self.change_password(user_id, password)
        return user_id

    def describe(self, user_id: int, person: Person) -> None:
        """Inside a transaction. Raises EmailTaken."""
        try:
            self._storage.change(
                "UPDATE users SET email = ?, first_name = ?, last_name = ? WHERE id = ?", *person, user_id
            )
        except IntegrityError:
            other = self.identified(person.email)
            raise EmailTaken(other[0] if other else user_id) from None

    def forget_address(self, user_id: int) -> None:
        """It is free for others; inside a transaction."""
        self._storage.change("UPDATE users SET email = NULL WHERE id = ?", user_id)

    def change_password(self, user_id: int, password: bytes | None) -> None:
        """To what a digest stands for, or to none: then nobody can log in. Inside a transaction."""
        self._storage.change("UPDATE users SET password = ? WHERE id = ?", password, user_id)

    def person(self, user_id: int) -> Person:
        """Somebody who never signed up has made-up names."""
        row = self._storage.row("SELECT email, first_name, last_name FROM users WHERE id = ?", user_id)
        if row is None or row["email"] is None:
            return Person(f"trader-{user_id}@paper.invalid", "Paper", f"Trader {user_id}")
        return Person(*row)

    def identified(self, email: str) -> tuple[int, bytes | None] | None:
        """User id and digest of the password; upper and lower case are the same."""
        row = self._storage.row("SELECT id, password FROM users WHERE email = ?", email)
        return None if row is None else (row["id"], row["password"])

    def balances(self, user_id: int) -> list[Balance]:
        rows = self._storage.rows("SELECT * FROM balances WHERE user_id = ? ORDER BY id", user_id)
        return [_balance(row) for row in rows]

    def balance(self, user_id: int, balance_id: int) -> Balance | None:
        """Only if it is that user's."""
        row = self._storage.row("SELECT * FROM balances WHERE id = ? AND user_id = ?", balance_id, user_id)
        return None if row is None else _balance(row)

    def watch(self, balance: Balance) -> None:
        """For ever: clients do not ask again when they come back (quadcode-protocol §20.13)."""
        with self._storage.transaction():
            self._storage.change("UPDATE balances SET watched = 1 WHERE id = ?", balance.id)

    def reset(self, balance: Balance, amount: Decimal) -> None:
        """Set a demo balance to an amount."""
        with self._storage.transaction():
            change = amount - balance.amount
            self._ledger.post(balance.id, change, Reason.RESET, milliseconds(self._clock))


def _balance(row: Row) -> Balance:
    return Balance(
        id=row["id"],
        user_id=row["user_id"],
        type=BalanceType(row["type"]),
        amount=from_units(row["amount"]),
        currency=row["currency"],
        is_marginal=bool(row["is_marginal"]),
        watched=bool(row["watched"]),
    )
