"""Rows per second that analytics writes: stream TRADES → analytics → database, each a process of its own.

A stock of events waits when analytics starts, as after an outage: for every trade an opening and, later, a closing, so
that every row is inserted and settled. A row counts when its write is committed, announced and acknowledged. Baseline:
the same writes in the same batches by one client that does nothing else.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from libs.bus import Bus
from libs.bus.permissions import ADMIN
from libs.bus.topology import BUCKETS, LEDGER, STREAMS, TRADES
from libs.contracts import subjects
from libs.contracts.clock import SystemClock
from libs.contracts.ids import new_id
from libs.contracts.orders import OrderState, TradeClosed, TradeOpened
from libs.store import Database
from libs.store.trades import BATCH, Trades
from tests.bench.result import Result
from tests.integration.nats_server import NatsServer
from tests.integration.numbers import number
from tests.integration.service_process import ServiceProcess
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import a_closing, a_position, an_opening, an_order

NAMES = ("analytics.rows_per_s",)

_TRADES = 5000
_USERS = 20
_PATIENCE = 300.0

Event = TradeOpened | TradeClosed


async def run() -> list[Result]:
    with TemporaryDirectory() as directory:
        async with _supabase(Path(directory) / "supabase") as server:
            people = [await server.sign_up() for _ in range(_USERS)]
            alone = await _alone(server, _events(people))
            through = await _through(Path(directory), server, _events(people))
    return [Result("analytics.rows_per_s", through, "1/s", baseline=alone)]


def _events(people: Sequence[Person]) -> list[Event]:
    """All openings, then all closings: no batch has both events of one trade."""
    orders = [an_order(order_id=new_id(), user=people[index % _USERS].user) for index in range(_TRADES)]
    positions = [a_position(position_id=number()) for _ in orders]
    openings = [an_opening(order=order, position=position) for order, position in zip(orders, positions, strict=True)]
    closings = [a_closing(order=order, position=position) for order, position in zip(orders, positions, strict=True)]
    return [*openings, *closings]


async def _alone(server: SupabaseServer, events: Sequence[Event]) -> float:
    """Events per second."""
    async with await Database.connect(server.url, server.secret_key) as database:
        trades = Trades(database)
        started = time.monotonic()
        for first in range(0, len(events), BATCH):
            await trades.record(events[first : first + BATCH])
        return len(events) / (time.monotonic() - started)


async def _through(directory: Path, server: SupabaseServer, events: Sequence[Event]) -> float:
    async with AsyncExitStack() as stack:
        nats = NatsServer(directory)
        nats.start()
        stack.callback(nats.kill)
        bus = await Bus.connect(
            nats.url, ADMIN, nats.passwords[ADMIN], service=ADMIN, instance="bench", clock=SystemClock()
        )
        stack.push_async_callback(bus.close)
        await bus.ensure(*STREAMS, *BUCKETS)
        for first in range(0, len(events), BATCH):
            await asyncio.gather(*(_tell(bus, event) for event in events[first : first + BATCH]))
        environment = nats.environment("analytics") | server.environment
        analytics = ServiceProcess("services.analytics", environment, directory / "analytics.log")
        stack.push_async_callback(analytics.stop)
        rate = asyncio.create_task(_rate(bus, len(events)))
        await analytics.start()
        return await rate


async def _tell(bus: Bus, event: Event) -> None:
    state = OrderState.OPENED if isinstance(event, TradeOpened) else OrderState.CLOSED
    await bus.append(subjects.trade(event.order.user, state), event, id=event.id)


async def _rate(bus: Bus, count: int) -> float:
    """Events per second, from the first that are announced until nothing is left to acknowledge."""
    async with asyncio.timeout(_PATIENCE):
        while (before := await _announced(bus)) == 0:
            await asyncio.sleep(0.005)
        started = time.monotonic()
        while not await _acknowledged(bus):
            await asyncio.sleep(0.02)
        elapsed = time.monotonic() - started
    if (announced := await _announced(bus)) != count:
        raise RuntimeError(f"{announced} of {count} events were announced")
    return (count - before) / elapsed


async def _announced(bus: Bus) -> int:
    info = await bus._jetstream.api.stream_info(LEDGER.name)
    return int(info.state.messages)


async def _acknowledged(bus: Bus) -> bool:
    info = await bus._jetstream.api.consumer_info(TRADES.name, "analytics")
    return bool(info.num_pending == 0 and info.num_ack_pending == 0)


@asynccontextmanager
async def _supabase(directory: Path) -> AsyncIterator[SupabaseServer]:
    server = SupabaseServer(directory)
    await asyncio.to_thread(server.prepare)
    server.start()
    try:
        yield server
    finally:
        server.stop()
