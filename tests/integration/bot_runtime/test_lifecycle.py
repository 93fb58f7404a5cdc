"""Pause, resume and reconfigure: what a user wants holds, whatever becomes of the processes."""

from decimal import Decimal

import pytest

from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig, BotState, BotStatus
from libs.contracts.money import DalembertPlan, OscarsGrindPlan
from libs.contracts.rpc import PAUSE_BOT, RECONFIGURE_BOT, RESUME_BOT, ErrorCode, RpcError, StartBot
from services.bot_runtime import labels
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.messages import USER

D = Decimal


async def test_a_paused_bot_follows_what_is_open_and_opens_nothing(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    await observer.start_bot()
    order = await gateway.next_order()
    assert (await observer.ask(PAUSE_BOT)).state is BotState.PAUSED
    assert (await observer.label(labels.PAUSING)).state is BotState.PAUSED
    await gateway.settle(order, "8.20")
    assert (await observer.score(1)).total == D("8.20")
    await observer.label(labels.PAUSED)
    for _ in range(3):
        await gateway.close_candles(1, 2)
    assert (await observer.ask(PAUSE_BOT)).state is BotState.PAUSED
    assert (await observer.ask(RESUME_BOT)).state is BotState.RUNNING
    assert (await gateway.next_order()).sequence == 2
    assert len(gateway.bought) == 2


async def test_a_paused_bot_stays_paused_when_its_process_dies(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    runtime = await start_runtime()
    await observer.start_bot()
    await observer.ask(PAUSE_BOT)
    await observer.label(labels.PAUSED)
    await runtime.kill()
    await start_runtime()
    for _ in range(3):
        await gateway.close_candles(1, 2)
    await observer.ask(RESUME_BOT)
    assert (await gateway.next_order()).sequence == 1
    assert len(gateway.bought) == 1


async def test_a_paused_bot_can_be_stopped_and_is_not_started_again(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    await observer.start_bot()
    await observer.ask(PAUSE_BOT)
    with pytest.raises(RpcError) as raised:
        await observer.start_bot()
    assert raised.value.code is ErrorCode.ALREADY_RUNNING
    await observer.stop_bot()
    await observer.label("Bot Stopped")
    assert (await observer.start_bot()).state is BotState.STARTING
    await observer.label(labels.ANALYZING)


async def test_what_does_not_run_is_not_paused_resumed_or_changed(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    for endpoint in (PAUSE_BOT, RESUME_BOT):
        with pytest.raises(RpcError) as raised:
            await observer.ask(endpoint)
        assert raised.value.code is ErrorCode.NOT_RUNNING
    with pytest.raises(RpcError) as raised:
        await reconfigure(observer, BotConfig())
    assert raised.value.code is ErrorCode.NOT_RUNNING
    await observer.start_bot()
    with pytest.raises(RpcError) as raised:
        await observer.ask(RESUME_BOT)
    assert raised.value.code is ErrorCode.NOT_PAUSED


async def test_a_change_counts_from_the_next_order_and_keeps_the_score(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    started = await observer.start_bot(config=BotConfig(amount=D(10)))
    order = await gateway.next_order()
    changed = await reconfigure(observer, BotConfig(amount=D(3), mode="manual", asset="T2-OTC", timeframe=10))
    assert (changed.run, changed.config.amount) == (started.run, D(3))
    await gateway.settle(order, "8.20")
    await observer.score(1)
    order = await gateway.next_order()
    assert (order.stake, order.active_id, order.sequence) == (D(3), 2, 2)
    await gateway.settle(order, "-3")
    assert (await observer.score(2)).total == D("5.20")


async def test_what_the_day_has_lost_is_not_forgotten_with_another_time_zone(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    """Where it is always a later day than in the other: its trades would not count there."""
    await start_runtime()
    await observer.start_bot(config=BotConfig(amount=D(40), stop_loss=D(100), time_zone="Pacific/Kiritimati"))
    await gateway.settle(await gateway.next_order(), "-40")
    await observer.score(1)
    await reconfigure(observer, BotConfig(amount=D(40), stop_loss=D(100), time_zone="Etc/GMT+12"))
    for number, stake in enumerate(("40", "20"), 2):
        order = await gateway.next_order()
        assert order.stake == D(stake)
        await gateway.settle(order, f"-{stake}")
        await observer.score(number)
    await observer.label("Bot stopped - Stop Loss reached: R$ -100.00")


async def test_a_position_that_is_open_when_the_stake_plan_changes_is_counted_once(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    await observer.start_bot(config=BotConfig(amount=D(10), stake_plan=DalembertPlan(max_units=5)))
    await gateway.settle(await gateway.next_order(), "-10")
    await observer.score(1)
    order = await gateway.next_order()
    assert order.stake == D(20)
    await reconfigure(observer, BotConfig(amount=D(10), stake_plan=OscarsGrindPlan(max_units=5)))
    await gateway.settle(order, "-20")
    assert (await observer.score(2)).total == D(-30)
    order = await gateway.next_order()
    assert order.stake == D(10), "the new plan begins with its first unit"
    await gateway.settle(order, "8.20")
    assert (await observer.score(3)).day.profit == D("-21.80")


async def test_what_cannot_be_is_not_changed(start_runtime: StartRuntime, gateway: Gateway, observer: Observer) -> None:
    await start_runtime()
    await observer.start_bot()
    with pytest.raises(RpcError, match="real account") as raised:
        await reconfigure(observer, BotConfig(account_type=AccountType.REAL))
    assert raised.value.code is ErrorCode.NOT_RUNNING
    with pytest.raises(RpcError) as raised:
        await reconfigure(observer, BotConfig(mode="manual", asset="NOPE"))
    assert raised.value.code is ErrorCode.ASSET_NOT_FOUND


async def test_while_the_broker_is_away_it_is_recovering(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    await observer.start_bot()
    await gateway.lose()
    assert (await observer.label(labels.NO_CONNECTION)).state is BotState.RECOVERING
    await gateway.connect()
    assert (await observer.label(labels.ANALYZING)).state is BotState.RUNNING


async def reconfigure(observer: Observer, config: BotConfig) -> BotStatus:
    return await observer.bus.call(RECONFIGURE_BOT, StartBot(user=USER, config=config))
