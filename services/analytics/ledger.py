"""Every trade event into the database, once; and then the news that it is there."""

import asyncio
from collections.abc import Mapping

import structlog
from prometheus_client import Counter, Histogram

from libs.bus import Bus, BusUnavailable, Consumer, Delivery, Poison, Unavailable, tracing
from libs.bus.topology import TRADES
from libs.contracts import subjects
from libs.contracts.orders import OrderState, TradeClosed, TradeOpened, TradeRecorded
from libs.store import StoreRefused, StoreUnavailable
from libs.store.trades import BATCH, PreparedRow, RecordedTrade, Trades, prepared

log = structlog.get_logger()

CONSUMER = Consumer(
    TRADES.name,
    "analytics",  # of all there is: with two subjects to filter, nats-server 2.15 takes ten times as long
    batch=BATCH,
    max_ack_pending=4 * BATCH,
    at_once=2,
)

_TYPES: dict[str, type[TradeOpened] | type[TradeClosed]] = {
    OrderState.OPENED: TradeOpened,
    OrderState.CLOSED: TradeClosed,
}

_LEAST = 250
"""Rows in one request to a database that did not answer in time."""

_recorded = Counter("pregao_trades_recorded_total", "Trade events committed to the database", ["state"])
_seconds = Histogram("pregao_ledger_batch_seconds", "Time to commit a batch of trade events")


class Ledger:
    """The consumer acknowledges what `record` returned from: nothing before its commit."""

    def __init__(self, bus: Bus, trades: Trades) -> None:
        self._bus = bus
        self._trades = trades
        self._most = BATCH
        """Rows in one request. Fewer after one that was not answered: the same again might never be."""
        self._writing = asyncio.Lock()
        self._announcing = asyncio.Lock()

    async def record(self, batch: list[Delivery]) -> None:
        """Raises Poison for what is no trade or is refused, Unavailable while the database or the bus is away."""
        events = [(event, each.headers) for each in batch if (event := _event(each)) is not None]
        try:
            writing = prepared(event for event, _ in events)
            async with self._writing:
                with _seconds.time():
                    rows = await self._write(writing)
            # While the next batch is written, which waits here for this one: locks are fair.
            async with self._announcing:
                await asyncio.gather(*(self._announce(event, headers, rows) for event, headers in events))
        except (StoreUnavailable, BusUnavailable) as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error

    async def _write(self, writing: list[PreparedRow]) -> dict[str, RecordedTrade]:
        rows: dict[str, RecordedTrade] = {}
        while writing:
            some, writing = writing[: self._most], writing[self._most :]
            try:
                rows |= await self._trades.write(some)
            except StoreUnavailable:
                self._most = max(_LEAST, self._most // 4)
                raise
            self._most = min(BATCH, 2 * self._most)
        return rows

    async def _announce(
        self, event: TradeOpened | TradeClosed, headers: Mapping[str, str], rows: Mapping[str, RecordedTrade]
    ) -> None:
        """Stored before the trade event is acknowledged: a crash in between repeats it under the same id."""
        row = rows.get(event.order.order_id)
        if row is None:
            log.info("trade_was_deleted", order_id=event.order.order_id)
            return
        closed = event if isinstance(event, TradeClosed) else None
        opened = event if isinstance(event, TradeOpened) else None
        state = OrderState.CLOSED if closed else OrderState.OPENED
        _recorded.labels(state).inc()
        if opened and row.status != "open":
            return  # old news: it is closed by now, which is told by itself
        news = TradeRecorded(
            id=f"{event.id}.recorded", at=self._bus.clock.now(), trade_id=row.id, opened=opened, closed=closed
        )
        with tracing.received("tell of a trade", headers):  # its own, whatever came with it in one batch
            await self._bus.append(subjects.ledger(event.order.user, state), news, id=news.id)


def _event(delivery: Delivery) -> TradeOpened | TradeClosed | None:
    """None: an order that came to nothing."""
    type_ = _TYPES.get(delivery.subject.rsplit(".", 1)[1])
    return None if type_ is None else delivery.decode(type_)
