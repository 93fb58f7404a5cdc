"""A user's two bots, on the demo and on the real account: they know nothing of each other."""

from decimal import Decimal

import pytest

from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig, BotState, BotStatus
from libs.contracts.ids import BotId
from libs.contracts.orders import Order
from libs.contracts.rpc import (
    PAUSE_BOT,
    RECONFIGURE_BOT,
    RESUME_BOT,
    STOP_BOT,
    ErrorCode,
    OfBots,
    RpcError,
    StartBot,
    StopBot,
)
from libs.contracts.score import Score
from services.bot_runtime import labels
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.integration.service_process import ServiceProcess
from tests.messages import USER

D = Decimal
DEMO, REAL = AccountType.DEMO, AccountType.REAL
ON_DEMO = BotConfig(mode="manual", asset="T1-OTC", timeframe=10)
FOR_REAL = BotConfig(mode="manual", asset="T2-OTC", timeframe=10, account_type=REAL, amount=D(3))


@pytest.fixture
async def runtime(start_runtime: StartRuntime, gateway: Gateway) -> ServiceProcess:
    await gateway.vanish()
    await gateway.connect(types=(DEMO, REAL))
    return await start_runtime(PREGAO_REAL_ACCOUNTS="true")


async def start_both(observer: Observer) -> tuple[BotStatus, BotStatus]:
    demo = await observer.start_bot(config=ON_DEMO)
    return demo, await observer.start_bot(config=FOR_REAL)


async def an_order_of_each(gateway: Gateway) -> dict[AccountType, Order]:
    while {order.account_type for order in gateway.bought} != {DEMO, REAL}:
        await gateway.next_order()
    return {order.account_type: order for order in gateway.bought}


async def counted(observer: Observer, account_type: AccountType) -> Score:
    def scores() -> list[Score]:
        return [score for score in observer.scores[USER] if score.account_type is account_type and score.trades]

    await observer.until(scores)
    return scores()[-1]


async def told(observer: Observer, account_type: AccountType, label: str) -> BotStatus:
    def last() -> list[BotStatus]:
        return [status for status in observer.statuses[USER] if status.bot == BotId(USER, account_type)][-1:]

    await observer.until(lambda: [status.label for status in last()] == [label])
    return last()[0]


async def test_each_trades_on_its_account_and_counts_its_own_trades(
    runtime: ServiceProcess, gateway: Gateway, observer: Observer
) -> None:
    demo, real = await start_both(observer)
    assert (demo.number, real.number) == (1, 2)
    orders = await an_order_of_each(gateway)
    assert {type_: (order.active_id, order.stake, order.run) for type_, order in orders.items()} == {
        DEMO: (1, D(1), demo.run), REAL: (2, D(3), real.run),
    }  # fmt: skip
    await gateway.settle(orders[DEMO], "-1")
    await gateway.settle(orders[REAL], "2.46")
    assert (await counted(observer, DEMO)).total == D(-1)
    assert (await counted(observer, REAL)).total == D("2.46")


async def test_both_go_on_in_another_process(
    runtime: ServiceProcess, start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_both(observer)
    orders = await an_order_of_each(gateway)
    await runtime.kill()
    for order in orders.values():
        await gateway.settle(order, "-1")
    await start_runtime(PREGAO_REAL_ACCOUNTS="true")
    assert [(await counted(observer, type_)).sequence for type_ in (DEMO, REAL)] == [1, 1]


async def test_what_is_asked_of_one_leaves_the_other_alone(
    runtime: ServiceProcess, gateway: Gateway, observer: Observer
) -> None:
    await start_both(observer)
    bus = observer.bus
    for config in (ON_DEMO, FOR_REAL):
        with pytest.raises(RpcError, match=f"{config.account_type}") as raised:
            await observer.start_bot(config=config)
        assert raised.value.code is ErrorCode.ALREADY_RUNNING
    await bus.call(PAUSE_BOT, OfBots(user=USER, account_type=REAL))
    await told(observer, REAL, labels.PAUSED)
    changed = await bus.call(RECONFIGURE_BOT, StartBot(user=USER, config=ON_DEMO))
    assert changed.bot.account_type is DEMO
    assert (await gateway.next_order()).account_type is DEMO
    stopping = await bus.call(STOP_BOT, StopBot(user=USER, account_type=REAL))
    assert stopping.bot == BotId(USER, REAL)
    await told(observer, REAL, "Bot Stopped")
    with pytest.raises(RpcError, match="real account"):
        await bus.call(RESUME_BOT, OfBots(user=USER, account_type=REAL))
    await gateway.settle(gateway.bought[-1], "0.82")
    assert (await gateway.next_order()).account_type is DEMO


async def test_who_names_no_account_means_both(runtime: ServiceProcess, gateway: Gateway, observer: Observer) -> None:
    await start_both(observer)
    assert (await observer.ask(PAUSE_BOT)).state is BotState.PAUSED
    for account_type in (DEMO, REAL):
        await told(observer, account_type, labels.PAUSED)
    await observer.bus.call(RESUME_BOT, OfBots(user=USER, account_type=DEMO))
    assert (await observer.ask(RESUME_BOT)).bot.account_type is REAL, "the one that was paused still"
    with pytest.raises(RpcError) as raised:
        await observer.ask(RESUME_BOT)
    assert raised.value.code is ErrorCode.NOT_PAUSED
    await observer.stop_bot()
    for account_type in (DEMO, REAL):
        await told(observer, account_type, "Bot Stopped")
    with pytest.raises(RpcError) as raised:
        await observer.stop_bot()
    assert raised.value.code is ErrorCode.NOT_RUNNING
