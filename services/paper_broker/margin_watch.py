"""What the market does to margin trading: pending orders, stop losses and take profits come true, margins are used up.

Everything that has a price happens at the first tick that reaches it, in the order of ticks, however late that is found
out. How far the price of an active went in a step tells whether there is anything to search for. After each step the
margin levels are looked at. A step is the time since the last look; after a long absence (a restart) it is a minute, or
so much more that there are at most 1440.
"""

from collections.abc import Iterator
from typing import NamedTuple

from services.paper_broker.catalogue import Active
from services.paper_broker.epoch import MINUTE, TICKS_PER_SECOND, current_from, ticks_before
from services.paper_broker.floor import Floor
from services.paper_broker.margin_book import MarginBook, Pending, Trigger
from services.paper_broker.margin_orders import MarginOrders
from services.paper_broker.margin_positions import MarginPositions
from services.paper_broker.orders import Order
from services.paper_broker.positions import CloseReason, Position

_STEP = MINUTE * TICKS_PER_SECOND
_MOST_STEPS = 1440


class Happened(NamedTuple):
    """An order that was filled or rejected, and what it opened; or without an order a position that was closed."""

    order: Order | None
    position: Position | None


class _Hit(NamedTuple):
    tick: int
    number: int
    trigger: Trigger


class MarginWatch:
    def __init__(self, floor: Floor, book: MarginBook, orders: MarginOrders, positions: MarginPositions) -> None:
        self._floor = floor
        self._book = book
        self._orders = orders
        self._positions = positions
        row = floor.storage.row("SELECT tick FROM margin_watch")
        self._done: int = max(0 if row is None else row["tick"], book.since)
        """Ticks of the epoch that have been looked at."""
        self._kept = self._done

    def advance(self, now: int) -> list[Happened]:
        """Until an epoch millisecond; what is to be told."""
        until = ticks_before(now)
        if not self._book:
            self._done = max(until, self._done)
            return []
        happened = [each for step in self._steps(until) for each in self._step(step)]
        self._keep()
        return happened

    def _steps(self, until: int) -> Iterator[int]:
        """The ticks that steps end with."""
        size = max(_STEP, -(-(until - self._done) // _MOST_STEPS))
        yield from range(self._done + size, until, size)
        yield until

    def _step(self, until: int) -> Iterator[Happened]:
        if until <= self._done:
            return
        while (hit := self._first_hit(until)) is not None:
            self._done = hit.tick - 1  # others may happen in the same tick
            yield self._carry_out(hit)
        self._done = until
        at = current_from(until)
        for balance_id in self._book.balances():
            for position in self._positions.stop_out(balance_id, at):
                yield Happened(None, position)

    def _carry_out(self, hit: _Hit) -> Happened:
        item, at = hit.trigger.item, current_from(hit.tick)
        if isinstance(item, Pending):
            return Happened(*self._orders.fill(item, at))
        return Happened(None, self._positions.close(item, hit.trigger.reason or CloseReason.DEFAULT, at))

    def _first_hit(self, until: int) -> _Hit | None:
        first: _Hit | None = None
        for active_id in self._book.actives():
            active = self._floor.catalogue.get(active_id)
            swing = None if active is None else self._floor.market.swing(active, self._done, until)
            if active is None or swing is None:
                continue
            for trigger in self._book.triggers(active_id):
                if trigger.reached(swing):
                    tick = self._tick(active, trigger, until)
                    if tick is not None and (first is None or (tick, trigger.number) < first[:2]):
                        first = _Hit(tick, trigger.number, trigger)
        return first

    def _tick(self, active: Active, trigger: Trigger, until: int) -> int | None:
        """The first one that reaches it."""
        since = max(self._done, trigger.since)
        if not self._reached(active, trigger, since, until):
            return None
        while until - since > 1:
            middle = (since + until) // 2
            if self._reached(active, trigger, since, middle):
                until = middle
            else:
                since = middle
        return until

    def _reached(self, active: Active, trigger: Trigger, since: int, until: int) -> bool:
        swing = self._floor.market.swing(active, since, until) if since < until else None
        return swing is not None and trigger.reached(swing)

    def _keep(self) -> None:
        """Once a second is enough: what is looked at twice happens once."""
        if self._done - self._kept >= TICKS_PER_SECOND:
            with self._floor.storage.transaction():
                self._floor.storage.change("INSERT OR REPLACE INTO margin_watch (id, tick) VALUES (1, ?)", self._done)
            self._kept = self._done
