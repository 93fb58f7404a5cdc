"""Envelopes of administrators' answers, and the bodies of what they order (api-contract §2.3, §4.8, §5)."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from msgspec import UNSET, UnsetType

from libs.contracts.admin import Reason, Rows
from libs.contracts.admin_rows import Alert, LogEntry, PlatformHealth
from libs.contracts.codec import Message
from services.socket_edge.requests import Request
from services.socket_edge.responses import Success
from services.socket_edge.route import Role

T = TypeVar("T")


class Data(Success, Generic[T], frozen=True, kw_only=True, rename="camel"):
    data: T
    filters: dict[str, str] | UnsetType = UNSET
    """From which day of UTC on it is, and until which, where that is asked for."""
    cached_at: datetime | UnsetType = UNSET
    """When it was made, if it was made before…"""
    age_seconds: float | UnsetType = UNSET
    """…which is so long ago."""


class Pagination(Message, frozen=True, kw_only=True, rename="camel"):
    total: int
    limit: int
    offset: int
    page: int
    has_more: bool
    next: str
    """The `cursor` of the next page."""


class Page(Success, Generic[T], frozen=True, kw_only=True, rename="camel"):
    data: tuple[T, ...]
    filters: dict[str, Any]
    """What was asked for, without what was left open."""
    pagination: Pagination


class AlertsPage(Page[Alert], frozen=True, kw_only=True, rename="camel"):
    alerts: tuple[Alert, ...]
    """`data` under the original's name."""
    total: int


class LogsPage(Page[LogEntry], frozen=True, kw_only=True, rename="camel"):
    logs: tuple[LogEntry, ...]
    """`data` under the original's name."""
    total: int


class HealthData(Message, frozen=True, kw_only=True):
    status: str
    timestamp: datetime
    version: str


class Memory(Message, frozen=True, kw_only=True):
    """Of the edge that answers, in bytes. The original's other figures are its JavaScript engine's."""

    rss: int | None
    """None where the system does not tell."""


class HealthAnswer(Success, frozen=True, kw_only=True, rename="camel"):
    """Every name under which clients look for it (api-contract §3.10)."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: datetime
    version: str
    uptime: float
    services: dict[str, str]
    memory: Memory
    details: PlatformHealth
    data: HealthData


class SuspendBody(Request, frozen=True, kw_only=True):
    reason: Reason


class RoleBody(Request, frozen=True, kw_only=True):
    role: Role | None
    """Null dismisses."""


def pagination(rows: Rows[Any], limit: int, offset: int) -> Pagination:
    return Pagination(
        total=rows.total,
        limit=limit,
        offset=offset,
        page=offset // limit + 1,
        has_more=bool(rows.next) or offset + len(rows.rows) < rows.total,
        next=rows.next,
    )
