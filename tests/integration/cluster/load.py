"""What services do to the bus all the time, and what must be true of it afterwards.

Two writers race for each number: one of them may write down that it acts on it, and then stores what came of it. A
reader is told of everything.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count

from libs.bus import Bus, BusUnavailable, Consumer, Delivery, RevisionConflict
from libs.bus.topology import ORDERS, TRADES
from libs.contracts.orders import OrderRecord, OrderState, TradeOpened
from libs.contracts.subjects import trade
from tests.integration.nats_server import eventually
from tests.messages import NOW, USER, a_record, an_opening, an_order

_SUBJECT = trade(USER, OrderState.OPENED)
_FIRSTS = count(0, 1_000_000)
"""Numbers of another load are others: the bus stores an id once in ten minutes."""


class Load:
    def __init__(self, writers: tuple[Bus, Bus], reader: Bus) -> None:
        self._writers = writers
        self._reader = reader
        self._next = next(_FIRSTS)
        self.stored: list[int] = []
        """In the order in which it was confirmed."""
        self.read: Counter[int] = Counter()
        self.longest = 0.0
        """Seconds between two confirmations."""
        self._last: float | None = None

    async def more(self, number: int) -> None:
        """Returns when so many more are stored."""
        wanted = len(self.stored) + number
        await eventually(lambda: len(self.stored) >= wanted, timeout=90.0)

    async def _write(self) -> None:
        while True:
            number, self._next = self._next, self._next + 1
            acts = await asyncio.gather(*(self._intend(bus, number) for bus in self._writers))
            assert sum(act is True for act in acts) <= 1, f"{number} was permitted twice"
            opened = an_opening(order=an_order(sequence=number, order_id=f"order-{number}"))
            await _until_stored(self._writers[number % 2], opened, number)
            now = asyncio.get_running_loop().time()
            self.longest = max(self.longest, now - (self._last or now))
            self._last = now
            self.stored.append(number)

    async def _intend(self, bus: Bus, number: int) -> bool | None:
        """Whether this writer may act; None when nobody knows, so that it does not."""
        record = a_record(order=an_order(sequence=number, run=bus.instance), updated_at=NOW + timedelta(seconds=number))
        try:
            await bus.bucket(ORDERS, timeout=2.0).create(f"{USER}.order-{number}", record)
        except RevisionConflict:
            return False
        except BusUnavailable:
            return None
        return True

    async def _read(self, batch: list[Delivery]) -> None:
        self.read.update(delivery.decode(TradeOpened).order.sequence for delivery in batch)

    async def _kept(self) -> None:
        """What was confirmed is there, once, and was read."""
        await eventually(lambda: set(self.stored) <= set(self.read), timeout=60.0)
        past = await self._reader.past(TRADES, _SUBJECT, TradeOpened, NOW)
        kept = [opened.order.sequence for opened in past]
        assert len(set(kept)) == len(kept), "stored twice"
        assert [number for number in kept if number in set(self.stored)] == self.stored, "lost, or in another order"
        for number in self.stored[:: max(1, len(self.stored) // 50)]:
            entry = await self._reader.bucket(ORDERS).get(f"{USER}.order-{number}", OrderRecord)
            assert entry is None or entry.value.order.sequence == number


async def _until_stored(bus: Bus, opened: TradeOpened, number: int) -> None:
    while True:
        try:
            await bus.append(_SUBJECT, opened, id=f"{number}.opened")
        except BusUnavailable:
            continue
        return


@asynccontextmanager
async def load(writers: tuple[Bus, Bus], reader: Bus) -> AsyncIterator[Load]:
    """While it is entered it goes on; when it is left, nothing may have been lost."""
    load = Load(writers, reader)
    consumption = await reader.consume(Consumer(TRADES.name, "reader", ack_wait=5.0, backoff=(0.1,)), load._read)
    writing = asyncio.create_task(load._write())
    yield load
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert writing.cancelled(), writing.exception()
    await load._kept()
    await consumption.stop()
