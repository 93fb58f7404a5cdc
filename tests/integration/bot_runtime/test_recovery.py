"""Whatever ends a process, its bots go on where they were, and nothing is counted or bought twice."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from libs.bus import Bus
from libs.bus.topology import BOTS, ORDERS
from libs.contracts import keys
from libs.contracts.account import AccountType
from libs.contracts.alerts import Alert
from libs.contracts.bots import BotConfig, BotStatus
from libs.contracts.ids import BotId
from libs.contracts.orders import FINAL_RECORD_LIFE, OrderRecord, OrderState, RejectCode
from libs.contracts.score import Score
from services.bot_runtime import labels
from services.bot_runtime.partitions import PARTITIONS, partition_of
from services.bot_runtime.run import order_id
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.integration.nats_server import NatsServer, eventually
from tests.integration.service_process import ServiceProcess
from tests.messages import OTHER_USER, USER, an_order

pytestmark = pytest.mark.takes(75)

D = Decimal


def held(process: ServiceProcess) -> set[int]:
    """The partitions a process holds, as its log tells."""
    taken, dropped = (
        Counter(line["partition"] for line in process.logged(event))
        for event in ("partition_taken", "partition_dropped")
    )
    return set(taken - dropped)


async def test_a_trade_that_ended_while_nobody_ran_is_counted_once(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    runtime = await start_runtime()
    await observer.start_bot()
    order = await gateway.next_order()
    await observer.label(labels.TRACKING)
    await runtime.kill()
    await gateway.settle(order, "8.20")
    await start_runtime()
    pnl = await observer.score(1)
    assert (pnl.trades, pnl.total) == (1, D("8.20"))
    second = await gateway.next_order()
    await gateway.settle(second, "-10")
    pnl = await observer.score(2)
    assert (pnl.trades, pnl.total, second.sequence) == (2, D("-1.80"), 2)
    assert len(gateway.bought) == 2


async def test_a_trade_that_is_open_at_the_restart_is_waited_for(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    runtime = await start_runtime()
    await observer.start_bot()
    order = await gateway.next_order()
    await observer.label(labels.TRACKING)
    await runtime.kill()
    restarted = await start_runtime()
    await eventually(lambda: len(held(restarted)) == PARTITIONS)
    for _ in range(3):
        await gateway.close_candles(1, 2)
    await gateway.settle(order, "8.20")
    assert (await observer.score(1)).total == D("8.20")
    await observer.label(labels.ANALYZING)
    assert len(gateway.bought) == 1


async def test_a_bot_that_was_told_to_stop_while_nobody_ran_stops(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    runtime = await start_runtime()
    await observer.start_bot()
    order = await gateway.next_order()
    await observer.stop_bot()
    await runtime.kill()
    await gateway.settle(order, "8.20")
    await start_runtime()
    await observer.label("Bot Stopped")
    assert (await observer.score(1)).total == D("8.20")


async def test_a_stopped_bot_stays_stopped(start_runtime: StartRuntime, gateway: Gateway, observer: Observer) -> None:
    runtime = await start_runtime()
    await observer.start_bot()
    await observer.stop_bot()
    await observer.label("Bot Stopped")
    told = len(observer.labels())
    await runtime.terminate()
    await start_runtime()
    await gateway.close_candles(1, 2)
    assert (await observer.start_bot()).number == 2
    assert observer.labels()[told] == "Starting bot..."


async def test_processes_share_the_bots_and_one_that_joins_is_handed_its_part(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    first = await start_runtime()
    assert len(held(first)) == PARTITIONS
    await observer.start_bot()
    order = await gateway.next_order()
    others = [await start_runtime(), await start_runtime()]
    processes = [first, *others]
    await eventually(lambda: all(map(held, processes)) and sum(len(held(each)) for each in processes) == PARTITIONS)
    assert set.union(*map(held, processes)) == set(range(PARTITIONS))
    await gateway.settle(order, "8.20")
    await observer.score(1)
    assert (await gateway.next_order()).sequence == 2
    assert first.logged("lease_lost") == []


async def test_when_one_process_is_killed_another_takes_over(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    first, second = [await start_runtime() for _ in range(2)]
    await eventually(lambda: len(held(first)) + len(held(second)) == PARTITIONS and held(second))
    await observer.start_bot()
    order = await gateway.next_order()
    owner, other = (first, second) if partition_of(USER) in held(first) else (second, first)
    await owner.kill()
    await gateway.settle(order, "8.20")
    assert (await observer.score(1)).total == D("8.20")
    assert (await gateway.next_order()).sequence == 2
    await eventually(lambda: len(held(other)) == PARTITIONS)


async def test_a_process_told_to_end_hands_over_at_once(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    first, second = [await start_runtime(PREGAO_LEASE_SECONDS="30") for _ in range(2)]
    await observer.start_bot()
    order = await gateway.next_order()
    assert await first.terminate() == 0
    await gateway.settle(order, "8.20")
    await observer.score(1)
    await eventually(lambda: len(held(second)) == PARTITIONS, timeout=20)
    assert second.logged("lease_lost") == []


async def test_an_order_is_too_late_before_another_process_may_act(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    """It is decided under a lease of 3 seconds, whatever its lifetime would be."""
    await start_runtime(PREGAO_ORDER_LIFETIME="30")
    await observer.start_bot()
    order = await gateway.next_order()
    assert timedelta(0) < order.expires_at - order.at < timedelta(seconds=3)


async def test_a_process_that_stood_still_no_longer_acts(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    first = await start_runtime()
    await observer.start_bot()
    await gateway.settle(await gateway.next_order(), "8.20")
    await observer.score(1)
    second = await start_runtime()
    await eventually(lambda: len(held(first)) + len(held(second)) == PARTITIONS and held(second))
    first.pause()
    await eventually(lambda: len(held(second)) == PARTITIONS)
    order = await gateway.next_order()
    assert order.sequence == 2
    first.resume()
    await eventually(lambda: first.logged("lease_lost"))
    await gateway.settle(order, "-10")
    await observer.score(2)
    await gateway.settle(await gateway.next_order(), "8.20")
    pnl = await observer.score(3)
    assert [order.sequence for order in gateway.bought] == [1, 2, 3]
    assert (pnl.trades, pnl.total) == (3, D("6.40"))


async def test_a_rejection_that_nobody_came_to_tell_is_told(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus
) -> None:
    runtime = await start_runtime()
    run = (await observer.start_bot()).run
    await observer.label(labels.ANALYZING)
    await runtime.kill()
    order = an_order(order_id=order_id(run, 1), run=run, at=bus.clock.now())
    rejected = OrderRecord(order=order, state=OrderState.REJECTED, updated_at=order.at, code=RejectCode.EXPIRED)
    await bus.bucket(ORDERS).create(f"{USER}.{order.order_id}", rejected)
    await start_runtime()
    await observer.score(1)
    await eventually(lambda: gateway.rejected == [order.order_id])
    assert (await gateway.next_order()).sequence == 2


async def test_of_a_bot_that_cannot_go_on_an_operator_is_told_and_others_trade(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus, alerts: list[Alert]
) -> None:
    runtime = await start_runtime()
    await gateway.connect(OTHER_USER)
    await observer.start_bot(config=BotConfig(stop_loss=D(10)))
    await observer.label(labels.ANALYZING)
    await runtime.kill()
    key = keys.bot_score(BotId(USER, AccountType.DEMO))
    score = await bus.bucket(BOTS).get(key, Score)
    assert score is not None
    absurd = replace(score.value.day, date=bus.clock.now().date().isoformat(), profit=D("1E+40"))
    await bus.bucket(BOTS).put(key, replace(score.value, day=absurd))
    await start_runtime()
    await observer.start_bot(OTHER_USER)
    assert (await gateway.next_order()).user == OTHER_USER
    async with gateway.closing_candles(1, 2):  # the one that cannot may have been taken up later
        await eventually(lambda: alerts)
    assert {(alert.kind, alert.user) for alert in alerts} == {("bot_failed", USER)}
    assert "InvalidOperation" in alerts[0].message
    await bus.bucket(BOTS).put(key, score.value)


async def test_after_a_long_silence_an_id_is_passed_over_rather_than_used_again(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus
) -> None:
    runtime = await start_runtime()
    await observer.start_bot()
    await gateway.settle(await gateway.next_order(), "8.20")
    await observer.score(1)
    await observer.label(labels.ANALYZING)
    await runtime.kill()
    await age(bus, timedelta(seconds=FINAL_RECORD_LIFE))
    await start_runtime()
    assert (await gateway.next_order()).sequence == 12, "ten may have been open"
    assert observer.scores[USER][-1].total == D("8.20")


async def age(bus: Bus, by: timedelta) -> None:
    """As if what the bot told last had been told so long ago."""
    bots, bot = bus.bucket(BOTS), BotId(USER, AccountType.DEMO)
    status, pnl = await bots.get(keys.bot_status(bot), BotStatus), await bots.get(keys.bot_score(bot), Score)
    assert status is not None
    assert pnl is not None
    await bots.put(status.key, replace(status.value, at=status.value.at - by))
    await bots.put(pnl.key, replace(pnl.value, at=pnl.value.at - by))


async def test_it_goes_on_after_the_message_bus_was_away(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, nats_server: NatsServer
) -> None:
    runtime = await start_runtime()
    await observer.start_bot()
    order = await gateway.next_order()
    await observer.label(labels.TRACKING)
    nats_server.kill()
    await eventually(lambda: len(runtime.logged("lease_lost")) == PARTITIONS)
    nats_server.start()
    await gateway.settle(order, "8.20")
    assert (await observer.score(1)).total == D("8.20")
    assert (await gateway.next_order()).sequence == 2
