"""The scanner among the processes of the bot runtime: what it tells, once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import FEEDS, SIGNALS
from libs.contracts.market import Feed, FeedDemand
from libs.contracts.scanner import ScannedCandle
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.nats_server import eventually
from tests.integration.service_process import ServiceProcess
from tests.unit.bot_runtime.builders import an_active
from tests.unit.strategies.authors import write

pytestmark = pytest.mark.timeout(90)


class Listener:
    """Everything that was stored, as a durable reader gets it."""

    def __init__(self) -> None:
        self.candles: list[ScannedCandle] = []

    async def hear(self, batch: list[Delivery]) -> None:
        self.candles += [delivery.decode(ScannedCandle) for delivery in batch]

    def of(self, size: int, end: int) -> list[ScannedCandle]:
        return [candle for candle in self.candles if (candle.size, candle.end) == (size, end)]

    async def until(self, condition: Callable[[], object]) -> None:
        await eventually(condition, timeout=20)


@pytest.fixture
async def listener(bus: Bus) -> AsyncIterator[Listener]:
    listener = Listener()
    consumption = await bus.consume(Consumer(SIGNALS.name, "listener"), listener.hear)
    yield listener
    await consumption.stop()


async def scan(start_runtime: StartRuntime, **variables: str) -> ServiceProcess:
    return await start_runtime(PREGAO_SCANNER="true", **variables)


async def close_until(gateway: Gateway, condition: Callable[[], object]) -> None:
    """Candles close until it is so."""
    async with asyncio.timeout(20):
        while not condition():
            await gateway.close_candles(1, 2)
            with suppress(TimeoutError):
                await eventually(condition, timeout=0.3)


async def close_one_by_one(gateway: Gateway, listener: Listener, size: int) -> int:
    """Until a candle of that size was told of both, each told before the next one closes. Answers its end.

    One that ends while its history is still being loaded is never told; then it is the next one.
    """
    end = 0
    while len(listener.of(size, end)) < 2:
        if gateway.end % size == 0:
            end = gateway.end
        await gateway.close_candles(1, 2)
        await listener.until(lambda: len(listener.of(10, gateway.end)) == 2)
    return end


async def test_every_active_and_size_is_told_at_its_close(
    start_runtime: StartRuntime, gateway: Gateway, listener: Listener
) -> None:
    await scan(start_runtime)
    await close_until(gateway, lambda: {candle.active_id for candle in listener.candles} == {1, 2})
    end = await close_one_by_one(gateway, listener, 60)
    for candle in listener.of(10, end):
        strategies = [signal.strategy for signal in candle.signals]
        assert "aggressive" in strategies
        assert len(set(strategies)) == len(strategies)
        assert candle.name == f"T {candle.active_id}"
        assert candle.close == pytest.approx(1 + ((candle.end // 10 + 1) * 7 + candle.active_id) % 13 / 1e4)
    assert [each.close for each in listener.of(60, end)] == [each.close for each in listener.of(10, end)]


async def test_users_strategies_are_scanned_and_one_that_fails_silences_nobody(
    start_runtime: StartRuntime, gateway: Gateway, listener: Listener, tmp_path: Path
) -> None:
    write(tmp_path, "follow")
    write(tmp_path, "fails", "if panel.size == 10: 1 / 0")
    runtime = await scan(start_runtime, PREGAO_STRATEGIES_DIR=str(tmp_path))
    await close_until(gateway, lambda: {candle.active_id for candle in listener.candles} == {1, 2})
    await close_one_by_one(gateway, listener, 60)
    for candle in listener.of(10, gateway.end):
        assert {"aggressive", "follow"} <= {signal.strategy for signal in candle.signals}
    assert len(runtime.logged("strategy_disabled")) == 1


async def test_three_minutes_are_made_of_single_ones(
    start_runtime: StartRuntime, gateway: Gateway, listener: Listener
) -> None:
    await scan(start_runtime)
    await close_until(gateway, lambda: {candle.active_id for candle in listener.candles} == {1, 2})
    await close_one_by_one(gateway, listener, 180)
    assert 180 not in {query.size for query in gateway.queries}


async def test_only_what_can_be_traded_is_scanned(
    start_runtime: StartRuntime, gateway: Gateway, listener: Listener, bus: Bus
) -> None:
    mirror = await bus.mirror(FEEDS, ">", FeedDemand)
    await scan(start_runtime)

    def wanted() -> list[set[Feed]]:
        return [set(entry.value.feeds) for _, entry in mirror.items()]

    await eventually(lambda: wanted() == [{Feed(1, 10), Feed(2, 10)}])
    await gateway.start(an_active(1), an_active(2, suspended=True))
    await eventually(lambda: wanted() == [{Feed(1, 10)}])
    await close_until(gateway, lambda: listener.candles)
    assert {candle.active_id for candle in listener.candles} == {1}


async def test_of_two_processes_one_scans_and_the_other_takes_over(
    start_runtime: StartRuntime, gateway: Gateway, listener: Listener
) -> None:
    first, second = await scan(start_runtime), await scan(start_runtime)
    await close_until(gateway, lambda: listener.candles)
    [scanning] = [process for process in (first, second) if process.logged("scanner_acts")]
    await scanning.kill()
    before = gateway.end
    await close_until(gateway, lambda: listener.candles[-1].end > before + 30)
    assert len(first.logged("scanner_acts") + second.logged("scanner_acts")) == 2
    assert set(Counter(candle.id for candle in listener.candles).values()) == {1}


async def test_a_scanner_that_was_frozen_tells_nothing_when_it_wakes_up(
    start_runtime: StartRuntime, gateway: Gateway, listener: Listener
) -> None:
    first = await scan(start_runtime)
    await close_until(gateway, lambda: listener.candles)
    first.pause()
    second = await scan(start_runtime)
    before = gateway.end
    await close_until(gateway, lambda: listener.candles[-1].end > before)
    first.resume()
    await eventually(lambda: first.logged("lease_lost"))
    await close_until(gateway, lambda: listener.candles[-1].end > before + 30)
    assert len(second.logged("scanner_acts")) == 1
    assert set(Counter(candle.id for candle in listener.candles).values()) == {1}


async def test_a_deployment_may_do_without(
    start_runtime: StartRuntime, gateway: Gateway, listener: Listener, bus: Bus
) -> None:
    runtime = await start_runtime()
    mirror = await bus.mirror(FEEDS, ">", FeedDemand)
    await gateway.close_candles(1, 2)
    assert runtime.logged("ready")
    assert (mirror.items(), runtime.logged("scanner_acts")) == ([], [])
