"""Trades per second that analytics catches up with after an outage of the database: stream TRADES → analytics →
database, each a process of its own.

For every trade there waits an opening and a closing. `analytics.catch_up_per_s`: as a thousand bots leave them that
each trade once a minute, for 5 to 60 seconds, so that most trades are opened and closed within one batch and make one
write. `analytics.rows_per_s`: all openings, then all closings, so that none does; in events, each of which is a write.
An event counts when its write is committed, told and acknowledged. Baselines: the same batches by one client that does
nothing else.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.local.node import node_path
from deploy.local.supabase import PACKAGE
from libs.bus import Bus
from libs.bus.permissions import ADMIN
from libs.bus.topology import BUCKETS, STREAMS, TRADES
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
from tests.integration.supabase_server import SupabaseServer
from tests.messages import NOW, a_closing, a_position, an_opening, an_order

NAMES = ("analytics.catch_up_per_s", "analytics.rows_per_s")

_TRADES = 20_000
_APART = 5_000
_USERS = 1_000
_EVERY = timedelta(minutes=1) / _USERS
_SECONDS = (5, 10, 30, 60)
_PATIENCE = 60.0

_PEOPLE = """
import { PGlite } from '@electric-sql/pglite'
const [directory, people] = process.argv.slice(1)
const database = await PGlite.create(directory)
await database.exec(`
  insert into auth.users (id, email, created_at, updated_at)
  select ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'user' || n || '@example.test', now(), now()
  from generate_series(1, ${Number(people)}) n`)
await database.close()
"""

Event = TradeOpened | TradeClosed
Story = tuple[TradeOpened, TradeClosed]


async def run() -> list[Result]:
    with TemporaryDirectory() as directory:
        async with _supabase(Path(directory) / "supabase") as server:
            alone = _TRADES / await _alone(server, _in_time(_stories(_TRADES)))
            apart_alone = 2 * _APART / await _alone(server, _apart(_stories(_APART)))
            async with _waiting(Path(directory), server) as (bus, analytics):
                catch_up = _TRADES / await _through(bus, analytics, _in_time(_stories(_TRADES)))
                apart = 2 * _APART / await _through(bus, analytics, _apart(_stories(_APART)))
    return [
        Result("analytics.catch_up_per_s", catch_up, "1/s", baseline=alone),
        Result("analytics.rows_per_s", apart, "1/s", baseline=apart_alone),
    ]


def _stories(count: int) -> Iterator[Story]:
    for index in range(count):
        seconds, at = _SECONDS[index % len(_SECONDS)], NOW + index * _EVERY
        order = an_order(order_id=new_id(), user=_user(index), at=at, duration=seconds)
        position = a_position(position_id=number(), opened_at=at, expiry=at + timedelta(seconds=seconds))
        opened = an_opening(order=order, position=position, at=at)
        yield opened, a_closing(order=order, position=position, at=position.expiry)


def _user(index: int) -> str:
    return f"00000000-0000-4000-8000-{1 + index % _USERS:012x}"


def _in_time(stories: Iterator[Story]) -> list[Event]:
    return sorted((event for story in stories for event in story), key=lambda event: event.at)


def _apart(stories: Iterator[Story]) -> list[Event]:
    openings, closings = zip(*stories, strict=True)
    return [*openings, *closings]


async def _alone(server: SupabaseServer, events: Sequence[Event]) -> float:
    """Seconds."""
    async with await Database.connect(server.url, server.secret_key) as database:
        trades = Trades(database)
        started = time.monotonic()
        for first in range(0, len(events), BATCH):
            await trades.record(events[first : first + BATCH])
        return time.monotonic() - started


async def _through(bus: Bus, analytics: ServiceProcess, events: Sequence[Event]) -> float:
    """Seconds from the first acknowledgement until nothing is left; what was acknowledged first counts as if it had
    taken its part of them."""
    for first in range(0, len(events), BATCH):
        await asyncio.gather(*(_tell(bus, event) for event in islice(events, first, first + BATCH)))
    starting = asyncio.create_task(analytics.start())
    async with asyncio.timeout(_PATIENCE):
        while (left := await _left(bus)) == len(events):
            await asyncio.sleep(0.005)
        started, before = time.monotonic(), len(events) - left
        while await _left(bus):
            await asyncio.sleep(0.02)
        elapsed = time.monotonic() - started
    await starting
    await analytics.terminate()
    return elapsed * len(events) / (len(events) - before)


async def _tell(bus: Bus, event: Event) -> None:
    state = OrderState.OPENED if isinstance(event, TradeOpened) else OrderState.CLOSED
    await bus.append(subjects.trade(event.order.user, state), event, id=event.id)


async def _left(bus: Bus) -> int:
    info = await bus._jetstream.api.consumer_info(TRADES.name, "analytics")
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


@asynccontextmanager
async def _waiting(directory: Path, server: SupabaseServer) -> AsyncIterator[tuple[Bus, ServiceProcess]]:
    """Analytics, which ran before and does not now."""
    async with AsyncExitStack() as stack:
        nats = NatsServer(directory)
        nats.start()
        stack.callback(nats.kill)
        bus = await Bus.connect(
            nats.url, ADMIN, nats.passwords[ADMIN], service=ADMIN, instance="bench", clock=SystemClock()
        )
        stack.push_async_callback(bus.close)
        await bus.ensure(*STREAMS, *BUCKETS)
        environment = nats.environment("analytics") | server.environment
        analytics = ServiceProcess("services.analytics", environment, directory / "analytics.log")
        stack.push_async_callback(analytics.stop)
        await analytics.start()
        await analytics.terminate()
        yield bus, analytics


@asynccontextmanager
async def _supabase(directory: Path) -> AsyncIterator[SupabaseServer]:
    server = SupabaseServer(directory)
    await asyncio.to_thread(server.prepare)
    await asyncio.to_thread(_sign_up, directory / "supabase" / ".temp" / "data")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _sign_up(data: Path) -> None:
    command = [str(node_path()), "--input-type=module", "-e", _PEOPLE, str(data), str(_USERS)]
    subprocess.run(command, check=True, cwd=PACKAGE, timeout=60)
