"""Rows as lines of a file, page by page; and a record of who exported what."""

from typing import Any

import msgspec

from libs.bus.rpc import Handler
from libs.contracts import admin_rpc as rpc
from libs.contracts.exports import AnalyticsExport, ExportedPage, ExportPage, TradesExport
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
        page = await self._rows.page(request.asked, request.after, request.limit)
        lines = [msgspec.structs.astuple(row) for row in page.rows]
        if not request.after:
            await self._record(request.by, request.asked)
            lines = [tuple(field.encode_name for field in msgspec.structs.fields(page.of)), *lines]
        return ExportedPage(text=csv_lines(lines), rows=len(page.rows), next=page.next)

    async def _record(self, by: str, asked: AnalyticsExport | TradesExport) -> None:
        action = "analytics.exported" if isinstance(asked, AnalyticsExport) else "trades.exported"
        await self._activity.record(by, action, msgspec.to_builtins(asked))
