"""Table `user_sessions`: when users were here."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec

from libs.contracts.visits import Seen
from libs.store.database import Database
from libs.store.rows import read_rows

GAP = timedelta(minutes=30)
"""Who is away for longer, begins a new visit when they come back: as web analytics count them."""
BATCH = 500
"""Rows in one request."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    session_id: UUID
    created_at: datetime
    last_activity: datetime
    trades: int
    """Opened meanwhile, on all accounts."""
    pnl: Decimal
    """Of these."""


class _Counted(msgspec.Struct, frozen=True, kw_only=True):
    total: int


class Visits:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, seen: Iterable[Seen]) -> None:
        """At most `BATCH`. What is known already, and who is gone, changes nothing."""
        rows = [{"user_id": one.user, "first": one.first.isoformat(), "last": one.last.isoformat()} for one in seen]
        if rows:
            await self._database.call("record_visits", rows=rows, gap=f"{GAP.total_seconds():g} seconds")

    async def of_user(self, user: UUID, limit: int, offset: int) -> tuple[list[Visit], int]:
        """The newest first, and how many there are."""
        data = await self._database.call("find_visits", of_user=str(user), at_most=limit, skipped=offset)
        rows = [row for row in data if row["session_id"] is not None] if isinstance(data, list) else []
        return read_rows(rows, Visit), read_rows(data, _Counted)[0].total
