"""RPC endpoints: one declaration each, used by the server, the client and the generated documents."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Generic, TypeVar

from msgspec import Meta

from libs.contracts.account import AccountChoice, AccountType, Balances, SessionStatus
from libs.contracts.bots import BotConfig, BotStatus
from libs.contracts.codec import Message
from libs.contracts.market import Candle, Catalogue
from libs.contracts.money import Preview
from libs.contracts.orders import Order, OrderRecord, Position, Settlement
from libs.contracts.pattern import END
from libs.contracts.platform import Platform, UserLimits
from libs.contracts.signing_up import BrokerSignUp, SignUp
from libs.contracts.strategies import StrategyList

Request = TypeVar("Request")
Response = TypeVar("Response")

UserId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}" + END)]
BrokerUserId = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,17}" + END)]
"""Written in one way only: it is compared as text."""


class ErrorCode(StrEnum):
    INVALID_REQUEST = "INVALID_REQUEST"
    ASSET_NOT_FOUND = "ASSET_NOT_FOUND"
    NOT_FOUND = "NOT_FOUND"
    NOT_CONNECTED = "NOT_CONNECTED"
    ALREADY_RUNNING = "ALREADY_RUNNING"
    NOT_RUNNING = "NOT_RUNNING"
    NOT_PAUSED = "NOT_PAUSED"
    SUSPENDED = "SUSPENDED"
    """The user was banned."""
    MAINTENANCE = "MAINTENANCE"
    """The kill switch is on."""
    LIMIT_REACHED = "LIMIT_REACHED"
    """No more than an administrator allows."""
    CONFLICT = "CONFLICT"
    """It is so already, or something else is in the way; the message says what."""
    NO_BALANCE = "NO_BALANCE"
    NOT_SELLABLE = "NOT_SELLABLE"
    """Options of this kind cannot be sold before they expire."""
    NOT_OPEN = "NOT_OPEN"
    """The order has no open position (yet)."""
    BROKER_REFUSED = "BROKER_REFUSED"
    BROKER_UNREACHABLE = "BROKER_UNREACHABLE"
    UNAVAILABLE = "UNAVAILABLE"
    """Nobody answers this endpoint now."""
    TIMEOUT = "TIMEOUT"
    """No answer in time: whether it was done is not known."""
    INTERNAL = "INTERNAL"


class RpcError(Exception):
    """A request that was answered with an error, or not answered."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Request, Response]):
    service: str
    name: str
    request: type[Request]
    response: type[Response]
    errors: tuple[ErrorCode, ...] = ()
    """Beyond INVALID_REQUEST, UNAVAILABLE, TIMEOUT and INTERNAL, which every endpoint has."""
    timeout: float = 5.0
    """Seconds."""


class Nothing(Message, frozen=True, kw_only=True):
    pass


class ConnectSession(Message, frozen=True, kw_only=True):
    user: UserId
    broker_user_id: BrokerUserId


class OfUser(Message, frozen=True, kw_only=True):
    user: UserId


class OfBots(Message, frozen=True, kw_only=True):
    user: UserId
    account_type: AccountType | None = None
    """Whose bot; None: every bot of the user. The answer tells of one of them."""


class SessionReport(Message, frozen=True, kw_only=True):
    status: SessionStatus
    balances: Balances | None


class CandleQuery(Message, frozen=True, kw_only=True):
    active_id: int
    size: int
    count: Annotated[int, Meta(ge=1, le=1000)]


class CandlePage(Message, frozen=True, kw_only=True):
    candles: tuple[Candle, ...]
    """Ascending; the last one may still be running."""


class SubmitOrder(Message, frozen=True, kw_only=True):
    order_id: str


class SellOrder(Message, frozen=True, kw_only=True):
    order_id: str


class Settled(Message, frozen=True, kw_only=True):
    """What became of a user's positions that had no result."""

    total: int
    """Looked at."""
    closed: int
    """Of these, have a result now; `trade.{user}.closed` tells each."""


class BooksQuery(Message, frozen=True, kw_only=True):
    since: datetime
    """Only orders that were decided then or later."""
    limit: Annotated[int, Meta(ge=1, le=500)] = 500


class BookedTrade(Message, frozen=True, kw_only=True):
    """An order of which the broker has booked a position."""

    order: Order
    position: Position
    settlement: Settlement | None
    """As the broker's books have it now; where they do not tell, as it was told when the position closed."""
    missing: bool
    """The broker's books should have the position, and do not. Digital options need not be there (field-notes §C1), nor
    those of an account that the user had before."""
    updated_at: datetime
    """When its last event was stored."""


class Books(Message, frozen=True, kw_only=True):
    trades: tuple[BookedTrade, ...]
    """In the order in which they were decided. Finished ones are known for a day."""


class StartBot(Message, frozen=True, kw_only=True):
    user: UserId
    config: BotConfig


class StopBot(OfBots, frozen=True, kw_only=True):
    reason: str = "user"


class ChooseAccount(Message, frozen=True, kw_only=True):
    user: UserId
    account_type: AccountType


class SetPlatform(Message, frozen=True, kw_only=True):
    by: UserId
    """An administrator, as the edge has verified."""
    platform: Platform


class SetUserLimits(Message, frozen=True, kw_only=True):
    by: UserId
    """An administrator, as the edge has verified."""
    user: UserId
    limits: UserLimits


