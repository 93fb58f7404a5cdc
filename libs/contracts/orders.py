"""Orders: one record per order, and the events that tell its story.

The record lives in the KV bucket `orders` and moves only forward:

    intended → sending → opened → closed
       │          │         └→ unknown → closed  (no result came in time; one that comes after all still counts)
       │          ├→ rejected      (the broker refused it, or is certain to have booked nothing)
       │          └→ unknown       (nobody can tell; a human must look)
       └→ rejected                 (never sent: expired, no session, denied)

`intended → sending` is the permission to send and succeeds once, ever.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from libs.contracts.account import AccountType
from libs.contracts.codec import Message
from libs.contracts.ids import BotId

FINAL_RECORD_LIFE = 86400.0
"""Seconds a finished record is kept: long enough for every repetition, and the bucket stays small."""


class Direction(StrEnum):
    CALL = "call"
    PUT = "put"


class OptionKind(StrEnum):
    BLITZ = "blitz"
    """Expires a duration after its purchase; cannot be sold before."""
    TURBO = "turbo"
    """Expires at one of the broker's expirations, a minute or so apart."""
    BINARY = "binary"
    """As turbo, a quarter of an hour or so apart."""
    DIGITAL = "digital"
    """Expires as turbo and binary do; bought at the price of the moment, whose payout the market makes."""


class OrderState(StrEnum):
    INTENDED = "intended"
    SENDING = "sending"
    OPENED = "opened"
    CLOSED = "closed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        return self in (OrderState.CLOSED, OrderState.REJECTED, OrderState.UNKNOWN)


class TradeResult(StrEnum):
    WIN = "WIN"
    LOSS = "LOSS"
    TIE = "TIE"

    @classmethod
    def of(cls, profit: Decimal) -> "TradeResult":
        """By the sign of the profit, as the broker's clients do (api-contract §10.6)."""
        return cls.WIN if profit > 0 else cls.LOSS if profit < 0 else cls.TIE


class Order(Message, frozen=True, kw_only=True):
    """What a bot decided to buy. Made before anything is sent, never changed."""

    order_id: str
    user: str
    run: str
    """Id of the bot run that decided it."""
    sequence: int
    """The run's n-th order, from 1."""
    at: datetime
    expires_at: datetime
    """Not to be sent after this time: a late binary-option order is worthless."""
    account_type: AccountType
    active_id: int
    ticker: str
    direction: Direction
    stake: Decimal
    """Major units of the balance's currency."""
    duration: int
    """Seconds from purchase to expiry; of all but blitz options, what is left of them at `at`."""
    option: OptionKind = OptionKind.BLITZ
    expiration: datetime | None = None
    """When it expires; of all but blitz options, and required there."""
    min_payout: int = 0
    """Percent of the stake a win must bring, or it is not bought."""
    quote: float | None = None
    """What the price was when it was decided: the close that the signal was computed on."""
    worth: Decimal | None = None
    """What the user's account was worth when it was decided: the balance, and the stakes of open positions."""
    strategy: str
    confidence: int
    """0..100."""
    correlation_id: str
    """Joins this order with the signal and the logs that led to it."""

    @property
    def bot(self) -> BotId:
        """Who decided it."""
        return BotId(self.user, self.account_type)

    def __post_init__(self) -> None:
        if (self.expiration is None) is not (self.option is OptionKind.BLITZ):
            needs = "no `expiration`" if self.option is OptionKind.BLITZ else "an `expiration`"
            raise ValueError(f"Expected {needs} in an order for a {self.option} option")


class Position(Message, frozen=True, kw_only=True):
    """What the broker booked for an order."""

    position_id: int
    """The broker's external id (the option id); unique among positions of one kind."""
    balance_id: int
    opened_at: datetime
    expiry: datetime
    open_quote: float
    payout: int
    """Percent of the stake won on a win."""


class Settlement(Message, frozen=True, kw_only=True):
    """How a position ended."""

    closed_at: datetime
    close_quote: float | None
    profit: Decimal
    """Won or lost, stake not included: a loss of the whole stake is minus the stake."""
    sold: bool = False
    """Sold before it expired."""

    @property
    def result(self) -> TradeResult:
        return TradeResult.of(self.profit)


class OrderRecord(Message, frozen=True, kw_only=True):
    """The one record of an order's fate; who may write it is decided by its revision."""

    order: Order
    state: OrderState = OrderState.INTENDED
    updated_at: datetime
    sent_at: datetime | None = None
    """When the permission to send was taken."""
    broker_sent_at: datetime | None = None
    """What time it was at the broker then: its clock need not agree with ours."""
    broker_user_id: str = ""
    """The account at the broker it was sent for; empty until the permission to send is taken."""
    balance_id: int | None = None
    """The broker's balance it was sent for."""
    sale_sent_at: datetime | None = None
    """When the permission to sell it was taken; a sale is sent once, as an order is."""
    position: Position | None = None
    settlement: Settlement | None = None
    code: str = ""
    """Why it was rejected or is unknown: a stable code (`RejectCode`)…"""
    reason: str = ""
    """…and the words of whoever said so."""


class RejectCode(StrEnum):
    EXPIRED = "EXPIRED"
    """Not sent in time."""
    NO_SESSION = "NO_SESSION"
    """No gateway holds a session for this user."""
    NO_BALANCE = "NO_BALANCE"
    """The user has no balance of exactly the account type asked for."""
    PAYOUT_TOO_LOW = "PAYOUT_TOO_LOW"
    """The broker offered less than the order insists on; nothing was sent."""
    REFUSED = "REFUSED"
    """The broker refused it; `reason` has its words."""
    NOT_BOOKED = "NOT_BOOKED"
    """Sent, unanswered, and certainly not booked by the broker."""
    UNDECIDED = "UNDECIDED"
    """Sent, unanswered, and the broker's books do not tell."""


class TradeOpened(Message, frozen=True, kw_only=True):
    id: str
    """Deterministic: `{order_id}.opened`, so a repeated event is recognised."""
    at: datetime
    order: Order
    position: Position


class TradeClosed(Message, frozen=True, kw_only=True):
    """Carries the whole trade, so that it can be booked even if the opening was never seen."""

    id: str
    at: datetime
    order: Order
    position: Position
    settlement: Settlement


class TradeFailed(Message, frozen=True, kw_only=True):
    """Of `trade.{user}.rejected` and `trade.{user}.unknown`; the subject and `state` agree."""

    id: str
    at: datetime
    order: Order
    state: OrderState
    code: str
    reason: str


TradeEvent = TradeOpened | TradeClosed | TradeFailed


class TradeRecorded(Message, frozen=True, kw_only=True):
    """The ledger has committed this trade event: whoever reads the database now will find it."""

    id: str
    at: datetime
    trade_id: int
    """`trade_history.id`."""
    opened: TradeOpened | None = None
    closed: TradeClosed | None = None
