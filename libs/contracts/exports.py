"""Exports for administrators (api-contract §3.16, §4.8): files, read page by page."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from libs.contracts.admin import Period, TradesWanted
from libs.contracts.codec import Message
from libs.contracts.rpc import UserId

MOST_ROWS = 1_000_000
PAGE_ROWS = 1000
"""In one page: what a hosted database answers at most, and well below what a message may hold."""


class ExportKind(StrEnum):
    """What the rows are."""

    DAILY = "daily"
    STRATEGY = "strategy"
    ASSET = "asset"
    HOURLY = "hourly"
    USERS = "users"
    TRADES = "trades"


class ExportFormat(StrEnum):
    CSV = "csv"


class AnalyticsExport(Period, frozen=True, kw_only=True, rename="camel"):
    type: ExportKind = ExportKind.DAILY
    format: ExportFormat = ExportFormat.CSV


class TradesExport(TradesWanted, frozen=True, kw_only=True, rename="camel"):
    format: ExportFormat = ExportFormat.CSV
    max_records: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 10_000


class ExportPage(Message, frozen=True, kw_only=True):
    """One of the two says what is wanted."""

    by: UserId
    """The administrator, as the edge has verified; their first page is recorded."""
    analytics: AnalyticsExport | None = None
    trades: TradesExport | None = None
    after: str = ""
    """What the page before called `next`; empty is the first page."""
    limit: Annotated[int, Meta(ge=1, le=PAGE_ROWS)] = PAGE_ROWS

    def __post_init__(self) -> None:
        if (self.analytics is None) is (self.trades is None):
            raise ValueError("Expected either `analytics` or `trades`")

    @property
    def asked(self) -> AnalyticsExport | TradesExport:
        if self.analytics is not None:
            return self.analytics
        if self.trades is not None:
            return self.trades
        raise RuntimeError("__post_init__ saw to it")


class ExportedPage(Message, frozen=True, kw_only=True):
    text: str
    """Lines of CSV (RFC 4180); the first page begins with the names of the columns."""
    rows: int
    next: str = ""
    """Empty on the last page."""
