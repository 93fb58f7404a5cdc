"""What an operator must see, in the stream ALERTS (docs/operations.md)."""

import structlog

from libs.bus import Bus, BusError
from libs.contracts import subjects
from libs.contracts.alerts import Alert, Severity

log = structlog.get_logger()


async def alarm(bus: Bus, kind: str, message: str, *, id: str, user: str = "", **details: str) -> None:
    """One with the same `id` within ten minutes is the same. What cannot be stored is in the log."""
    alert = Alert(
        id=id,
        at=bus.clock.now(),
        severity=Severity.CRITICAL,
        service="bots",
        kind=kind,
        message=message,
        user=user,
        details=details,
    )
    try:
        await bus.append(subjects.alert(alert.severity), alert, id=alert.id)
    except BusError as error:
        log.error("alert_not_stored", kind=kind, message=message, error=str(error))
