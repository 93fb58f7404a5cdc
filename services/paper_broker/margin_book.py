"""What is open and what waits for its price in margin trading: in the database, and at hand by active and balance."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from sqlite3 import Row
from typing import Literal, NamedTuple

import msgspec

from services.paper_broker.epoch import ticks_before
from services.paper_broker.floor import Floor
from services.paper_broker.margin_terms import PlaceOrder
from services.paper_broker.market import Quote, Swing
from services.paper_broker.orders import Order, OrderStatus, stored_order
from services.paper_broker.positions import CloseReason, Position


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """An order that waits for its price."""

    order: Order
    since: int
    """The tick of the epoch it was placed after."""
    price: float
    rising: bool
    """Whether the price comes from below."""
    request: PlaceOrder


class Trigger(NamedTuple):
    """A price at which something happens."""

    side: Literal["bid", "ask"]
    price: float
    rising: bool
    since: int
    """Ticks of the epoch up to this one do not count."""
    item: Position | Pending
    reason: CloseReason | None = None
    """Of a position."""

    @property
    def number(self) -> int:
        return self.item.external_id if isinstance(self.item, Position) else self.item.order.id

    def reached(self, swing: Swing) -> bool:
        return self._at(swing.high) >= self.price if self.rising else self._at(swing.low) <= self.price

    def _at(self, quote: Quote) -> float:
        return quote.bid if self.side == "bid" else quote.ask


class MarginBook:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._positions: defaultdict[int, dict[int, Position]] = defaultdict(dict)
        """By balance and number."""
        self._triggers: defaultdict[int, dict[int, list[Trigger]]] = defaultdict(dict)
        """By active and number of the position or order: they count together."""
        self._pending: dict[int, Pending] = {}
        for position in floor.positions.on_margin():
            self._keep(position)
        for row in floor.storage.rows("SELECT * FROM pending_orders JOIN orders USING (id) ORDER BY id"):
            self.waits(_pending(row))

    def __bool__(self) -> bool:
        return bool(self._positions or self._triggers)

    @property
    def since(self) -> int:
        """The tick of the epoch after which the oldest of it began; 0 without any."""
        opened = (each.open_time for theirs in self._positions.values() for each in theirs.values())
        ticks = [*map(ticks_before, opened), *(each.since for each in self._pending.values())]
        return min(ticks, default=0)

    def store(self, pending: Pending) -> None:
        """Inside a transaction, after which `waits` takes note of it."""
        self._floor.storage.change(
            "INSERT INTO pending_orders (id, since, price, rising, request) VALUES (?, ?, ?, ?, ?)",
            *(pending.order.id, pending.since, pending.price, pending.rising, msgspec.json.encode(pending.request)),
        )

    def finish(self, pending: Pending, status: OrderStatus, position_id: str | None = None) -> Order:
        """Inside a transaction, after which `gone` takes note of it."""
        self._floor.storage.change("DELETE FROM pending_orders WHERE id = ?", pending.order.id)
        return self._floor.orders.finish(pending.order, status, position_id)

    def waits(self, pending: Pending) -> None:
        side: Literal["bid", "ask"] = "ask" if pending.request.side == "buy" else "bid"
        trigger = Trigger(side, pending.price, pending.rising, pending.since, pending)
        self._triggers[pending.request.instrument_active_id][pending.order.id] = [trigger]
        self._pending[pending.order.id] = pending

    def opened(self, position: Position) -> None:
        self._floor.positions.opened(position)
        self._keep(position)

    def closed(self, position: Position) -> None:
        self._floor.positions.closed(position)
        theirs = self._positions[position.balance_id]
        theirs.pop(position.external_id, None)
        if not theirs:
            del self._positions[position.balance_id]
        self._forget(position.active_id, position.external_id)

    def gone(self, pending: Pending) -> None:
        del self._pending[pending.order.id]
        self._forget(pending.request.instrument_active_id, pending.order.id)

    def pending(self, user_id: int, order_id: int) -> Pending | None:
        """Only if it is that user's."""
        found = self._pending.get(order_id)
        return found if found is not None and found.order.user_id == user_id else None

    def of(self, balance_id: int) -> Collection[Position]:
        """Open ones, oldest first."""
        return self._positions.get(balance_id, {}).values()

    def balances(self) -> list[int]:
        """Those on which something is open."""
        return list(self._positions)

    def actives(self) -> list[int]:
        """Those at a price of which something happens."""
        return list(self._triggers)

    def triggers(self, active_id: int) -> Iterable[Trigger]:
        return (each for triggers in self._triggers.get(active_id, {}).values() for each in triggers)

    def _keep(self, position: Position) -> None:
        self._positions[position.balance_id][position.external_id] = position
        triggers = list(_protection(position))
        if triggers:
            self._triggers[position.active_id][position.external_id] = triggers

    def _forget(self, active_id: int, number: int) -> None:
        theirs = self._triggers[active_id]
        theirs.pop(number, None)
        if not theirs:
            del self._triggers[active_id]


def _protection(position: Position) -> Iterable[Trigger]:
    """What was bought is sold at the bid."""
    exposure, bought, since = position.exposure, position.direction == "call", ticks_before(position.open_time)
    if exposure is None:
        return
    side: Literal["bid", "ask"] = "bid" if bought else "ask"
    if exposure.stop_loss is not None:
        yield Trigger(side, exposure.stop_loss, not bought, since, position, CloseReason.STOP_LOSS)
    if exposure.take_profit is not None:
        yield Trigger(side, exposure.take_profit, bought, since, position, CloseReason.TAKE_PROFIT)


def _pending(row: Row) -> Pending:
    return Pending(
        order=stored_order(row),
        since=row["since"],
        price=row["price"],
        rising=bool(row["rising"]),
        request=msgspec.json.decode(row["request"], type=PlaceOrder),
    )
