"""The gateway's side of the bus for tests: real order records, with a market and a broker that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from libs.bus import Bus, Subscription
from libs.bus.topology import ACCOUNTS, CATALOGUE, ORDERS
from libs.contracts import keys, subjects
from libs.contracts.account import AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.clock import SystemClock
from libs.contracts.market import Active, Candle, Catalogue
from libs.contracts.orders import (
    OptionKind,
    Order,
    OrderRecord,
    OrderState,
    Position,
    Settlement,
    TradeClosed,
    TradeFailed,
)
from libs.contracts.rpc import CANDLES, SUBMIT_ORDER, CandlePage, CandleQuery, ErrorCode, RpcError, SubmitOrder
from services.broker_gateway.broker import BrokerPosition, Offer, Refused, Unanswered
from services.broker_gateway.orders import OrderDesk
from services.broker_gateway.records import Records
from tests.messages import USER, a_candle, a_position

CLOCK = SystemClock()
SIZE = 10
_AHEAD = 3600
"""Seconds: no candle comes too late, however long a test takes."""
_BALANCES = {AccountType.DEMO: 900004, AccountType.REAL: 900005}
Types = tuple[AccountType, ...]


class Broker:
    """Books every purchase, unless `failure` says what happens instead."""

    def __init__(self) -> None:
        self.bought: list[Order] = []
        self.busy = asyncio.Event()
        self.failure: Refused | Unanswered | None = None

    def now(self) -> datetime:
        return CLOCK.now()

    async def offer(self, order: Order) -> Offer:
        return Offer(payout=82)

    async def sell(self, option: OptionKind, position_id: int) -> None:
        raise NotImplementedError(f"no test sells {option} {position_id}")

    async def buy(self, order: Order, balance_id: int, offer: Offer) -> Position:
        self.bought.append(order)
        self.busy.set()
        if self.failure is not None:
            raise self.failure
        opened = CLOCK.now()
        expiry = opened + timedelta(seconds=order.duration)
        return a_position(position_id=len(self.bought), balance_id=balance_id, opened_at=opened, expiry=expiry)

    async def positions(self, since: datetime) -> list[BrokerPosition]:
        raise NotImplementedError(f"no test asks for the books since {since}")


class Gateway:
    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.broker = Broker()
        self.rejected: list[str] = []
        self.queries: list[CandleQuery] = []
        self.history_failure: RpcError | None = None
        self.end = int(CLOCK.now().timestamp()) // SIZE * SIZE + _AHEAD
        self._orders = bus.bucket(ORDERS)
        self._accounts = bus.bucket(ACCOUNTS)
        self._records: dict[str, Records] = {}
        self._sessions: dict[str, Subscription] = {}

    @property
    def bought(self) -> list[Order]:
        return self.broker.bought

    async def start(self, *actives: Active) -> None:
        await self.offer(*actives)
        await self.bus.serve("gateway", {CANDLES: self._candles})
        await self.bus.subscribe(subjects.trade("*", OrderState.REJECTED), TradeFailed, self._hear_rejection)

    async def offer(self, *actives: Active) -> None:
        await self.bus.bucket(CATALOGUE).put("actives", Catalogue(at=CLOCK.now(), actives=actives))

    async def connect(self, user: str = USER, balance: str = "1000", types: Types = (AccountType.DEMO,)) -> None:
        await self.fund(user, balance, types)
        await self._say(user, SessionState.CONNECTED)
        self._records[user] = Records(user, self.bus)
        money = Balances(user=user, at=CLOCK.now(), balances=_balances("1000000", types))
        desk = OrderDesk(self._records[user], self.broker, _Held(), lambda: money, CLOCK, timedelta(seconds=60))
        self._sessions[user] = await self.bus.serve_on(subjects.session_rpc(user, "order"), SUBMIT_ORDER, desk.submit)

    async def fund(self, user: str, balance: str, types: Types = (AccountType.DEMO,)) -> None:
        balances = Balances(user=user, at=CLOCK.now(), balances=_balances(balance, types))
        await self._accounts.put(keys.balance(user), balances)

    async def lose(self, user: str = USER) -> None:
        """The broker's connection is gone, and everybody is told."""
        await self._say(user, SessionState.DISCONNECTED)
        await self.vanish(user)

    async def vanish(self, user: str = USER) -> None:
        """As a killed gateway does: it serves no more, and tells nobody."""
        await self._sessions.pop(user).stop()

    async def ignore_orders(self, user: str = USER) -> None:
        """The session is there, and what is asked of it stays unanswered."""

        async def silent(_: SubmitOrder) -> OrderRecord:
            raise RpcError(ErrorCode.TIMEOUT, "no answer")

        await self._sessions.pop(user).stop()
        subject = subjects.session_rpc(user, "order")
        self._sessions[user] = await self.bus.serve_on(subject, SUBMIT_ORDER, silent)

    async def close_candles(self, *active_ids: int, size: int = SIZE, skip: int = 0) -> None:
        """The next candle of these actives closes; `skip` candles before it are never told."""
        self.end += (skip + 1) * size
        for active_id in active_ids:
            candle = _candle(active_id, size, self.end)
            await self.bus.publish(subjects.closed_candle(candle.feed), candle)

    @asynccontextmanager
    async def closing_candles(self, *active_ids: int) -> AsyncIterator[None]:
        """Candles of these actives close meanwhile."""

        async def close() -> None:
            while True:
                await self.close_candles(*active_ids)
                await asyncio.sleep(0.5)

        closing = asyncio.create_task(close())
        try:
            yield
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    async def next_order(self, *active_ids: int, size: int = SIZE) -> Order:
        """Candles of these actives close until somebody has bought."""
        before = len(self.bought)
        async with asyncio.timeout(30):
            while len(self.bought) == before:
                await self.close_candles(*(active_ids or (1, 2)), size=size)
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await self.broker.busy.wait()
        self.broker.busy.clear()
        return self.bought[-1]

    async def settle(self, order: Order, profit: str) -> None:
        """Once the broker's confirmation is recorded."""
        async with asyncio.timeout(15):
            while (record := await self.find(order.user, order.order_id)).position is None:
                await asyncio.sleep(0.005)
        settlement = Settlement(closed_at=CLOCK.now(), close_quote=1.1, profit=Decimal(profit))
        await self._records[order.user].close(order.order_id, record.position, settlement)

    async def give_up(self, order: Order, after: OrderState) -> None:
        """Once the record is in that state."""
        async with asyncio.timeout(15):
            while (await self.find(order.user, order.order_id)).state is not after:
                await asyncio.sleep(0.005)
        await self._records[order.user].give_up(order.order_id, after, "nobody knows")

    async def find(self, user: str, order_id: str) -> OrderRecord:
        entry = await self._orders.get(f"{user}.{order_id}", OrderRecord)
        assert entry is not None
        return entry.value

    async def repeat_closing(self, order: Order) -> None:
        """Tell again how it ended."""
        record = await self.find(order.user, order.order_id)
        assert record.position is not None
        assert record.settlement is not None
        event = TradeClosed(
            id=f"{order.order_id}.closed", at=CLOCK.now(), order=record.order,
            position=record.position, settlement=record.settlement,
        )  # fmt: skip
        await self.bus.append(subjects.trade(order.user, OrderState.CLOSED), event, id=f"{event.id}.again")

    async def _hear_rejection(self, _: str, event: TradeFailed) -> None:
        self.rejected.append(event.order.order_id)

    async def _candles(self, query: CandleQuery) -> CandlePage:
        self.queries.append(query)
        if self.history_failure is not None:
            raise self.history_failure
        newest = self.end // query.size * query.size
        ends = [newest - age * query.size for age in range(query.count - 2, -1, -1)]
        closed = [_candle(query.active_id, query.size, end) for end in ends]
        running = replace(_candle(query.active_id, query.size, newest + query.size), at=closed[-1].at, close=99.0)
        return CandlePage(candles=(*closed, running))

    async def _say(self, user: str, state: SessionState) -> None:
        await self._accounts.put(keys.session(user), SessionStatus(user=user, at=CLOCK.now(), state=state))


class _Held:
    held = True


def _balances(amount: str, types: Types) -> tuple[Balance, ...]:
    return tuple(Balance(id=_BALANCES[type_], type=type_, amount=Decimal(amount), currency="USD") for type_ in types)


def _candle(active_id: int, size: int, end: int) -> Candle:
    """Prices go up and down a little, differently for each active."""
    number = end // size
    first, last = (1 + (each * 7 + active_id) % 13 / 1e4 for each in (number, number + 1))
    return a_candle(
        active_id=active_id, size=size, id=number, start=end - size, end=end, at=datetime.fromtimestamp(end, UTC),
        open=first, close=last, high=max(first, last), low=min(first, last),
    )  # fmt: skip
