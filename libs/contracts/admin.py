"""What administrators ask of users, trades and the platform (api-contract §3.10–3.16, §4.7, §4.8, §5).

Clients have several names for the same parameter; the edge makes these of them.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from msgspec import Meta

from libs.contracts.codec import Message
from libs.contracts.orders import TradeResult
from libs.contracts.pattern import END
from libs.contracts.rpc import UserId

Row = TypeVar("Row")

Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{5,16}(Z|[+-][0-9]{2}:[0-9]{2})?)?" + END)]
"""Of UTC: an ISO date, or a time of which only the date counts."""
Limit = Annotated[int, Meta(ge=1, le=200)]
Offset = Annotated[int, Meta(ge=0, le=1_000_000)]
Page = Annotated[int, Meta(ge=1, le=100_000)]
Days = Annotated[int, Meta(ge=1, le=365)]
Text = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")]
"""The database takes every character but that one."""
Cursor = Annotated[str, Meta(max_length=600, pattern=r"^[A-Za-z0-9_-]*" + END)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]


class Accounts(StrEnum):
    """Of which accounts."""

    REAL = "real"
    DEMO = "demo"
    BOTH = "both"


class Rows(Message, Generic[Row], frozen=True, kw_only=True):
    rows: tuple[Row, ...]
    total: int
    """Of all pages."""
    next: str = ""
    """The `cursor` of the next page; empty on the last."""


class _Query(Message, frozen=True, kw_only=True, rename="camel"):
    pass


class NoQuery(_Query, frozen=True, kw_only=True, rename="camel"):
    pass


class _Dated(_Query, frozen=True, kw_only=True, rename="camel"):
    date_from: Day | None = None
    """The first day…"""
    date_to: Day | None = None
    """…and the last."""

    def __post_init__(self) -> None:
        first, last = self.first, self.last
        if first is not None and last is not None and first > last:
            raise ValueError("Expected a day that is not before `dateFrom` in `dateTo`")

    @property
    def first(self) -> date | None:
        return _day(self.date_from, "dateFrom")

    @property
    def last(self) -> date | None:
        return _day(self.date_to, "dateTo")


class Period(_Dated, frozen=True, kw_only=True, rename="camel"):
    """So many days up to now, or from a day to another; without any the last 30."""

    days: Days | None = None
    account_type: Accounts = Accounts.REAL


class Top(_Query, frozen=True, kw_only=True, rename="camel"):
    limit: Limit = 10
    account_type: Accounts = Accounts.REAL


class UsersQuery(_Query, frozen=True, kw_only=True, rename="camel"):
    account_type: Accounts = Accounts.REAL
    search: Text = ""
    """Part of an e-mail address, a phone number or a name."""
    is_active: bool | None = None
    """Signed in within seven days."""
    sort_by: Literal["email", "created_at", "total_pnl", "total_trades", "win_rate"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    limit: Limit = 50
    offset: Offset = 0
    page: Page | None = None
    """From 1; instead of an offset."""
    cursor: Cursor = ""
    """Instead of both: what the page before said is next."""


class OfUserId(_Query, frozen=True, kw_only=True, rename="camel"):
    id: UUID


class TradesOfUser(_Dated, frozen=True, kw_only=True, rename="camel"):
    id: UUID
    account_type: Accounts = Accounts.BOTH
    resultado: TradeResult | None = None
    limit: Limit = 100
    offset: Offset = 0


class MetricsOfUser(OfUserId, frozen=True, kw_only=True, rename="camel"):
    account_type: Accounts = Accounts.BOTH


class PageOfUser(OfUserId, frozen=True, kw_only=True, rename="camel"):
    limit: Limit = 50
    offset: Offset = 0


class TradesWanted(_Dated, frozen=True, kw_only=True, rename="camel"):
    account_type: Accounts = Accounts.REAL
    user_id: UUID | None = None
    asset: Text = ""
    resultado: TradeResult | None = None
    strategy: Text = ""
    timeframe: Annotated[int, Meta(ge=1, le=86400)] | None = None
    min_payout: Annotated[int, Meta(ge=0, le=1000)] | None = None
    max_payout: Annotated[int, Meta(ge=0, le=1000)] | None = None
    sort_by: Literal["data_abertura", "pnl", "valor"] = "data_abertura"
    sort_order: Literal["asc", "desc"] = "desc"


class TradesQuery(TradesWanted, frozen=True, kw_only=True, rename="camel"):
    limit: Limit = 100
    offset: Offset = 0
    page: Page | None = None
    cursor: Cursor = ""


class OfTrade(_Query, frozen=True, kw_only=True, rename="camel"):
    id: Annotated[int, Meta(ge=1, le=2**63 - 1)]


class Recent(_Query, frozen=True, kw_only=True, rename="camel"):
    limit: Limit = 20


class OfAlert(_Query, frozen=True, kw_only=True, rename="camel"):
    id: Annotated[int, Meta(ge=1, le=2**63 - 1)]


class AlertsQuery(_Query, frozen=True, kw_only=True, rename="camel"):
    severity: Literal["info", "warning", "error", "critical"] | None = None
    type: Text = ""
    unread: bool = False
    limit: Limit = 50
    offset: Offset = 0


class LogsQuery(_Query, frozen=True, kw_only=True, rename="camel"):
    level: Literal["debug", "info", "warn", "error", "critical"] | None = None
    origin: Literal["api", "bot", "worker", "frontend"] | None = None
    since: datetime | None = None
    search: Text = ""
    limit: Limit = 50
    offset: Offset = 0


class ActOnUser(Message, frozen=True, kw_only=True):
    by: UserId
    """The administrator, as the edge has verified."""
    user: UserId
    address: str = ""
    """Where the administrator's request came from."""


class SuspendUser(ActOnUser, frozen=True, kw_only=True):
    reason: Reason


class SetRole(ActOnUser, frozen=True, kw_only=True):
    role: Literal["super_admin", "admin", "support", "analyst"] | None
    """None dismisses."""


class ActOnAlert(Message, frozen=True, kw_only=True):
    by: str
    id: int


class Acted(Message, frozen=True, kw_only=True):
    message: str


def _day(text: str | None, name: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError(f"Expected a day of the calendar in `{name}`") from None
