"""Table `user_activity_log`: what administrators did, and what was done to users or by them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.store.database import Database
from libs.store.rows import read_rows

_TABLE = "user_activity_log"
BATCH = 200
"""Rows in one request."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is written from an event."""

    event_id: str
    """The same is written once."""
    user_id: str
    action: str
    """Of bots `bot_run`, `bot_paused` and `bot_stopped`; what has begun to run was started, resumed or configured, by
    what is known of it already."""
    details: Mapping[str, str | None]
    """Of bots with `run` and `account_type`."""
    created_at: datetime


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    user_id: UUID | None
    actor_id: UUID | None
    action: str
    details: dict[str, Any]
    ip: str | None
    created_at: datetime


class _Counted(msgspec.Struct, frozen=True, kw_only=True):
    total: int


class ActivityLog:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, actor: str, action: str, details: Mapping[str, object]) -> None:
        """Returns when it is committed. `details` are JSON values."""
        row = {"actor_id": actor, "action": action, "details": dict(details)}
        await self._database.execute(self._database.client.table(_TABLE).insert(row), _TABLE)

    async def keep(self, told: Iterable[Told]) -> None:
        """At most `BATCH`, in any order and again; of users who are gone nothing is written."""
        rows = [msgspec.to_builtins(one) for one in told]
        if rows:
            await self._database.call("record_activity", rows=rows)

    async def of_user(self, user: UUID, limit: int, offset: int) -> tuple[list[Entry], int]:
        """What was done to a user or by them, the newest first, and how many there are."""
        data = await self._database.call("find_activity", of_user=str(user), at_most=limit, skipped=offset)
        rows = [row for row in data if row["id"] is not None] if isinstance(data, list) else []
        return read_rows(rows, Entry), read_rows(data, _Counted)[0].total
