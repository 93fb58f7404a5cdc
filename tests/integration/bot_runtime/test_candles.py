"""Which candles it asks for, and how it gets them."""

import asyncio
from pathlib import Path

from libs.bus import Bus
from libs.bus.topology import FEEDS
from libs.contracts import subjects
from libs.contracts.bots import BotConfig
from libs.contracts.market import Feed, FeedDemand
from libs.contracts.rpc import ErrorCode, RpcError
from libs.strategies.panel import Panel
from services.bot_runtime.candles import Candles
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import SIZE, Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.integration.nats_server import eventually
from tests.messages import USER, a_candle
from tests.unit.strategies.authors import only_with, write


async def demands(bus: Bus) -> list[set[Feed]]:
    mirror = await bus.mirror(FEEDS, ">", FeedDemand)
    found = [set(entry.value.feeds) for _, entry in mirror.items()]
    await mirror.stop()
    return found


async def test_feeds_are_wanted_while_bots_need_them(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus
) -> None:
    runtime = await start_runtime()
    assert await demands(bus) == []
    await observer.start_bot()
    await gateway.next_order()
    assert await demands(bus) == [{Feed(1, 10), Feed(2, 10)}]
    await runtime.terminate()
    assert await demands(bus) == []


async def test_a_bot_that_stopped_wants_nothing(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus
) -> None:
    await start_runtime()
    mirror = await bus.mirror(FEEDS, ">", FeedDemand)
    await observer.start_bot(config=BotConfig(mode="manual", asset="T2-OTC", timeframe=60))
    await eventually(lambda: [set(entry.value.feeds) for _, entry in mirror.items()] == [{Feed(2, 60)}])
    await observer.stop_bot()
    await eventually(lambda: [entry.value.feeds for _, entry in mirror.items()] == [()])


async def test_after_a_gap_the_history_is_fetched_again(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    await observer.start_bot(config=BotConfig(mode="manual", asset="T1-OTC", timeframe=10))
    order = await gateway.next_order(1)
    await gateway.settle(order, "8.20")
    await observer.score(1)
    asked = len(gateway.queries)
    await gateway.close_candles(1, skip=1)
    await eventually(lambda: len(gateway.queries) > asked)
    assert len(gateway.bought) == 1, "a panel with a hole is not traded on"
    assert (await gateway.next_order(1)).sequence == 2


async def test_candles_that_come_late_are_not_traded_on(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus
) -> None:
    """As after an outage, when a gateway makes up for what nobody saw closing."""
    gateway.end = int(bus.clock.now().timestamp()) // SIZE * SIZE - 6 * SIZE
    runtime = await start_runtime()
    await observer.start_bot(config=BotConfig(mode="manual", asset="T1-OTC", timeframe=10))
    await eventually(lambda: gateway.queries)
    for _ in range(3):
        await gateway.close_candles(1)
    await eventually(lambda: runtime.logged("round_late"))
    order = await gateway.next_order(1)
    await observer.until(lambda: observer.signals[USER])
    (followed,) = observer.signals[USER]
    assert followed.order_id == order.order_id
    assert order.at.timestamp() - followed.signal.candle_end <= 5
    assert await runtime.metric('pregao_bot_rounds_late_total{size="10"}') == len(runtime.logged("round_late"))


async def test_what_a_strategy_takes_too_long_to_say_is_not_traded_on(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus, tmp_path: Path
) -> None:
    write(tmp_path, "dawdles", only_with("0.5", "import time; time.sleep(1.2)"))
    runtime = await start_runtime(PREGAO_STRATEGIES_DIR=str(tmp_path))
    wish = BotConfig(strategy="dawdles", strategy_parameters={"least": 0.5})
    await observer.start_bot(config=wish)
    await eventually(lambda: gateway.queries)
    gateway.end = int(bus.clock.now().timestamp()) - 4 - SIZE
    await gateway.close_candles(1, 2)
    await eventually(lambda: runtime.logged("round_late"))
    assert gateway.bought == []


async def test_a_history_that_fails_is_asked_for_again(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    gateway.history_failure = RpcError(ErrorCode.BROKER_UNREACHABLE, "away")
    runtime = await start_runtime()
    await observer.start_bot()
    await eventually(lambda: len(runtime.logged("history_failed")) >= 2)
    gateway.history_failure = None
    assert (await gateway.next_order()).sequence == 1


async def test_a_round_that_fails_does_not_stand_in_the_way_of_the_next(bus: Bus) -> None:
    ends: list[int] = []

    async def evaluate(panel: Panel, end: int, _: object) -> None:
        ends.append(end)
        if len(ends) == 1:
            raise RuntimeError(f"{panel.size}: the first one fails")

    candles = Candles(bus, evaluate)
    await candles.follow()
    candles.watch(frozenset({Feed(1, 10)}))
    judging = asyncio.create_task(candles.judge())
    for number in (1, 2):
        candle = a_candle(active_id=1, size=10, id=number, end=number * 10)
        await bus.publish(subjects.closed_candle(Feed(1, 10)), candle)
        await eventually(lambda number=number: len(ends) == number)  # type: ignore[misc]
    assert ends == [10, 20]
    judging.cancel()
