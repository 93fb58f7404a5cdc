"""A user's broker session and balances."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from libs.contracts.codec import Message


class AccountType(StrEnum):
    DEMO = "demo"
    REAL = "real"


class Balance(Message, frozen=True, kw_only=True):
    id: int
    """The broker's balance id."""
    type: AccountType
    amount: Decimal
    """Major units of `currency`."""
    currency: str
    """ISO 4217."""
    min_stake: Decimal | None = None
    """The smallest the broker takes, in major units; None where it does not tell."""


class AccountChoice(Message, frozen=True, kw_only=True):
    """The account type a user's bot trades on when its configuration names none (KV `bots`)."""

    user: str
    at: datetime
    account_type: AccountType


class SessionState(StrEnum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    """The broker refuses this user; nothing is tried again until the user connects anew."""


class SessionStatus(Message, frozen=True, kw_only=True):
    """What the gateway last knew of a user's broker session."""

    user: str
    at: datetime
    state: SessionState
    request: str = ""
    """Id of the desired state this answers (`DesiredSession.id`)."""
    reason: str = ""


class Balances(Message, frozen=True, kw_only=True):
    user: str
    at: datetime
    balances: tuple[Balance, ...]

    def of(self, account_type: AccountType) -> Balance | None:
        """The balance of exactly that type; never another one."""
        return next((balance for balance in self.balances if balance.type is account_type), None)


class DesiredSession(Message, frozen=True, kw_only=True):
    """What a user wants of the gateway: a session to the broker, or none."""

    id: str
    user: str
    at: datetime
    connected: bool
    broker_user_id: str
    """Digits; the user's id at the broker."""
    fresh_since: datetime | None = None
    """A session id that was issued before will not do, nor a connection that was opened with one."""
