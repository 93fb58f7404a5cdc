"""bots.start and bots.stop, and what they refuse."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from libs.bus import Bus
from libs.bus.topology import ACCOUNTS, BOTS
from libs.contracts import keys
from libs.contracts.account import AccountType, Balance, Balances
from libs.contracts.bots import BotConfig, BotState, BotStatus
from libs.contracts.rpc import RECONFIGURE_BOT, ErrorCode, RpcError, StartBot
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.messages import OTHER_USER, USER

D = Decimal


@pytest.fixture(autouse=True)
async def runtime(start_runtime: StartRuntime, gateway: Gateway) -> None:
    await start_runtime()


async def refusal(observer: Observer, config: BotConfig | None = None, user: str = USER) -> ErrorCode:
    with pytest.raises(RpcError) as refused:
        await observer.start_bot(user, config)
    return refused.value.code


async def test_a_start_is_answered_with_the_new_run(observer: Observer, bus: Bus) -> None:
    config = BotConfig(mode="manual", asset="T1-OTC", timeframe=10)
    status = await observer.start_bot(config=config)
    assert (status.state, status.label, status.number) == (BotState.STARTING, "Starting bot...", 1)
    assert status.config == config
    stored = await bus.bucket(BOTS).get(keys.bot_status(status.bot), BotStatus)
    assert stored is not None
    assert stored.value.run == status.run, "who reads the status after the answer finds the new run"


async def test_without_a_session_there_is_no_start(observer: Observer, gateway: Gateway) -> None:
    assert await refusal(observer, user=OTHER_USER) is ErrorCode.NOT_CONNECTED
    await gateway.lose()
    assert await refusal(observer) is ErrorCode.NOT_CONNECTED


async def test_without_a_balance_of_that_type_there_is_no_start(observer: Observer, gateway: Gateway) -> None:
    await gateway.connect(OTHER_USER, types=(AccountType.REAL,))
    assert await refusal(observer, user=OTHER_USER) is ErrorCode.NO_BALANCE


async def test_less_than_the_broker_takes_is_refused_naming_the_field(observer: Observer, bus: Bus) -> None:
    """At the start, and when a bot that runs is to go on with it."""

    async def reconfigure(config: BotConfig) -> None:
        await bus.call(RECONFIGURE_BOT, StartBot(user=USER, config=config))

    pesos = Balance(id=1, type=AccountType.DEMO, amount=D(1000), currency="MXN", min_stake=D(20))
    await bus.bucket(ACCOUNTS).put(keys.balance(USER), Balances(user=USER, at=bus.clock.now(), balances=(pesos,)))

    async def refused(act: Callable[[BotConfig], Awaitable[object]]) -> None:
        for config, field in (
            (BotConfig(amount=D(19)), "amount"),
            (BotConfig(amount=D(20), max_stake=D(19)), "maxStake"),
        ):
            with pytest.raises(RpcError, match=f"`config.{field}`: the broker takes 20 or more") as raised:
                await act(config)
            assert raised.value.code is ErrorCode.INVALID_REQUEST

    await refused(lambda config: observer.start_bot(config=config))
    await observer.start_bot(config=BotConfig(amount=D(20)))
    await refused(reconfigure)
    await reconfigure(BotConfig(amount=D(21)))


async def test_an_asset_is_found_by_its_exact_ticker_only(observer: Observer) -> None:
    for asset in ("T3-OTC", "t1-otc", "T1", "T1-OTC "):
        config = BotConfig(mode="manual", asset=asset, timeframe=10)
        assert await refusal(observer, config) is ErrorCode.ASSET_NOT_FOUND


async def test_a_timeframe_the_asset_does_not_offer_is_refused(observer: Observer) -> None:
    config = BotConfig(mode="manual", asset="T1-OTC", timeframe=300)
    assert await refusal(observer, config) is ErrorCode.INVALID_REQUEST


async def test_real_money_needs_the_deployments_consent(observer: Observer, gateway: Gateway) -> None:
    await gateway.connect(OTHER_USER, types=(AccountType.REAL,))
    config = BotConfig(account_type=AccountType.REAL)
    assert await refusal(observer, config, OTHER_USER) is ErrorCode.INVALID_REQUEST


async def test_a_running_bot_is_not_started_again(observer: Observer) -> None:
    await observer.start_bot()
    assert await refusal(observer) is ErrorCode.ALREADY_RUNNING


async def test_of_concurrent_starts_one_succeeds(observer: Observer) -> None:
    answers = await asyncio.gather(*(observer.start_bot() for _ in range(8)), return_exceptions=True)
    started = [answer for answer in answers if isinstance(answer, BotStatus)]
    refused = [answer.code for answer in answers if isinstance(answer, RpcError)]
    assert len(started) == 1
    assert refused == [ErrorCode.ALREADY_RUNNING] * 7
    await observer.label("Analyzing markets...")
    assert {status.run for status in observer.statuses[USER]} == {started[0].run}


async def test_a_bot_that_waits_for_its_position_is_not_started_again(observer: Observer, gateway: Gateway) -> None:
    await observer.start_bot()
    order = await gateway.next_order()
    await observer.stop_bot()
    assert await refusal(observer) is ErrorCode.ALREADY_RUNNING
    await gateway.settle(order, "8.20")
    await observer.label("Bot Stopped")
    assert (await observer.start_bot()).number == 2


async def test_what_does_not_run_cannot_be_stopped(observer: Observer) -> None:
    with pytest.raises(RpcError, match="no bot is running") as never_started:
        await observer.stop_bot()
    assert never_started.value.code is ErrorCode.NOT_RUNNING
    await observer.start_bot()
    await observer.stop_bot()
    await observer.label("Bot Stopped")
    with pytest.raises(RpcError, match="no bot is running"):
        await observer.stop_bot()


async def test_stopping_at_once_after_starting_stops(observer: Observer) -> None:
    started = await observer.start_bot()
    stopping = await observer.stop_bot()
    assert (stopping.run, stopping.state) == (started.run, BotState.STOPPING)
    assert (await observer.label("Bot Stopped")).run == started.run


async def test_users_bots_are_apart(observer: Observer, gateway: Gateway) -> None:
    await gateway.connect(OTHER_USER)
    await observer.start_bot(USER)
    await observer.start_bot(OTHER_USER)
    await observer.label("Analyzing markets...", OTHER_USER)
    await observer.stop_bot(OTHER_USER)
    await observer.label("Bot Stopped", OTHER_USER)
    order = await gateway.next_order()
    assert order.user == USER
    assert "Bot Stopped" not in observer.labels(USER)
