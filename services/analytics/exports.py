"""Rows as lines of a file, page by page; and a record of who exported what."""

from typing import Any

import msgspec

from libs.bus.rpc import Handler
from libs.contracts import admin_rpc as rpc
from libs.contracts.exports import ExportedPage, ExportPage, Wanted
from libs.contracts.rpc import Endpoint
from libs.store.activity import ActivityLog
from services.analytics.answering import answering
from services.analytics.csv_text import csv_lines
from services.analytics.export_rows import ExportRows


class Exports:
    """Raises RpcError: INVALID_REQUEST."""

    def __init__(self, rows: ExportRows, activity: ActivityLog) -> None:
        self._rows = rows
        self._activity = activity

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return answering({rpc.EXPORT_PAGE: self.page})

    async def page(self, request: ExportPage) -> ExportedPage:
        """The first one is recorded before it is answered."""
        page = await self.lines(request, request.after, request.limit)
        if not request.after:
            await self.record(request)
        return page

    async def lines(self, wanted: Wanted, after: str, limit: int) -> ExportedPage:
        page = await self._rows.page(wanted.asked, after, limit)
        lines = [msgspec.structs.astuple(row) for row in page.rows]
        if not after:
            lines = [tuple(field.encode_name for field in msgspec.structs.fields(page.of)), *lines]
        return ExportedPage(text=csv_lines(lines), rows=len(page.rows), next=page.next)

    async def count(self, wanted: Wanted) -> int | None:
        """Rows that there will be, as far as that is known in advance."""
        count = await self._rows.count(wanted.asked)
        return None if count is None else min(count, wanted.most)

    async def record(self, wanted: Wanted) -> None:
        action = "trades.exported" if wanted.analytics is None else "analytics.exported"
        await self._activity.record(wanted.by, action, msgspec.to_builtins(wanted.asked))
