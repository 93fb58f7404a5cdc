"""What a rule is asked, and what it may answer."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from libs.contracts.bots import TradingState
from libs.contracts.score import Day, Score


class Account(Struct, frozen=True):
    """The user's money of the bot's account type."""

    balance: Decimal | None
    """What can be spent; None while it is not known."""
    at_risk: Decimal = Decimal(0)
    """Stakes of open positions and of orders on their way."""
    open_positions: int = 0
    min_stake: Decimal = Decimal(0)
    """The smallest the broker takes; 0 where it does not tell."""

    @property
    def worth(self) -> Decimal | None:
        return None if self.balance is None else self.balance + self.at_risk


class Offer(Struct, frozen=True):
    """What could be bought now."""

    active_id: int
    payout: int
    """Percent of the stake won on a win; 0 where the broker does not tell."""


class Situation(Struct, frozen=True):
    score: Score
    day: Day
    """Today's: what `score` holds, or an empty one after midnight."""
    utc_day: Day
    account: Account
    offer: Offer | None
    """None: whether anything at all may be bought."""
    now: datetime


class Entry(Struct, frozen=True):
    stake: Decimal
    """Major units, whole cents, more than 0."""


class Refusal(Struct, frozen=True):
    reason: str
    """For people."""
    until: datetime | None = None
    """When it ends by itself; None if only news can end it."""
    state: TradingState = TradingState.REDUCING
    """ACTIVE if it is about this offer only."""
    final: bool = False
    """The run is over, and cannot be begun again before something else has changed."""


class Rule(Protocol):
    def refuses(self, situation: Situation) -> Refusal | None:
        """None: nothing against it."""
        ...


class Gate(Rule, Protocol):
    """What administrators allow."""

    def caps(self, situation: Situation) -> Iterable[Decimal]:
        """No stake is higher than any of these."""
        ...

    def bounds(self, situation: Situation) -> Iterable[tuple[Decimal, str]]:
        """What can be lost until the day of UTC ends, with the limit that says so."""
        ...
