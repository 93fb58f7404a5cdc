"""Trades as they are told, recorded and announced."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from libs.bus import Bus
from libs.contracts import subjects
from libs.contracts.ids import new_id
from libs.contracts.orders import OrderState, TradeClosed, TradeOpened, TradeRecorded
from libs.store.rows import read_rows
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import a_closing, a_position, an_opening, an_order


class Row(msgspec.Struct, frozen=True):
    id: int
    order_id: str
    status: str
    resultado: str | None
    pnl: Decimal | None
    created_at: datetime
    updated_at: datetime


def a_story(person: Person, **changes: Any) -> tuple[TradeOpened, TradeClosed]:
    """Both events of an order of that person."""
    order = an_order(order_id=new_id(), user=person.user, **changes)
    position = a_position(position_id=number())
    opened, closed = an_opening(order=order, position=position), a_closing(order=order, position=position)
    return opened, closed


class Books:
    def __init__(self, bus: Bus, server: SupabaseServer) -> None:
        self.announced: list[TradeRecorded] = []
        self._bus = bus
        self._server = server

    async def follow(self) -> None:
        await self._bus.subscribe(subjects.ALL_LEDGER, TradeRecorded, self._hear)

    async def tell(self, event: TradeOpened | TradeClosed) -> None:
        """As the gateway does; each call is a message of its own, as after the time in which repetitions are known."""
        state = OrderState.OPENED if isinstance(event, TradeOpened) else OrderState.CLOSED
        await self._bus.append(subjects.trade(event.order.user, state), event, id=new_id())

    async def rows(self, person: Person) -> list[Row]:
        path = f"/rest/v1/trade_history?order=id&user_id=eq.{person.user}"
        return read_rows(await self._server.as_service("GET", path), Row)

    async def settled(self, person: Person, count: int) -> list[Row]:
        """The rows of that person, once so many are closed."""
        rows: list[Row] = []

        async def all_closed() -> bool:
            rows[:] = await self.rows(person)
            return sum(row.status == "closed" for row in rows) >= count

        await until(all_closed)
        return rows

    def announced_of(self, order_id: str) -> list[TradeRecorded]:
        return [news for news in self.announced if order_id in news.id]

    async def _hear(self, _: str, news: TradeRecorded) -> None:
        self.announced.append(news)


async def until(condition: Callable[[], Awaitable[object]], timeout: float = 30.0) -> None:
    """Wait for what another process brings about; fails when the deadline passes."""
    async with asyncio.timeout(timeout):
        while not await condition():
            await asyncio.sleep(0.02)
