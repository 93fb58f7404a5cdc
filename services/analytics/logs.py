"""The log that administrators read: what they changed, and what went wrong.

It is made of events, so that nothing is missed while analytics is away and nothing is told twice. What a process
does besides is in its own log.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from libs.bus import Bus, BusError, BusUnavailable, Consumer, Delivery, Poison, Unavailable
from libs.bus.consumer import ORIGINAL_SUBJECT, REASON
from libs.bus.topology import DEAD_LETTERS, PLATFORM, TRADES
from libs.contracts import subjects
from libs.contracts.alerts import Alert, Severity
from libs.contracts.clock import Clock
from libs.contracts.logs import LogLevel, LogOrigin, LogRecorded
from libs.contracts.orders import OrderState, RejectCode, TradeFailed
from libs.contracts.platform import PlatformRecord, UserLimitsRecord
from libs.store import StoreError, StoreRefused, StoreUnavailable
from libs.store.logs import BATCH, Entry, Logs

log = structlog.get_logger()

FAILED_ORDERS = Consumer(
    TRADES.name,
    "analytics-logs",
    subjects=(subjects.trade("*", OrderState.REJECTED), subjects.trade("*", OrderState.UNKNOWN)),
    batch=BATCH,
    linger=0.1,
)
ADMINISTRATION = Consumer(PLATFORM.stream, "analytics-logs", batch=BATCH)
SET_ASIDE = Consumer(DEAD_LETTERS.name, "analytics-logs", batch=BATCH)

_HOUR = 3600.0
_LEVELS = {Severity.INFO: LogLevel.INFO, Severity.WARNING: LogLevel.WARN, Severity.CRITICAL: LogLevel.CRITICAL}
_ORIGINS = {"bots": LogOrigin.BOT, "edge": LogOrigin.API}
_OURS = (RejectCode.EXPIRED, RejectCode.NO_SESSION, RejectCode.PAYOUT_TOO_LOW)
"""Orders that were not sent, for good reasons."""


async def forget_in_time(logs: Logs, clock: Clock, days: int) -> None:
    """Until cancelled; every process may, because it is done once."""
    while True:
        try:
            if deleted := await logs.forget(clock.now() - timedelta(days=days)):
                log.info("log_entries_forgotten", number=deleted)
        except StoreError as error:
            log.warning("log_entries_not_forgotten", error=str(error))
        await asyncio.sleep(_HOUR)


_NEWS = timedelta(minutes=5)
"""What is older was told when it was made, and somebody has asked for the same again."""


class LogBook:
    """Consumers acknowledge what its methods returned from: nothing before its commit. All of them raise Poison and
    Unavailable."""

    def __init__(self, bus: Bus, logs: Logs) -> None:
        self._bus = bus
        self._logs = logs

    async def failed_orders(self, batch: list[Delivery]) -> None:
        await self._keep([of_failure(delivery.decode(TradeFailed)) for delivery in batch])

    async def administration(self, batch: list[Delivery]) -> None:
        await self._keep([entry for delivery in batch if (entry := of_setting(delivery)) is not None])

    async def set_aside(self, batch: list[Delivery]) -> None:
        """Nothing of this is set aside again: it would come back here for ever."""
        try:
            await self._keep([of_dead_letter(delivery) for delivery in batch])
        except Poison as error:
            if len(batch) > 1:
                raise  # one by one, then
            log.error("dead_letter_not_logged", subject=batch[0].subject, error=str(error))

    async def record(self, entries: list[Entry]) -> None:
        """Raises StoreError, BusError."""
        if not entries:
            return
        numbers = await self._logs.record(entries)
        told = [
            LogRecorded(
                id=f"{entry.event_id}.logged",
                at=entry.created_at,
                number=numbers[entry.event_id],
                level=entry.level,
                origin=entry.origin,
                message=entry.message,
                metadata=dict(entry.metadata),
            )
            for entry in entries
        ]
        await asyncio.gather(*(self._bus.append(subjects.OPERATORS_LOG, each, id=each.id) for each in told))

    async def tell(self, event_id: str) -> None:
        """To who looks on, what is in the log already, such as what an administrator did; what counts is committed."""
        try:
            row = await self._logs.of_event(event_id)
            if row is not None and self._bus.clock.now() - row.created_at < _NEWS:
                told = LogRecorded(
                    id=f"{event_id}.logged",
                    at=row.created_at,
                    number=row.id,
                    level=LogLevel(row.level),
                    origin=LogOrigin(row.origin),
                    message=row.message,
                    metadata=row.metadata,
                )
                await self._bus.append(subjects.OPERATORS_LOG, told, id=told.id)
        except (StoreError, BusError) as error:
            log.warning("entry_not_told", event=event_id, error=str(error))

    async def _keep(self, entries: list[Entry]) -> None:
        try:
            await self.record(entries)
        except (StoreUnavailable, BusUnavailable) as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error


def of_alert(alert: Alert) -> Entry:
    return Entry(
        event_id=f"alert.{alert.id}",
        level=_LEVELS[alert.severity],
        origin=_ORIGINS.get(alert.service, LogOrigin.WORKER),
        message=alert.message,
        metadata={**alert.details, "service": alert.service, "kind": alert.kind, "user": alert.user or None},
        created_at=alert.at,
    )


def of_failure(failed: TradeFailed) -> Entry:
    """An order that was not booked, or of which nobody knows."""
    order = failed.order
    level = LogLevel.INFO if failed.code in _OURS else LogLevel.WARN
    return Entry(
        event_id=failed.id,
        level=LogLevel.ERROR if failed.state is OrderState.UNKNOWN else level,
        origin=LogOrigin.BOT,
        message=f"Order {failed.state}: {failed.reason or failed.code}",
        metadata={
            "user": order.user,
            "order": order.order_id,
            "code": failed.code,
            "asset": order.ticker,
            "stake": str(order.stake),
            "account_type": order.account_type,
            "strategy": order.strategy,
        },
        created_at=failed.at,
    )


def of_setting(delivery: Delivery) -> Entry | None:
    """What an administrator has changed for the platform or a user, or who may not come in any more.

    Raises Poison for what nobody can read.
    """
    key = delivery.subject.removeprefix(f"$KV.{PLATFORM.name}.")
    at = datetime.fromtimestamp(delivery.at, UTC)
    kind, _, user = key.partition(".")
    metadata: dict[str, str | int | None] = {"user": user or None}
    level = LogLevel.INFO
    if kind == "barred":
        level = LogLevel.WARN
        message = "A suspended user may not come in any more" if delivery.data else "A user may come in again"
    elif not delivery.data:
        message = f"{key} was deleted"
    elif kind in ("platform", "user"):
        record: PlatformRecord | UserLimitsRecord
        record = delivery.decode(PlatformRecord) if kind == "platform" else delivery.decode(UserLimitsRecord)
        at = record.at
        metadata |= {"by": record.by, "now": msgspec.json.encode(record.value).decode()}
        message = "The limits of a user were set" if user else "The platform was set"
    else:
        return None
    return Entry(
        event_id=f"{PLATFORM.stream}.{delivery.sequence}.{delivery.at:.6f}",
        level=level,
        origin=LogOrigin.API,
        message=message,
        metadata=metadata,
        audit=True,
        created_at=at,
    )


def of_dead_letter(delivery: Delivery) -> Entry:
    """The store may be lost, and numbers with it: so the time, too."""
    _, stream, consumer = delivery.subject.split(".", 2)
    reason = delivery.headers.get(REASON, "")
    return Entry(
        event_id=f"{DEAD_LETTERS.name}.{delivery.sequence}.{delivery.at:.6f}",
        level=LogLevel.ERROR,
        origin=LogOrigin.WORKER,
        message=f"A message was set aside by {consumer}: {reason}",
        metadata={
            "stream": stream,
            "consumer": consumer,
            "dead_letter": delivery.sequence,
            "subject": delivery.headers.get(ORIGINAL_SUBJECT),
        },
        created_at=datetime.fromtimestamp(delivery.at, UTC),
    )
