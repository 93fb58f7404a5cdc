"""A gateway between a real NATS and a real paper broker, and somebody who uses it as bots and edge do."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import ACCOUNTS, ORDERS, TRADES
from libs.contracts import keys
from libs.contracts.account import Balances, SessionState, SessionStatus
from libs.contracts.clock import SystemClock
from libs.contracts.ids import new_id
from libs.contracts.orders import OrderRecord, OrderState, TradeClosed
from libs.contracts.rpc import (
    CONNECT,
    RECONNECT,
    SELL_ORDER,
    SUBMIT_ORDER,
    ConnectSession,
    SellOrder,
    SessionReport,
    SubmitOrder,
)
from libs.contracts.subjects import session_rpc
from tests.integration.paper_broker import PaperBroker
from tests.integration.service_process import ServiceProcess, StartService
from tests.messages import USER, an_order

BROKER_USER = 5150
SYSTEM_USER = 1000001
CLOCK = SystemClock()


class Rig:
    def __init__(self, bus: Bus, broker: PaperBroker, start_service: StartService) -> None:
        self.bus = bus
        self.broker = broker
        self._start_service = start_service
        self.orders = bus.bucket(ORDERS)
        self.events: Counter[str] = Counter()
        """Trade events by id, as every durable reader gets them."""
        self.closings: dict[str, TradeClosed] = {}

    async def listen(self) -> Callable[[], Awaitable[None]]:
        async def hear(batch: list[Delivery]) -> None:
            for delivery in batch:
                event = delivery.decode(msgspec.Raw)
                identity = str(msgspec.json.decode(event)["id"])
                self.events[identity] += 1
                if identity.endswith(".closed"):
                    closing = delivery.decode(TradeClosed)
                    self.closings[closing.order.order_id] = closing

        consumption = await self.bus.consume(Consumer(TRADES.name, "rig"), hear)
        return consumption.stop

    async def start_gateway(self, **variables: str) -> ServiceProcess:
        return await self._start_service(
            "broker_gateway",
            "gateway",
            **{
                "PREGAO_BROKER_WS_URL": self.broker.ws_url,
                "PREGAO_BROKER_SESSION_URL": self.broker.session_url,
                "PREGAO_BROKER_USERS_URL": f"{self.broker.api_url}/users",
                "PREGAO_BROKER_API_TOKEN": self.broker.api_token,
                "PREGAO_BROKER_API_HOST": self.broker.api_url,
                "PREGAO_BROKER_SYSTEM_USER_ID": str(SYSTEM_USER),
                "PREGAO_ORDER_GRACE": "2",
            }
            | variables,
        )

    async def connect(self, user: str = USER, broker_user: int = BROKER_USER) -> SessionReport:
        return await self.bus.call(CONNECT, ConnectSession(user=user, broker_user_id=str(broker_user)))

    async def reconnect(self, user: str = USER, broker_user: int = BROKER_USER) -> SessionReport:
        return await self.bus.call(RECONNECT, ConnectSession(user=user, broker_user_id=str(broker_user)))

    async def intend(self, **changes: Any) -> str:
        at = CLOCK.now()
        order = an_order(
            **({"order_id": new_id(), "at": at, "expires_at": at + timedelta(seconds=5), "duration": 5} | changes)
        )
        await self.orders.create(f"{order.user}.{order.order_id}", OrderRecord(order=order, updated_at=at))
        return order.order_id

    async def submit(self, order_id: str, user: str = USER, timeout: float = 10.0) -> OrderRecord:
        return await self.bus.call(
            SUBMIT_ORDER, SubmitOrder(order_id=order_id), subject=session_rpc(user, "order"), timeout=timeout
        )

    async def sell(self, order_id: str, user: str = USER, timeout: float = 10.0) -> OrderRecord:
        return await self.bus.call(
            SELL_ORDER, SellOrder(order_id=order_id), subject=session_rpc(user, "sell"), timeout=timeout
        )

    async def record(self, order_id: str, user: str = USER) -> OrderRecord:
        entry = await self.orders.get(f"{user}.{order_id}", OrderRecord)
        assert entry is not None
        return entry.value

    async def records(self, user: str = USER) -> list[OrderRecord]:
        return [entry.value for entry in await self.orders.entries(f"{user}.*", OrderRecord)]

    async def becomes(self, order_id: str, state: OrderState, timeout: float = 20.0) -> OrderRecord:
        """Wait until the record is in that state."""
        async with asyncio.timeout(timeout):
            while (record := await self.record(order_id)).state is not state:
                await asyncio.sleep(0.05)
        return record

    async def session(self, user: str = USER) -> SessionState | None:
        entry = await self.bus.bucket(ACCOUNTS).get(keys.session(user), SessionStatus)
        return entry.value.state if entry else None

    async def balances(self, user: str = USER) -> Balances | None:
        entry = await self.bus.bucket(ACCOUNTS).get(keys.balance(user), Balances)
        return entry.value if entry else None

    async def broker_positions(self, broker_user: int = BROKER_USER) -> list[dict[str, Any]]:
        return await self.broker.positions(broker_user)


async def until(condition: Callable[[], Awaitable[object]], timeout: float = 15.0) -> None:
    """Wait for something that has to be asked for."""
    async with asyncio.timeout(timeout):
        while not await condition():
            await asyncio.sleep(0.05)
