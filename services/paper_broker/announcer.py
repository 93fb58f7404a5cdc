"""Telling a user's connections what happened to their positions and balances."""

import asyncio
from collections.abc import Callable

from services.paper_broker.accounts import Accounts, Balance
from services.paper_broker.faults import DuplicateEvent, Faults, ReorderEvents, SwallowEvent
from services.paper_broker.hub import Hub, Topic
from services.paper_broker.margin_balances import MarginBalances
from services.paper_broker.orders import Order
from services.paper_broker.portfolio import order_record, record
from services.paper_broker.positions import Position
from services.paper_broker.topics import BALANCE, MARGIN_BALANCE, ORDER, POSITION
from services.paper_broker.wire import event

EVENT_GAP = 0.06
"""Seconds from a reply to the event of its order, and from there to the event of the position: clients listen for one
only when they have seen the other (quadcode-protocol §20.8: at least 50 ms)."""


class Announcer:
    def __init__(self, hub: Hub, accounts: Accounts, margin: MarginBalances, faults: Faults, speed: int) -> None:
        """`speed`: seconds of the platform's time in one of the world."""
        self._hub = hub
        self._accounts = accounts
        self._margin = margin
        self._faults = faults
        self._speed = speed
        self._coming: set[asyncio.TimerHandle] = set()
        self._unopened: dict[str, Position] = {}
        """Positions whose opening is still to be told, by id."""
        self._held: dict[tuple[int, str], tuple[Topic, bytes]] = {}
        """Events that wait for the one that is to overtake them, by user and name."""

    def close(self) -> None:
        """Tell nothing more."""
        for timer in self._coming:
            timer.cancel()

    def opened(self, position: Position) -> None:
        """By the request that is about to be answered."""
        self._unopened[position.id] = position
        self._soon(lambda: self._tell_opened(position.id))

    def ordered(self, order: Order, position: Position | None = None) -> None:
        """By the request that is about to be answered; `position` is what the order opened."""
        if position is not None:
            self._unopened[position.id] = position
        self._soon(lambda: self._tell_filled(order, position))

    def order_changed(self, order: Order) -> None:
        topic = Topic(ORDER, (order.user_id, order.instrument_type))
        self._publish(order.user_id, topic, "portfolio", "order-changed", order_record(order))

    def sold(self, position: Position) -> None:
        """By the request that is about to be answered."""
        self._soon(lambda: self.closed(position))

    def closed(self, position: Position) -> None:
        """After its opening, which is told now if it was still to come: time may be fast here."""
        self._tell_opened(position.id)
        if not self._faults.withheld(position):
            self._tell(position)

    def happened(self, order: Order | None, position: Position | None) -> None:
        """To margin trading (margin_watch.py)."""
        if order is not None:
            self.ordered(order, position)
        elif position is not None:
            self.closed(position)

    def changed(self, balance: Balance) -> None:
        """By the request that is about to be answered; the amount is read when it is told."""
        self._soon(lambda: self._tell_balance(balance.user_id, balance.id))

    def _tell_filled(self, order: Order, position: Position | None) -> None:
        self.order_changed(order)
        if position is not None:
            self._soon(lambda: self._tell_opened(position.id))

    def _tell_opened(self, position_id: str) -> None:
        position = self._unopened.pop(position_id, None)
        if position is not None:
            self._tell(position)

    def _soon(self, tell: Callable[[], None], seconds: float = EVENT_GAP) -> None:
        def due() -> None:
            self._coming.discard(timer)
            tell()

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._coming.add(timer)

    def _tell(self, position: Position) -> None:
        topic = Topic(POSITION, (position.user_id,))
        self._publish(position.user_id, topic, "portfolio", "position-changed", record(position))
        self._tell_balance(position.user_id, position.balance_id)

    def _tell_balance(self, user_id: int, balance_id: int) -> None:
        balance = self._accounts.balance(user_id, balance_id)
        if balance is None:
            return
        current = {
            "id": balance.id,
            "type": balance.type,
            "amount": balance.amount,
            "bonus_amount": 0,
            "currency": balance.currency,
        }
        told = {"user_id": balance.user_id, "current_balance": current}
        self._publish(user_id, Topic(BALANCE, (user_id,)), "balances", "balance-changed", told)
        if balance.is_marginal and balance.watched:
            topic = Topic(MARGIN_BALANCE, (user_id,))
            self._publish(user_id, topic, "marginal-portfolio", "balance-changed", self._margin.record(balance))

    def _publish(self, user_id: int, topic: Topic, service: str, name: str, msg: object) -> None:
        """As a fault lets it go."""
        frame = event(service, name, msg)
        fault = self._faults.event(user_id, name)
        if isinstance(fault, SwallowEvent):
            return
        held = self._held.pop((user_id, topic.event), None)
        if isinstance(fault, ReorderEvents) and held is None:
            self._held[user_id, topic.event] = topic, frame
            self._soon(lambda: self._release(user_id, topic), fault.seconds / self._speed)
            return
        self._hub.publish(topic, frame)
        if isinstance(fault, DuplicateEvent):
            self._hub.publish(topic, frame)
        if held is not None:
            self._hub.publish(*held)

    def _release(self, user_id: int, topic: Topic) -> None:
        """What nothing has overtaken in time."""
        held = self._held.pop((user_id, topic.event), None)
        if held is not None:
            self._hub.publish(*held)
