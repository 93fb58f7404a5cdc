"""What an operator must see, in the stream ALERTS (docs/operations.md)."""

import structlog

from libs.bus import Bus, BusError
from libs.contracts import subjects
from libs.contracts.alerts import Alert, Severity
from libs.contracts.ids import new_id

log = structlog.get_logger()


async def alarm(
    bus: Bus, severity: Severity, kind: str, message: str, *, id: str = "", user: str = "", **details: str
) -> None:
    """One with the same `id` within ten minutes is the same. Raises BusError."""
    alert = Alert(
        id=id or new_id(),
        at=bus.clock.now(),
        severity=severity,
        service="gateway",
        kind=kind,
        message=message,
        user=user,
        details=details,
    )
    await bus.append(subjects.alert(severity), alert, id=alert.id)


async def try_alarm(
    bus: Bus, severity: Severity, kind: str, message: str, *, id: str = "", user: str = "", **details: str
) -> None:
    """For whoever has better to do than to wait for the bus: what cannot be stored is in the log."""
    try:
        await alarm(bus, severity, kind, message, id=id, user=user, **details)
    except BusError as error:
        log.error("alert_not_stored", kind=kind, message=message, error=str(error))
