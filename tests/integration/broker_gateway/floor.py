"""One user's order desk on a real bus, with a scripted broker: what it answers, and what it books."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import ALERTS, ORDERS
from libs.contracts.account import AccountType, Balance, Balances
from libs.contracts.alerts import Alert
from libs.contracts.clock import SystemClock
from libs.contracts.orders import OptionKind, Order, OrderRecord, Position, Settlement
from libs.contracts.rpc import SubmitOrder
from services.broker_gateway.broker import (
    BrokerPosition,
    BrokerUnavailable,
    NotSent,
    Offer,
    Refused,
)
from services.broker_gateway.orders import OrderDesk
from services.broker_gateway.records import Records
from tests.integration.nats_server import eventually
from tests.messages import USER, a_position, an_order

CLOCK = SystemClock()
DEMO = Balance(id=900004, type=AccountType.DEMO, amount=Decimal(10000), currency="USD")


class Held:
    held = True


class ScriptedBroker:
    """Books what it is sent; may lose the answer, refuse, or be slow to answer."""

    def __init__(self) -> None:
        self.sent: list[Order] = []
        self.books: list[BrokerPosition] = []
        self.offered: Offer | Exception = Offer(payout=82)
        self.sales: list[int] = []
        self.sale_failure: Exception | None = None
        self.ahead = timedelta(0)
        """How far its clock is ahead of ours."""
        self.failure: Exception | None = None
        self.books_failures = True
        self.unreadable = False
        """Whether its books cannot be read."""
        self.answer_when = asyncio.Event()
        self.answer_when.set()

    def now(self) -> datetime:
        return CLOCK.now() + self.ahead

    async def offer(self, order: Order) -> Offer:
        if isinstance(self.offered, Exception):
            raise self.offered
        return self.offered

    async def sell(self, option: OptionKind, position_id: int) -> None:
        self.sales.append(position_id)
        if self.sale_failure is not None:
            raise self.sale_failure

    async def buy(self, order: Order, balance_id: int, offer: Offer) -> Position:
        self.sent.append(order)
        if isinstance(self.failure, NotSent | Refused) or (self.failure and not self.books_failures):
            raise self.failure
        opened = self.now()
        position = a_position(
            position_id=1000 + len(self.sent),
            balance_id=balance_id,
            opened_at=opened,
            expiry=order.expiration or opened + timedelta(seconds=order.duration),
            payout=offer.payout,
        )
        booked = BrokerPosition(position, order.active_id, order.direction, order.stake, None, order.option)
        self.books.append(booked)
        await self.answer_when.wait()
        if self.failure:
            raise self.failure
        return position

    async def positions(self, since: datetime) -> list[BrokerPosition]:
        if self.unreadable:
            raise BrokerUnavailable("the history was not answered")
        return [booked for booked in self.books if booked.position.opened_at >= since]

    def settle(self, profit: str, *, sold: bool = False) -> BrokerPosition:
        """Close the last position."""
        settlement = Settlement(closed_at=self.now(), close_quote=1.1, profit=Decimal(profit), sold=sold)
        self.books[-1] = replace(self.books[-1], settlement=settlement)
        return self.books[-1]


class Floor:
    """A user's desk with everything around it, and what everybody else hears of it."""

    def __init__(self, bus: Bus, broker: ScriptedBroker) -> None:
        self.bus = bus
        self.broker = broker
        self.orders = bus.bucket(ORDERS)
        self.right = Held()
        self.balances: Balances | None = Balances(user=USER, at=CLOCK.now(), balances=(DEMO,))
        self.events: list[str] = []
        self.grace = timedelta(seconds=60)
        self.desk = self.another_desk()

    def another_desk(self) -> OrderDesk:
        """As after a restart, or in another gateway."""
        records = Records(USER, self.bus)
        return OrderDesk(records, self.broker, self.right, lambda: self.balances, CLOCK, self.grace)

    async def intend(self, **changes: Any) -> str:
        at = CLOCK.now()
        order = an_order(**({"at": at, "expires_at": at + timedelta(seconds=5)} | changes))
        await self.orders.create(f"{USER}.{order.order_id}", OrderRecord(order=order, updated_at=at))
        return order.order_id

    async def record(self, order_id: str) -> OrderRecord:
        entry = await self.orders.get(f"{USER}.{order_id}", OrderRecord)
        assert entry is not None
        return entry.value

    async def reconcile(self, desk: OrderDesk | None = None) -> None:
        entries = await self.orders.entries(f"{USER}.*", OrderRecord)
        await (desk or self.desk).reconcile([entry.value for entry in entries if not entry.value.state.final])

    async def submit(self, order_id: str, desk: OrderDesk | None = None) -> OrderRecord:
        return await (desk or self.desk).submit(SubmitOrder(order_id=order_id))


@asynccontextmanager
async def alerts(floor: Floor) -> AsyncIterator[list[Alert]]:
    """What an operator is told."""
    told: list[Alert] = []

    async def hear(batch: list[Delivery]) -> None:
        told.extend(delivery.decode(Alert) for delivery in batch)

    consumption = await floor.bus.consume(Consumer(ALERTS.name, "operator"), hear)
    yield told
    await consumption.stop()


async def heard(floor: Floor, *events: str) -> None:
    await eventually(lambda: len(floor.events) >= len(events))
    await floor.bus.ready()
    assert floor.events == list(events)


async def a_turbo(floor: Floor) -> str:
    expiration = floor.broker.now() + timedelta(seconds=60)
    return await floor.intend(option=OptionKind.TURBO, expiration=expiration)
