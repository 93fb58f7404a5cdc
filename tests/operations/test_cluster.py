"""Three servers of NATS, and the platform on them as production has it: whichever dies, is replaced or is cut off from
the others, trading goes on, and nothing is lost or done twice: `make test-operations`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from libs.bus.permissions import ADMIN
from libs.bus.topology import BUCKETS, STREAMS
from tests.chaos.day import Day
from tests.integration.cluster.servers import NODES, Cluster
from tests.integration.paper_broker import StartPaperBroker
from tests.integration.service_process import StartService, starting
from tests.integration.supabase_server import SupabaseServer
from tests.operations.trading import start_broker, start_platform, witnessed

pytestmark = pytest.mark.timeout(1200)

BOTS = 6
TRADES = 4
"""That must end while a server is away."""


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    cluster = Cluster(tmp_path / "cluster")
    await cluster.start()
    yield cluster
    await cluster.end()


@pytest.fixture
async def start_there(cluster: Cluster, tmp_path: Path) -> AsyncIterator[StartService]:
    async with starting(cluster.environment, tmp_path) as start:
        yield start


async def kill(cluster: Cluster, node: int, day: Day) -> float:
    cluster.kill(node)
    took = await day.more(TRADES)
    cluster.launch(node)
    return took


async def replace(cluster: Cluster, node: int, day: Day) -> float:
    """As a roll-out does it, which waits for nobody to trade."""
    await cluster.stop(node)
    cluster.launch(node)
    return 0.0


async def part(cluster: Cluster, node: int, day: Day) -> float:
    await cluster.isolate(node)
    took = await day.more(TRADES)
    await cluster.mend()
    return took


Trouble = Callable[[Cluster, int, Day], Awaitable[float]]
TROUBLES: tuple[Trouble, ...] = (part, kill, replace)


async def test_trading_goes_on_whatever_happens_to_a_server(
    cluster: Cluster,
    start_there: StartService,
    start_paper_broker: StartPaperBroker,
    own_supabase_server: SupabaseServer,
    tmp_path: Path,
) -> None:
    bus = await cluster.connect(ADMIN)
    await bus.ensure(*STREAMS, *BUCKETS)
    broker = await start_broker(start_paper_broker, tmp_path)
    platform = await start_platform(start_there, broker, own_supabase_server)
    people = [await own_supabase_server.sign_up() for _ in range(BOTS)]
    day = Day(bus, None, broker, own_supabase_server, [], seed=1)
    async with witnessed(day, own_supabase_server, people, platform.urls, told_openings=False):
        await day.more(TRADES)
        for trouble in TROUBLES:
            for node in NODES:
                took = await trouble(cluster, node, day)
                await cluster.healthy(node)
                print(f"{trouble.__name__} {node}: {TRADES} trades ended within {took:.1f} s")
            await day.more(TRADES)
    for processes in platform.processes.values():
        for process in processes:
            assert await process.terminate() == 0, process.log()[-2000:]
    await bus.close()
