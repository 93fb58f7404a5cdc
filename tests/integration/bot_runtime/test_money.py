"""Money rules over restarts and new starts, and several positions at once."""

from decimal import Decimal

import msgspec
import pytest

from libs.bus import Bus
from libs.bus.topology import BOTS
from libs.contracts import keys
from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig, TradingState
from libs.contracts.ids import BotId
from libs.contracts.orders import OrderState
from libs.contracts.platform import Platform, UserLimits
from libs.contracts.rpc import (
    PAUSE_BOT,
    PREVIEW_BOT,
    RESUME_BOT,
    SET_PLATFORM,
    ErrorCode,
    RpcError,
    SetPlatform,
    StartBot,
)
from services.bot_runtime import labels
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.messages import USER

D = Decimal
GOAL = BotConfig(amount=D(10), daily_goal_enabled=True, daily_goal=D(15))


def config(**wish: object) -> BotConfig:
    return msgspec.convert(wish, BotConfig)


async def test_a_daily_goal_reached_stays_reached(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    runtime = await start_runtime()
    await observer.start_bot(config=GOAL)
    await gateway.settle(await gateway.next_order(), "8.20")
    await observer.score(1)
    await runtime.kill()
    runtime = await start_runtime()
    await gateway.settle(await gateway.next_order(), "8.20")
    await observer.label("Bot stopped - Daily Goal reached: R$ 16.40")
    with pytest.raises(RpcError, match="Daily Goal") as raised:
        await observer.start_bot(config=GOAL)
    assert raised.value.code is ErrorCode.LIMIT_REACHED
    started = await observer.start_bot(config=config(amount=10, dailyGoalEnabled=True, dailyGoal=20))
    await gateway.settle(await gateway.next_order(), "8.20")
    await observer.label("Bot stopped - Daily Goal reached: R$ 24.60")
    assert observer.scores[USER][-1].total == D("8.20"), "of the run"
    assert observer.scores[USER][-1].run == started.run


async def test_a_stop_loss_is_never_passed_whatever_restarts(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus
) -> None:
    runtime = await start_runtime()
    await observer.start_bot(config=config(amount=40, stopLoss=100))
    for number, stake in enumerate(("40", "40", "20"), 1):
        order = await gateway.next_order()
        assert order.stake == D(stake)
        await gateway.settle(order, f"-{stake}")
        await observer.score(number)
        if number == 2:
            await runtime.kill()
            # The ledger of trades knows it all the same.
            await bus.bucket(BOTS).delete(keys.bot_score(BotId(USER, AccountType.DEMO)))
            runtime = await start_runtime()
    status = await observer.label("Bot stopped - Stop Loss reached: R$ -100.00")
    assert status.reason.startswith("Stop Loss")
    with pytest.raises(RpcError, match="Stop Loss") as raised:
        await observer.start_bot(config=config(amount=40, stopLoss=100))
    assert raised.value.code is ErrorCode.LIMIT_REACHED
    assert len(gateway.bought) == 3


async def test_an_asset_that_lost_twice_is_left_alone_also_after_a_restart(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    runtime = await start_runtime()
    await observer.start_bot()
    for _ in range(2):
        order = await gateway.next_order(1)
        assert order.active_id == 1
        await gateway.settle(order, "-1")
    await observer.score(2)
    await runtime.kill()
    await start_runtime()
    await observer.label(labels.ANALYZING)
    assert (await gateway.next_order(1, 2)).active_id == 2
    assert [order.active_id for order in gateway.bought] == [1, 1, 2]


async def test_a_cool_down_is_told_and_ends_by_itself(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    await observer.start_bot(config=config(limits={"cooldownAfterTrade": 3}))
    await gateway.settle(await gateway.next_order(), "8.20")
    await observer.until(lambda: "cool-down after a trade" in observer.labels()[-1])
    held = observer.statuses[USER][-1]
    assert held.trading is TradingState.REDUCING
    assert held.held_until is not None
    await observer.label(labels.ANALYZING)
    assert observer.statuses[USER][-1].at >= held.held_until
    assert (await gateway.next_order()).at >= held.held_until


async def test_several_positions_are_open_at_once_and_settle_in_any_order(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    runtime = await start_runtime()
    await observer.start_bot(config=config(mode="manual", asset="T1-OTC", timeframe=10, maxOpenPositions=3))
    orders = [await gateway.next_order(1) for _ in range(3)]
    assert [order.sequence for order in orders] == [1, 2, 3]
    await observer.ask(PAUSE_BOT)
    await gateway.settle(orders[2], "-1")
    await observer.until(lambda: observer.scores[USER] and observer.scores[USER][-1].ahead == (3,))
    await runtime.kill()
    await gateway.settle(orders[0], "0.82")
    await start_runtime()
    score = await observer.score(1)
    assert (score.ahead, score.trades, score.total) == ((3,), 2, D("-0.18"))
    await observer.ask(RESUME_BOT)
    fourth = await gateway.next_order(1)
    assert fourth.sequence == 4
    await observer.stop_bot()
    await observer.label(labels.STOPPING)
    await gateway.settle(fourth, "0.82")
    await gateway.settle(orders[1], "0.82")
    await observer.label("Bot Stopped")
    score = observer.scores[USER][-1]
    assert (score.sequence, score.ahead, score.trades, score.total) == (4, (), 4, D("1.46"))


async def test_in_auto_mode_each_asset_has_one_position(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    await observer.start_bot(config=config(maxOpenPositions=5))
    first, second = await gateway.next_order(), await gateway.next_order()
    assert {first.active_id, second.active_id} == {1, 2}
    for _ in range(3):
        await gateway.close_candles(1, 2)
    await gateway.settle(first, "0.82")
    assert (await gateway.next_order()).active_id == first.active_id
    assert len(gateway.bought) == 3


async def test_an_unknown_order_stops_it_once_the_others_are_settled(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    await observer.start_bot(config=config(mode="manual", asset="T1-OTC", timeframe=10, maxOpenPositions=2))
    first, second = await gateway.next_order(1), await gateway.next_order(1)
    await observer.label(labels.TRACKING)
    await gateway.give_up(first, OrderState.OPENED)
    await observer.label(labels.STOPPING)
    await gateway.settle(second, "0.82")
    await observer.until(lambda: "unknown" in observer.labels()[-1])
    assert observer.scores[USER][-1].total == D("0.82")
    await observer.start_bot(config=config(mode="manual", asset="T1-OTC", timeframe=10, amount=10, stopLoss=10))
    assert (await gateway.next_order(1)).stake == D("9.82"), "it counts as lost in the next run"


async def test_what_a_configuration_can_cost_is_told_before_it_starts(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus
) -> None:
    await start_runtime()
    wish = config(amount=10, leverageEnabled=True, leverage=2, maxMartingaleSteps=2, stopLoss=60)
    preview = await bus.call(PREVIEW_BOT, StartBot(user=USER, config=wish))
    assert preview.stakes == (D(10), D(20), D(30))
    assert (preview.loss, preview.worst_loss, preview.bounded_by) == (D(60), D(60), "stopLoss")
    assert preview.ended_by == "Stop Loss reached: R$ -60.00"
    assert gateway.bought == []
    await gateway.lose()
    with pytest.raises(RpcError) as raised:
        await bus.call(PREVIEW_BOT, StartBot(user=USER, config=wish))
    assert raised.value.code is ErrorCode.NOT_CONNECTED


async def test_no_stake_is_higher_than_an_administrator_allows(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus
) -> None:
    await start_runtime()
    limits = UserLimits(max_stake=D(4), max_daily_loss=D(6))
    await bus.call(SET_PLATFORM, SetPlatform(by=USER, platform=Platform(limits=limits)))
    can = await bus.call(PREVIEW_BOT, StartBot(user=USER, config=config(amount=10)))
    assert (can.stakes, can.worst_loss, can.bounded_by) == ((D(4), D(2)), D(6), "maxDailyLoss")
    await observer.start_bot(config=config(amount=10))
    order = await gateway.next_order()
    assert order.stake == D(4)
    await gateway.settle(order, "-4")
    order = await gateway.next_order()
    assert order.stake == D(2)
    await gateway.settle(order, "-2")
    await observer.label("Bot stopped - Stop Loss reached: R$ -6.00")
    with pytest.raises(RpcError, match="Stop Loss") as raised:
        await observer.start_bot(config=config(amount=10))
    assert raised.value.code is ErrorCode.LIMIT_REACHED
