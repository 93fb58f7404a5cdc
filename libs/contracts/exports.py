"""Exports for administrators (api-contract §3.16, §4.8): files, read page by page."""

from datetime import datetime
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
    PDF = "pdf"

    @property
    def content_type(self) -> str:
        return "application/pdf" if self is ExportFormat.PDF else "text/csv"


class AnalyticsExport(Period, frozen=True, kw_only=True, rename="camel"):
    type: ExportKind = ExportKind.DAILY
    format: ExportFormat = ExportFormat.CSV


class TradesExport(TradesWanted, frozen=True, kw_only=True, rename="camel"):
    format: ExportFormat = ExportFormat.CSV
    max_records: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 10_000


class Wanted(Message, frozen=True, kw_only=True):
    """One of the two says what is wanted."""

    by: UserId
    """The administrator, as the edge has verified."""
    analytics: AnalyticsExport | None = None
    trades: TradesExport | None = None

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

    @property
    def most(self) -> int:
        """Rows."""
        return self.trades.max_records if self.trades is not None else MOST_ROWS

    @property
    def name(self) -> str:
        """Of the file, as far as it says what is in it."""
        return f"analytics_{self.analytics.type}" if self.analytics is not None else "trades"


class ExportPage(Wanted, frozen=True, kw_only=True):
    """Of CSV; that it was asked for is recorded with the first page."""

    after: str = ""
    """What the page before called `next`; empty is the first page."""
    limit: Annotated[int, Meta(ge=1, le=PAGE_ROWS)] = PAGE_ROWS


class ExportedPage(Message, frozen=True, kw_only=True):
    text: str
    """Lines of CSV (RFC 4180); the first page begins with the names of the columns."""
    rows: int
    next: str = ""
    """Empty on the last page."""


class ExportState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class StartExport(Wanted, frozen=True, kw_only=True):
    """A file that is made whether or not anybody waits for it."""


class ExportJob(Wanted, frozen=True, kw_only=True):
    """Kept for an hour, as its file is (KV `exports`)."""

    id: str
    started_at: datetime
    updated_at: datetime
    state: ExportState = ExportState.RUNNING
    rows: int = 0
    """That are in the file…"""
    total: int | None = None
    """…of so many, if that is known."""
    pieces: int = 0
    after: str = ""
    """Where it goes on."""
    error: str = ""
    """Why it failed."""

    @property
    def file_name(self) -> str:
        """Like that of a file that is not made in advance (api-contract §3.16)."""
        return f"{self.name}_{round(self.started_at.timestamp() * 1000)}.{self.asked.format}"


class OfExport(Message, frozen=True, kw_only=True):
    by: UserId
    """Who asked for it; of others it does not exist."""
    id: Annotated[str, Meta(max_length=64)]


class OfPiece(OfExport, frozen=True, kw_only=True):
    number: Annotated[int, Meta(ge=0)]


class ExportPiece(Message, frozen=True, kw_only=True):
    """Of the file of a job (stream EXPORTS)."""

    data: bytes
    """Compressed by zlib."""
