"""Table `admin_logs`: who did what, and what went wrong. Rows are only appended; but who did what, they are forgotten
in time."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from libs.contracts.logs import LogLevel, LogOrigin
from libs.store.alerts import Page
from libs.store.database import Database
from libs.store.rows import plain, read_rows

BATCH = 200


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is written."""

    event_id: str
    """Of what it tells of: the same is written once."""
    level: LogLevel
    origin: LogOrigin
    message: str
    metadata: Mapping[str, str | int | None]
    audit: bool = False
    """Who did what."""
    created_at: datetime


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    level: str
    origin: str
    message: str
    metadata: dict[str, Any]
    created_at: datetime


class _Recorded(msgspec.Struct, frozen=True):
    event_id: str
    id: int


class _Deleted(msgspec.Struct, frozen=True):
    deleted: int


class Logs:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, entries: Iterable[Entry]) -> dict[str, int]:
        """Write those that are not there yet, at most `BATCH`; the id of each by that of its event."""
        rows = [_row(entry) for entry in {entry.event_id: entry for entry in entries}.values()]
        answer = await self._database.call("record_logs", rows=rows)
        return {recorded.event_id: recorded.id for recorded in read_rows(answer, _Recorded)}

    async def of_event(self, event_id: str) -> LogRow | None:
        query = self._database.client.table("admin_logs").select("id, level, origin, message, metadata, created_at")
        rows = read_rows(await self._database.execute(query.eq("event_id", event_id), "admin_logs"), LogRow)
        return rows[0] if rows else None

    async def find(
        self,
        level: str | None,
        origin: str | None,
        since: datetime | None,
        search: str | None,
        limit: int,
        offset: int,
    ) -> tuple[list[LogRow], int]:
        """The newest first, and how many there are; `search` is part of the message or of its metadata."""
        answer = await self._database.call(
            "find_logs",
            of_level=level,
            of_origin=origin,
            since=since.isoformat() if since is not None else None,
            search=search,
            at_most=limit,
            skipped=offset,
        )
        [page] = read_rows(answer, Page)
        return read_rows(page.rows, LogRow), page.total

    async def forget(self, before: datetime) -> int:
        """Delete what is older and no audit; how many they were."""
        answer = await self._database.call("forget_logs", before=before.isoformat())
        return read_rows(answer, _Deleted)[0].deleted


def _row(entry: Entry) -> dict[str, object]:
    return {
        "event_id": plain(entry.event_id),
        "level": entry.level,
        "origin": entry.origin,
        "message": plain(entry.message),
        "metadata": {name: plain(value) if isinstance(value, str) else value for name, value in entry.metadata.items()},
        "audit": entry.audit,
        "created_at": entry.created_at.isoformat(),
    }
