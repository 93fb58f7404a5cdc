"""From the stream of alerts to one sink: each until it is taken, in the end late rather than never."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import msgspec
import structlog
from prometheus_client import Counter

from libs.bus import Delivery, Unavailable
from libs.contracts.alerts import Alert, Severity
from libs.contracts.clock import Clock
from libs.contracts.codec import decode

log = structlog.get_logger()

BACKOFF = (1.0, 5.0, 15.0, 60.0, 300.0)
"""Seconds before the second, third, … try; the last again and again."""

_GRAVITY = list(Severity)

_deliveries = Counter("pregao_alert_deliveries_total", "Tries to tell a sink of alerts", ["sink", "outcome"])


class NotTaken(Exception):
    """It may have been, when nobody answered; a repetition carries the same id."""


class Sink(Protocol):
    name: str

    async def send(self, alerts: Sequence[Alert]) -> None:
        """Returns when the other side has taken them. Raises NotTaken."""
        ...


class Delivering:
    def __init__(self, sink: Sink, least: Severity, oldest: timedelta, clock: Clock) -> None:
        self._sink = sink
        self._least = _GRAVITY.index(least)
        self._oldest = oldest
        self._clock = clock

    async def deliver(self, batch: list[Delivery]) -> None:
        """Raises Unavailable when they were not taken: the same come again, after a while that grows."""
        alerts = [alert for delivery in batch if (alert := self._wanted(delivery)) is not None]
        if not alerts:
            return
        try:
            await self._sink.send(alerts)
        except NotTaken as error:
            _deliveries.labels(self._sink.name, "refused").inc()
            log.warning("alerts_not_taken", sink=self._sink.name, number=len(alerts), error=str(error))
            raise Unavailable(str(error)) from error
        _deliveries.labels(self._sink.name, "taken").inc()

    def _wanted(self, delivery: Delivery) -> Alert | None:
        try:
            alert = decode(delivery.data, Alert)
        except msgspec.DecodeError:
            return None  # who writes alerts into the database sets it aside
        if max(_GRAVITY.index(alert.severity), 1 if alert.ends else 0) < self._least:
            return None
        if self._clock.now() - alert.at > self._oldest:
            if delivery.attempt > 1:
                _deliveries.labels(self._sink.name, "given_up").inc()
                log.error("alert_given_up", sink=self._sink.name, alert=alert.id, kind=alert.kind)
            return None
        return alert
