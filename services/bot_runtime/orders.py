"""The records of orders: made here, sent by the gateway (architecture §4)."""

import msgspec
import structlog
from prometheus_client import Counter

from libs.bus import Bus, Entry, RevisionConflict
from libs.bus.topology import ORDERS
from libs.contracts import subjects
from libs.contracts.orders import FINAL_RECORD_LIFE, Order, OrderRecord, OrderState, RejectCode, TradeFailed
from libs.contracts.rpc import SUBMIT_ORDER, ErrorCode, RpcError, SubmitOrder

log = structlog.get_logger()

_outcomes = Counter("pregao_bot_orders_total", "Orders by what came of handing them to the gateway", ["outcome"])


def _key(user: str, order_id: str) -> str:
    return f"{user}.{order_id}"


class Orders:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._records = bus.bucket(ORDERS)

    async def find(self, user: str, order_id: str) -> OrderRecord | None:
        entry = await self._entry(user, order_id)
        return None if entry is None else entry.value

    async def create(self, order: Order) -> OrderRecord:
        """Write the intent, which succeeds once, ever. If the id was taken, the record that took it, unchanged."""
        record = OrderRecord(order=order, updated_at=order.at)
        try:
            await self._records.create(_key(order.user, order.order_id), record)
        except RevisionConflict:
            existing = await self.find(order.user, order.order_id)
            if existing is None:
                raise
            return existing
        return record

    async def submit(self, order: Order) -> OrderRecord | None:
        """Ask the gateway to send it. None when there was no clear answer: trade events and the record will tell."""
        try:
            record = await self._bus.call(
                SUBMIT_ORDER,
                SubmitOrder(order_id=order.order_id),
                subject=subjects.session_rpc(order.user, "order"),
            )
        except RpcError as error:
            if error.code is ErrorCode.UNAVAILABLE:
                return await self.reject(order, RejectCode.NO_SESSION, error.message)
            _outcomes.labels(error.code).inc()
            log.warning("order_unanswered", user=order.user, order_id=order.order_id, code=error.code)
            return None
        _outcomes.labels(record.state).inc()
        return record

    async def reject(self, order: Order, code: RejectCode, reason: str) -> OrderRecord | None:
        """Take back an intent that was not sent. Returns the record as it then is: the gateway may have been faster."""
        entry = await self._entry(order.user, order.order_id)
        if entry is None or entry.value.state is not OrderState.INTENDED:
            return None if entry is None else entry.value
        rejected = msgspec.structs.replace(
            entry.value, state=OrderState.REJECTED, code=code, reason=reason, updated_at=self._bus.clock.now()
        )
        try:
            await self._records.update(entry.key, rejected, entry.revision, ttl=FINAL_RECORD_LIFE)
        except RevisionConflict:
            return await self.find(order.user, order.order_id)
        _outcomes.labels(code).inc()
        await self.announce(rejected)
        return rejected

    async def announce(self, rejected: OrderRecord) -> None:
        """Tell of a rejection; its id makes a repetition harmless."""
        event = TradeFailed(
            id=f"{rejected.order.order_id}.rejected",
            at=rejected.updated_at,
            order=rejected.order,
            state=OrderState.REJECTED,
            code=rejected.code,
            reason=rejected.reason,
        )
        await self._bus.append(subjects.trade(rejected.order.user, OrderState.REJECTED), event, id=event.id)

    async def _entry(self, user: str, order_id: str) -> Entry[OrderRecord] | None:
        return await self._records.get(_key(user, order_id), OrderRecord)