class ScannerCounted(Message, frozen=True, kw_only=True):
    aggregated: int
    """Actives and timeframes with decided signals."""
    upserted: int
    """Of these, rows that changed."""
    removed: int
    """Rows without signals by now."""


CONNECT = Endpoint(
    "gateway", "connect", ConnectSession, SessionReport,
    (ErrorCode.BROKER_REFUSED, ErrorCode.BROKER_UNREACHABLE), timeout=10.0,
)  # fmt: skip
RECONNECT = Endpoint(
    "gateway", "reconnect", ConnectSession, SessionReport,
    (ErrorCode.BROKER_REFUSED, ErrorCode.BROKER_UNREACHABLE), timeout=10.0,
)  # fmt: skip
"""As `CONNECT`, over a new connection with a new session id. Without one nothing changes."""
DISCONNECT = Endpoint("gateway", "disconnect", OfUser, SessionReport)
CATALOGUE = Endpoint("gateway", "catalogue", Nothing, Catalogue)
CANDLES = Endpoint(
    "gateway", "candles", CandleQuery, CandlePage, (ErrorCode.ASSET_NOT_FOUND, ErrorCode.BROKER_UNREACHABLE)
)
SUBMIT_ORDER = Endpoint("gateway", "order", SubmitOrder, OrderRecord, timeout=15.0)
"""Session-bound: called on `subjects.session_rpc(user, "order")`."""
SELL_ORDER = Endpoint(
    "gateway", "sell", SellOrder, OrderRecord,
    (ErrorCode.NOT_FOUND, ErrorCode.NOT_SELLABLE, ErrorCode.NOT_OPEN, ErrorCode.BROKER_REFUSED), timeout=15.0,
)  # fmt: skip
"""Session-bound, as `SUBMIT_ORDER`. What the sale brought is told by `trade.{user}.closed`."""
SETTLE = Endpoint("gateway", "settle", OfUser, Settled, (ErrorCode.BROKER_UNREACHABLE,), timeout=15.0)
"""Session-bound, as `SUBMIT_ORDER`: asks the broker now what became of whatever has no result yet."""
BOOKS = Endpoint("gateway", "books", BooksQuery, Books, (ErrorCode.BROKER_UNREACHABLE,), timeout=15.0)
"""Session-bound, as `SUBMIT_ORDER`: what the broker's books say of the user's orders."""
SIGN_UP = Endpoint("gateway", "sign_up", SignUp, BrokerSignUp, (ErrorCode.BROKER_UNREACHABLE,), timeout=12.0)
"""A new user at the broker. That the broker refuses is an answer, not an error: its words are for who asks."""
START_BOT = Endpoint(
    "bots", "start", StartBot, BotStatus,
    (
        ErrorCode.ALREADY_RUNNING, ErrorCode.NOT_CONNECTED, ErrorCode.NO_BALANCE, ErrorCode.ASSET_NOT_FOUND,
        ErrorCode.SUSPENDED, ErrorCode.MAINTENANCE, ErrorCode.LIMIT_REACHED,
    ),
)  # fmt: skip
STOP_BOT = Endpoint("bots", "stop", StopBot, BotStatus, (ErrorCode.NOT_RUNNING,))
PAUSE_BOT = Endpoint("bots", "pause", OfBots, BotStatus, (ErrorCode.NOT_RUNNING,))
RESUME_BOT = Endpoint("bots", "resume", OfBots, BotStatus, (ErrorCode.NOT_RUNNING, ErrorCode.NOT_PAUSED))
RECONFIGURE_BOT = Endpoint(
    "bots", "reconfigure", StartBot, BotStatus, (ErrorCode.NOT_RUNNING, ErrorCode.ASSET_NOT_FOUND)
)
PREVIEW_BOT = Endpoint(
    "bots", "preview", StartBot, Preview, (ErrorCode.NOT_CONNECTED, ErrorCode.NO_BALANCE, ErrorCode.ASSET_NOT_FOUND)
)
"""What a configuration can cost, told before a bot is started with it."""
CHOOSE_ACCOUNT = Endpoint("bots", "choose_account", ChooseAccount, AccountChoice, (ErrorCode.ALREADY_RUNNING,))
"""Which account a bot trades on that is started without a configuration. Refused while a bot of the user runs."""
PLATFORM = Endpoint("bots", "platform", Nothing, Platform)
SET_PLATFORM = Endpoint("bots", "set_platform", SetPlatform, Platform)
USER_LIMITS = Endpoint("bots", "user_limits", OfUser, UserLimits)
"""The user's own; the platform's, which count as well, are in `PLATFORM`."""
SET_USER_LIMITS = Endpoint("bots", "set_user_limits", SetUserLimits, UserLimits)
STRATEGIES = Endpoint("bots", "strategies", Nothing, StrategyList)
"""Of the process that answers: those of users are read from its directory."""
RECORD_STATUS = Endpoint("analytics", "record_status", OfUser, Nothing)
"""Answers when the user's `bot_status` row holds what the KV buckets say."""
COUNT_SCANNER = Endpoint("analytics", "count_scanner", Nothing, ScannerCounted, timeout=15.0)
"""Answers when the statistics of the scanner's signals are those of now."""
