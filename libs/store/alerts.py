"""Table `admin_alerts`: what operators must see, and who has seen to it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.contracts.alerts import Alert
from libs.store.database import Database
from libs.store.rows import plain, read_rows

BATCH = 200


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    alert_type: str
    severity: str
    service: str
    kind: str
    user_id: str
    """Empty where it is about no user."""
    message: str
    details: dict[str, Any]
    is_read: bool
    is_resolved: bool
    read_by: UUID | None
    read_at: datetime | None
    resolved_by: UUID | None
    resolved_at: datetime | None
    created_at: datetime


class Page(msgspec.Struct, frozen=True):
    total: int
    """Of all pages."""
    rows: list[dict[str, Any]]


class _Recorded(msgspec.Struct, frozen=True):
    event_id: str
    number: int


class _Found(msgspec.Struct, frozen=True):
    found: bool


class Alerts:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, alerts: Iterable[Alert]) -> dict[str, int]:
        """Write those that are not there yet, at most `BATCH`; the number of each by its id."""
        rows = [_row(alert) for alert in {alert.id: alert for alert in alerts}.values()]
        answer = await self._database.call("record_alerts", rows=rows)
        return {recorded.event_id: recorded.number for recorded in read_rows(answer, _Recorded)}

    async def find(
        self, severity: str | None, type_: str | None, unread: bool, limit: int, offset: int
    ) -> tuple[list[AlertRow], int]:
        """The newest first, and how many there are; `type_` is one of the client's types, or a kind."""
        answer = await self._database.call(
            "find_alerts", of_severity=severity, of_type=type_, unread=unread, at_most=limit, skipped=offset
        )
        [page] = read_rows(answer, Page)
        return read_rows(page.rows, AlertRow), page.total

    async def mark(self, number: int, by: UUID, *, resolved: bool) -> bool:
        """Somebody has read it, or seen to it. Whether there is such an alert; the first who did stays."""
        answer = await self._database.call("mark_alert", of_number=number, actor=str(by), resolve=resolved)
        return read_rows(answer, _Found)[0].found


def _row(alert: Alert) -> dict[str, object]:
    return {
        "event_id": plain(alert.id),
        "alert_type": alert.type,
        "severity": alert.severity,
        "service": plain(alert.service),
        "kind": plain(alert.kind),
        "user_id": plain(alert.user),
        "message": plain(alert.message),
        "details": {plain(name): plain(value) for name, value in alert.details.items()},
        "ends": plain(alert.ends),
        "created_at": alert.at.isoformat(),
    }
