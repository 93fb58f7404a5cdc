"""What bots see of the gateway, as light as possible: a market that moves, and orders that are answered and settled."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import numpy as np

from libs.bus import Bus, BusError, Entry
from libs.bus.topology import ACCOUNTS, BUCKETS, CATALOGUE, ORDERS, STREAMS
from libs.contracts import keys, subjects
from libs.contracts.account import AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.market import Active, Candle, Catalogue, Feed
from libs.contracts.orders import FINAL_RECORD_LIFE, OrderRecord, OrderState, Position, Settlement, TradeClosed
from libs.contracts.rpc import CANDLES, SUBMIT_ORDER, CandlePage, CandleQuery, SubmitOrder
from libs.contracts.subjects import session_rpc
from tests.messages import an_active

_PAYOUT = Decimal("0.82")
_TICK = 10
"""Seconds; the size of the shortest candles, and of the steps in which the market moves."""
_VOLATILITY = 1e-4
"""Standard deviation of the logarithm of a step."""
_HISTORY = 100_000
_FUTURE = 3_600
"""Seconds."""


class Market:
    """Prices are random walks, so strategies speak about as often as on real candles (docs/benchmarks.md)."""

    def __init__(self, bus: Bus, actives: int, sizes: tuple[int, ...], seed: int = 7) -> None:
        self.bus = bus
        self.ids = tuple(range(1, actives + 1))
        self.histories = 0
        """How many were asked for."""
        self._sizes = sizes
        self._first_step = int(bus.clock.now().timestamp()) // _TICK - _HISTORY // _TICK
        steps = np.random.default_rng(seed).normal(0, _VOLATILITY, (actives, (_HISTORY + _FUTURE) // _TICK))
        self._prices = np.exp(np.cumsum(steps, axis=1))
        self._orders = bus.bucket(ORDERS)
        self._records: dict[str, Entry[OrderRecord]] = {}
        self._news = asyncio.Condition()
        self._settling: set[asyncio.Task[None]] = set()
        self._chance = random.Random(seed)

    async def open(self) -> None:
        await self.bus.ensure(*BUCKETS, *STREAMS)
        catalogue = Catalogue(at=self.bus.clock.now(), actives=tuple(map(_active, self.ids)))
        await self.bus.bucket(CATALOGUE).put("actives", catalogue)
        await self.bus.serve("gateway", {CANDLES: self._history})
        await self.bus.mirror(ORDERS, ">", OrderRecord, self._seen, keep=lambda record: not record.state.final)
        await self.bus.serve_on(session_rpc("*", SUBMIT_ORDER.name), SUBMIT_ORDER, self._submit)

    async def connect(self, user: str) -> None:
        now = self.bus.clock.now()
        balance = Balance(id=1, type=AccountType.DEMO, amount=Decimal(1_000_000), currency="USD")
        accounts = self.bus.bucket(ACCOUNTS)
        await accounts.put(keys.balance(user), Balances(user=user, at=now, balances=(balance,)))
        await accounts.put(keys.session(user), SessionStatus(user=user, at=now, state=SessionState.CONNECTED))

    async def run(self) -> None:
        """Candles close when they are due; until cancelled."""
        while True:
            now = self.bus.clock.now().timestamp()
            end = int(now // _TICK + 1) * _TICK
            await asyncio.sleep(end - now)
            for size in self._sizes:
                if end % size == 0:
                    for active_id in self.ids:
                        candle = self._candle(active_id, size, end)
                        await self.bus.publish(subjects.closed_candle(Feed(active_id, size)), candle)

    async def _history(self, query: CandleQuery) -> CandlePage:
        self.histories += 1
        newest = int(self.bus.clock.now().timestamp()) // query.size * query.size
        ends = range(newest - (query.count - 1) * query.size, newest + 1, query.size)
        return CandlePage(candles=tuple(self._candle(query.active_id, query.size, end) for end in ends))

    def _candle(self, active_id: int, size: int, end: int) -> Candle:
        last = end // _TICK - self._first_step
        prices = self._prices[active_id - 1, last - size // _TICK : last + 1].tolist()
        return Candle(
            active_id=active_id, size=size, id=end // size, start=end - size, end=end, open=prices[0], close=prices[-1],
            high=max(prices), low=min(prices), at=datetime.fromtimestamp(end, UTC),
        )  # fmt: skip

    def _seen(self, key: str, entry: Entry[OrderRecord] | None) -> None:
        order_id = key.rpartition(".")[2]
        if entry is None:
            self._records.pop(order_id, None)
        else:
            self._records[order_id] = entry

    async def _submit(self, request: SubmitOrder) -> OrderRecord:
        while (entry := self._records.get(request.order_id)) is None:
            await asyncio.sleep(0.001)
        order, now = entry.value.order, self.bus.clock.now()
        position = Position(
            position_id=self._chance.randrange(1 << 40), balance_id=1, opened_at=now,
            expiry=now + timedelta(seconds=order.duration), open_quote=1.0, payout=82,
        )  # fmt: skip
        opened = msgspec.structs.replace(entry.value, state=OrderState.OPENED, updated_at=now, position=position)
        revision = await self._orders.update(entry.key, opened, entry.revision)
        task = asyncio.create_task(self._settle(Entry(entry.key, opened, revision, 0.0)))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return opened

    async def _settle(self, entry: Entry[OrderRecord]) -> None:
        record = entry.value
        order, position = record.order, record.position
        assert position is not None
        await asyncio.sleep(order.duration + self._chance.random())
        profit = order.stake * _PAYOUT if self._chance.random() < 0.5 else -order.stake
        settlement = Settlement(
            closed_at=self.bus.clock.now(), close_quote=1.0, profit=profit.quantize(Decimal("0.01"))
        )
        closed = msgspec.structs.replace(record, state=OrderState.CLOSED, settlement=settlement)
        event = TradeClosed(
            id=f"{order.order_id}.closed", at=settlement.closed_at, order=order, position=position,
            settlement=settlement,
        )  # fmt: skip
        try:
            await self.bus.append(subjects.trade(order.user, OrderState.CLOSED), event, id=event.id)
            await self._orders.update(entry.key, closed, entry.revision, ttl=FINAL_RECORD_LIFE)
        except BusError as error:
            print(f"not settled: {error}")


def _active(number: int) -> Active:
    return an_active(number, f"BENCH{number}-OTC", f"Bench {number}", durations=(10, 30, 60, 300))
