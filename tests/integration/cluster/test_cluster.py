"""The bus as production has it: three servers that speak TLS. Any of them may go; nothing confirmed is lost, nothing is
done twice, and work goes on. `make chaos` does more of it (PREGAO_CLUSTER_ROUNDS)."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
import pytest_asyncio

from libs.bus import Bus, BusUnavailable
from libs.bus.permissions import ADMIN
from libs.bus.topology import ORDERS, TRADES, Storage
from libs.contracts.clock import SystemClock
from libs.contracts.orders import OrderState, TradeOpened
from libs.contracts.subjects import trade
from tests.integration.cluster.load import Load, load
from tests.integration.cluster.servers import NODES, PASSWORDS, Cluster
from tests.messages import NOW, OTHER_USER, an_opening, an_order

pytestmark = [
    pytest.mark.takes(20),
    pytest.mark.timeout(int(os.environ.get("PREGAO_CLUSTER_ROUNDS", "0")) * 120 + 120),
    pytest.mark.asyncio(loop_scope="module"),
]

STANDSTILL = 40.0
"""Seconds that nothing may be stored at most: an election takes four to nine, and who talks to a server that is alone
leaves it after ten."""
LONG = "PREGAO_CLUSTER_ROUNDS" in os.environ


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    await cluster.start()
    yield cluster
    await cluster.end()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def buses(cluster: Cluster) -> AsyncIterator[tuple[Bus, Bus, Bus]]:
    """Each of them with another server."""
    one = await cluster.connect(ADMIN, 0, "one")
    two = await cluster.connect(ADMIN, 1, "two")
    three = await cluster.connect(ADMIN, 2, "three")
    await one.ensure(TRADES, ORDERS)
    yield one, two, three
    for bus in (one, two, three):
        await bus.close()


async def leader(bus: Bus) -> int:
    """Of the stream that is written to."""
    info = await bus._jetstream.api.stream_info(TRADES.name)
    assert info.cluster is not None
    assert info.cluster.leader is not None
    return int(info.cluster.leader.removeprefix("nats-"))


async def kill(cluster: Cluster, node: int, load: Load) -> None:
    cluster.kill(node)
    await load.more(20)
    cluster.launch(node)
    await cluster.healthy(node)


async def part(cluster: Cluster, node: int, load: Load) -> None:
    await cluster.isolate(node)
    await load.more(20)
    await cluster.mend()
    await cluster.healthy(node)


async def restart_all(cluster: Cluster, node: int, load: Load) -> None:
    for each in NODES:
        await cluster.stop((node + each) % 3)
        cluster.launch((node + each) % 3)
        await cluster.healthy((node + each) % 3)
    await load.more(20)


Trouble = Callable[[Cluster, int, Load], Awaitable[None]]
TROUBLES: tuple[Trouble, ...] = (kill, part, restart_all)


async def test_streams_are_kept_by_all(buses: tuple[Bus, Bus, Bus]) -> None:
    for stream in (TRADES.name, ORDERS.stream):
        info = await buses[0]._jetstream.api.stream_info(stream)
        assert info.config.num_replicas == 3


async def test_how_many_keep_them_and_how_much_is_the_deployments_to_say(cluster: Cluster) -> None:
    bus = await Bus.connect(
        cluster.url(), ADMIN, PASSWORDS[ADMIN], service=ADMIN, instance="more", clock=SystemClock(),
        storage=Storage(replicas=3, room=2.0), ca_file=cluster.ca_file,
    )  # fmt: skip
    await bus.ensure(TRADES)
    info = await bus._jetstream.api.stream_info(TRADES.name)
    assert (info.config.max_bytes, info.config.num_replicas) == (2 * TRADES.max_bytes, 3)
    await bus.close()


async def test_nobody_is_talked_to_whom_nobody_trusted_signed(cluster: Cluster) -> None:
    with pytest.raises(BusUnavailable):
        await Bus.connect(
            cluster.url(), ADMIN, PASSWORDS[ADMIN], service=ADMIN, instance="careful", clock=SystemClock()
        )


@pytest.mark.parametrize("trouble", TROUBLES if LONG else [kill])
async def test_nothing_is_lost(trouble: Trouble, cluster: Cluster, buses: tuple[Bus, Bus, Bus]) -> None:
    async with load((buses[0], buses[1]), buses[2]) as going:
        await going.more(20)
        await trouble(cluster, await leader(buses[2]), going)
    assert going.longest < STANDSTILL


async def readable(reader: Bus, subject: str) -> list[TradeOpened]:
    """What there is, when the servers have found each other again."""
    async with asyncio.timeout(15):
        while True:
            with suppress(BusUnavailable):
                return await reader.past(TRADES, subject, TradeOpened, NOW)
            await asyncio.sleep(0.1)


@pytest.mark.skipif(not LONG, reason="part of `make chaos`")
async def test_whoever_is_cut_off_with_a_server_does_not_take_what_it_has_for_all_there_is(
    cluster: Cluster, buses: tuple[Bus, Bus, Bus]
) -> None:
    alone = (await leader(buses[2]) + 1) % 3
    writer, subject, user = buses[(alone + 1) % 3], trade(OTHER_USER, OrderState.OPENED), OTHER_USER
    reader = await cluster.connect(ADMIN, alone, "alone", servers=1, replicas=None)  # as an operator has set it
    before, after = (an_opening(order=an_order(sequence=number, user=user)) for number in (1, 2))
    await writer.append(subject, before, id="alone.1")
    assert await readable(reader, subject) == [before]
    await cluster.isolate(alone)
    await writer.append(subject, after, id="alone.2", timeout=STANDSTILL)
    with pytest.raises(BusUnavailable):
        await reader.past(TRADES, subject, TradeOpened, NOW)
    await cluster.mend()
    await cluster.healthy(alone)
    assert await readable(reader, subject) == [before, after]
    await reader.close()


@pytest.mark.skipif(not LONG, reason="part of `make chaos`")
async def test_nothing_is_lost_in_a_long_time(cluster: Cluster, buses: tuple[Bus, Bus, Bus]) -> None:
    chance = random.Random(int(os.environ.get("PREGAO_CHAOS_SEED", "1")))
    async with load((buses[0], buses[1]), buses[2]) as going:
        for _ in range(int(os.environ["PREGAO_CLUSTER_ROUNDS"])):
            await chance.choice(TROUBLES)(cluster, chance.choice(NODES), going)
    assert going.longest < STANDSTILL
