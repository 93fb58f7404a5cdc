"""Alerts and the log, as administrators look at them (api-contract §4.7)."""

from typing import Any
from uuid import UUID

from libs.bus.rpc import Handler
from libs.contracts import admin_rpc as rpc
from libs.contracts.admin import Acted, ActOnAlert, AlertsQuery, LogsQuery, Rows
from libs.contracts.admin_rows import Alert, LogEntry
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.store.alerts import AlertRow, Alerts
from libs.store.logs import LogRow, Logs
from services.analytics.answering import answering
from services.analytics.logs import LogBook


class OperationsDesk:
    """Raises RpcError: NOT_FOUND."""

    def __init__(self, alerts: Alerts, logs: Logs, log_book: LogBook) -> None:
        self._alerts = alerts
        self._logs = logs
        self._log_book = log_book

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return answering(
            {
                rpc.ALERTS: self.alerts,
                rpc.READ_ALERT: self.read,
                rpc.RESOLVE_ALERT: self.resolve,
                rpc.LOGS: self.logs,
            }
        )

    async def alerts(self, query: AlertsQuery) -> Rows[Alert]:
        rows, total = await self._alerts.find(
            query.severity, query.type or None, query.unread, query.limit, query.offset
        )
        return Rows(rows=tuple(map(_alert, rows)), total=total)

    async def logs(self, query: LogsQuery) -> Rows[LogEntry]:
        rows, total = await self._logs.find(
            query.level, query.origin, query.since, query.search or None, query.limit, query.offset
        )
        return Rows(rows=tuple(map(_entry, rows)), total=total)

    async def read(self, request: ActOnAlert) -> Acted:
        await self._mark(request, resolved=False)
        return Acted(message="Alert marked as read")

    async def resolve(self, request: ActOnAlert) -> Acted:
        await self._mark(request, resolved=True)
        return Acted(message="Alert resolved")

    async def _mark(self, request: ActOnAlert, *, resolved: bool) -> None:
        if not await self._alerts.mark(request.id, UUID(request.by), resolved=resolved):
            raise RpcError(ErrorCode.NOT_FOUND, "Alert not found")
        await self._log_book.tell(f"alert.{request.id}.{'resolved' if resolved else 'read'}")


def _alert(row: AlertRow) -> Alert:
    return Alert(
        id=row.number,
        alert_type=row.alert_type,
        severity=row.severity,
        message=row.message,
        is_read=row.is_read,
        is_resolved=row.is_resolved,
        timestamp=row.created_at,
        service=row.service,
        kind=row.kind,
        user_id=row.user_id or None,
        details=row.details,
        read_by=row.read_by,
        read_at=row.read_at,
        resolved_by=row.resolved_by,
        resolved_at=row.resolved_at,
    )


def _entry(row: LogRow) -> LogEntry:
    return LogEntry(
        id=row.id,
        level=row.level,
        origin=row.origin,
        message=row.message,
        metadata=row.metadata,
        created_at=row.created_at,
    )
