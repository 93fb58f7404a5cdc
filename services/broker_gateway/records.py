"""The records of one user's orders, and the events that tell their story (docs/architecture.md, "An order").

A record moves by revision, so that of everybody who wants to move it one succeeds. `intended → sending` is the
permission to send: it succeeds once, ever. From there on the event is stored before the record follows, so a crash
between the two repeats the event, under the same id, and never loses it.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog
from msgspec.structs import replace
from prometheus_client import Counter

from libs.bus import Bus, Entry, RevisionConflict, tracing
from libs.bus.topology import ORDERS
from libs.contracts import subjects
from libs.contracts.alerts import Severity
from libs.contracts.orders import (
    FINAL_RECORD_LIFE,
    OrderRecord,
    OrderState,
    Position,
    RejectCode,
    Settlement,
    TradeClosed,
    TradeEvent,
    TradeFailed,
    TradeOpened,
)
from services.broker_gateway.alarms import alarm
from services.broker_gateway.broker import PositionKey

log = structlog.get_logger()

Change = Callable[[OrderRecord], tuple[TradeEvent, OrderRecord]]
Movable = Callable[[OrderRecord], bool]

_outcomes = Counter("pregao_orders_total", "Orders by what became of them", ["outcome"])


class OrderGone(Exception):
    """There is no such record: it was never made, or finished more than a day ago."""


class Records:
    """Every method raises BusError when the bus does not confirm; repeating it is safe."""

    def __init__(self, user: str, bus: Bus, account: str = "") -> None:
        """`account`: the broker user whose session orders are claimed for."""
        self._user = user
        self._account = account
        self._bus = bus
        self._clock = bus.clock
        self._orders = bus.bucket(ORDERS)
        self._moving = asyncio.Lock()

    async def read(self, order_id: str) -> Entry[OrderRecord]:
        """Raises OrderGone."""
        entry = await self._orders.get(f"{self._user}.{order_id}", OrderRecord)
        if entry is None:
            raise OrderGone(order_id)
        return entry

    async def pending(self) -> list[OrderRecord]:
        """Orders of this account that were sent and have no result, also those that were given up."""
        entries = await self._orders.entries(f"{self._user}.*", OrderRecord)
        records = [entry.value for entry in entries if entry.value.broker_user_id == self._account]
        return [record for record in records if record.sent_at is not None and _is_pending(record)]

    async def booked(self, since: datetime) -> list[OrderRecord]:
        """Orders decided since then whose position is known, in the order of their decisions."""
        records = [entry.value for entry in await self._orders.entries(f"{self._user}.*", OrderRecord)]
        booked = [record for record in records if record.position is not None and record.order.at >= since]
        return sorted(booked, key=lambda record: record.order.at)

    def own(self, record: OrderRecord) -> bool:
        """Whether it was sent for this account at the broker."""
        return record.broker_user_id == self._account

    async def linked(self, besides: str) -> set[PositionKey]:
        """Positions that belong to this user's other orders."""
        entries = await self._orders.entries(f"{self._user}.*", OrderRecord)
        return {
            (entry.value.order.option, entry.value.position.position_id)
            for entry in entries
            if entry.value.position is not None and entry.value.order.order_id != besides
        }

    async def claim(
        self, entry: Entry[OrderRecord], balance_id: int | None, broker_time: datetime | None = None
    ) -> OrderRecord | None:
        """Move *intended* to *sending*: the permission to send. None when somebody else has it."""
        now = self._clock.now()
        claimed = replace(
            entry.value,
            state=OrderState.SENDING,
            sent_at=now,
            broker_sent_at=broker_time,
            updated_at=now,
            broker_user_id=self._account,
            balance_id=balance_id,
        )
        try:
            await self._orders.update(entry.key, claimed, entry.revision)
        except RevisionConflict:
            return None
        return claimed

    async def claim_sale(self, order_id: str) -> OrderRecord | None:
        """The permission to sell an open position. None when it was taken before, or nothing is open."""
        return await self._mark_sale(order_id, None, self._clock.now())

    async def release_sale(self, claimed: OrderRecord) -> None:
        """The sale was certainly not made: it may be asked for again."""
        await self._mark_sale(claimed.order.order_id, claimed.sale_sent_at, None)

    async def _mark_sale(self, order_id: str, known: datetime | None, sent_at: datetime | None) -> OrderRecord | None:
        async with self._moving:
            entry = await self.read(order_id)
            if entry.value.state is not OrderState.OPENED or entry.value.sale_sent_at != known:
                return None
            marked = replace(entry.value, sale_sent_at=sent_at, updated_at=self._clock.now())
            try:
                await self._orders.update(entry.key, marked, entry.revision)
            except RevisionConflict:
                return None
            return marked

    async def expire(self, order_id: str) -> None:
        """Reject an order that nobody sent in time. Claims it first, so that nobody sends it meanwhile."""
        entry = await self.read(order_id)
        late = self._clock.now() >= entry.value.order.expires_at
        if late and entry.value.state is OrderState.INTENDED and await self.claim(entry, None) is not None:
            await self.reject(order_id, RejectCode.EXPIRED, "not sent in time")

    async def open(self, order_id: str, position: Position) -> OrderRecord:
        def change(record: OrderRecord) -> tuple[TradeEvent, OrderRecord]:
            event = TradeOpened(id=f"{order_id}.opened", at=self._clock.now(), order=record.order, position=position)
            return event, replace(record, state=OrderState.OPENED, position=position)

        return await self._move(order_id, _is(OrderState.SENDING), change)

    async def close(self, order_id: str, position: Position, settlement: Settlement) -> OrderRecord:
        """Also of one that was given up while its result did not come: what the broker says in the end counts."""

        def change(record: OrderRecord) -> tuple[TradeEvent, OrderRecord]:
            opened = record.position or position
            event = TradeClosed(
                id=f"{order_id}.closed",
                at=self._clock.now(),
                order=record.order,
                position=opened,
                settlement=settlement,
            )
            return event, replace(
                record, state=OrderState.CLOSED, position=opened, settlement=settlement, code="", reason=""
            )

        return await self._move(order_id, _closable, change)

    async def reject(self, order_id: str, code: RejectCode, reason: str) -> OrderRecord:
        return await self._fail(order_id, OrderState.REJECTED, code, reason)

    async def give_up(self, order_id: str, expected: OrderState, reason: str) -> OrderRecord:
        """Nobody can tell what became of it: the outcome is *unknown*, and an operator is told."""
        return await self._fail(order_id, OrderState.UNKNOWN, RejectCode.UNDECIDED, reason, expected)

    async def _fail(
        self,
        order_id: str,
        state: OrderState,
        code: RejectCode,
        reason: str,
        expected: OrderState = OrderState.SENDING,
    ) -> OrderRecord:
        def change(record: OrderRecord) -> tuple[TradeEvent, OrderRecord]:
            event = TradeFailed(
                id=f"{order_id}.{state}",
                at=self._clock.now(),
                order=record.order,
                state=state,
                code=code,
                reason=reason,
            )
            return event, replace(record, state=state, code=code, reason=reason)

        return await self._move(order_id, _is(expected), change)

    async def _move(self, order_id: str, movable: Movable, change: Change) -> OrderRecord:
        """Store the event, then the record; the record as it stands afterwards, whoever moved it."""
        async with self._moving:
            entry = await self.read(order_id)
            if not movable(entry.value):
                return entry.value
            event, record = change(entry.value)
            # A result comes by itself, long after the order was sent.
            with tracing.resumed(f"order {record.state}", entry.cause, order=order_id):
                return await self._store(entry, event, replace(record, updated_at=event.at))

    async def _store(self, entry: Entry[OrderRecord], event: TradeEvent, record: OrderRecord) -> OrderRecord:
        await self._bus.append(subjects.trade(self._user, record.state), event, id=event.id)
        if record.state is OrderState.UNKNOWN:
            await self._alarm(record, "order_unknown", record.reason)
        try:
            life = FINAL_RECORD_LIFE if record.state.final else None
            await self._orders.update(entry.key, record, entry.revision, ttl=life)
        except RevisionConflict:
            return (await self.read(record.order.order_id)).value
        _outcomes.labels(record.state).inc()
        log.info(
            "order_moved",
            order_id=record.order.order_id,
            state=record.state,
            code=record.code,
            reason=record.reason,
        )
        return record

    async def report(self, record: OrderRecord, problem: str) -> None:
        """What became of an order should be known by now, and cannot be found out; an operator is told, again every ten
        minutes."""
        await self._alarm(record, "order_overdue", problem)

    async def _alarm(self, record: OrderRecord, kind: str, message: str) -> None:
        order = record.order
        await alarm(
            self._bus,
            Severity.CRITICAL,
            kind,
            message,
            id=f"{order.order_id}.{kind}",
            user=self._user,
            order_id=order.order_id,
            ticker=order.ticker,
            stake=str(order.stake),
        )


def _is(state: OrderState) -> Movable:
    return lambda record: record.state is state


def _is_pending(record: OrderRecord) -> bool:
    return not record.state.final or _closable(record)


def _closable(record: OrderRecord) -> bool:
    """Its position is known, and no result yet."""
    return record.position is not None and record.state in (OrderState.OPENED, OrderState.UNKNOWN)
