"""Every alert into the database, once; and then the news of it, with the number administrators call it by."""

import asyncio
from collections.abc import Iterable, Mapping

from libs.bus import Bus, BusUnavailable, Consumer, Delivery, Poison, Unavailable
from libs.bus.topology import ALERTS
from libs.contracts import subjects
from libs.contracts.alerts import Alert, AlertRecorded
from libs.store import StoreRefused, StoreUnavailable
from libs.store.alerts import BATCH, Alerts
from services.analytics.logs import LogBook, of_alert

CONSUMER = Consumer(ALERTS.name, "analytics", batch=BATCH)


class AlertBook:
    """The consumer acknowledges what `record` returned from: nothing before its commit."""

    def __init__(self, bus: Bus, alerts: Alerts, logs: LogBook) -> None:
        self._bus = bus
        self._alerts = alerts
        self._logs = logs

    async def record(self, batch: list[Delivery]) -> None:
        """Raises Poison for what is no alert or is refused, Unavailable while the database or the bus is away."""
        alerts = [delivery.decode(Alert) for delivery in batch]
        try:
            numbers = await self._numbers(alerts, batch)
            await self._announce(alerts, numbers)
            await self._logs.record([of_alert(alert) for alert in alerts])
        except (StoreUnavailable, BusUnavailable) as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error

    async def _numbers(self, alerts: list[Alert], batch: list[Delivery]) -> Mapping[str, int]:
        try:
            return await self._alerts.record(alerts)
        except StoreUnavailable:
            # Who looks on need not wait for the database: it may be what the alert is about.
            await self._announce(alert for alert, delivery in zip(alerts, batch, strict=True) if delivery.attempt == 1)
            raise

    async def _announce(self, alerts: Iterable[Alert], numbers: Mapping[str, int] | None = None) -> None:
        """A crash afterwards repeats it under the same id."""
        suffix = "waiting" if numbers is None else "recorded"
        told = [
            AlertRecorded(
                id=f"{alert.id}.{suffix}",
                at=self._bus.clock.now(),
                number=0 if numbers is None else numbers[alert.id],
                alert=alert,
            )
            for alert in alerts
        ]
        await asyncio.gather(*(self._bus.append(subjects.OPERATORS_ALERT, each, id=each.id) for each in told))
