"""What administrators allow counts at once, for bots that run as well."""

import asyncio
from uuid import UUID

import pytest

from libs.bus import Bus
from libs.bus.topology import PLATFORM as BUCKET
from libs.contracts import keys
from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig, BotState, BotStatus
from libs.contracts.platform import BarredUser, Platform, UserLimits
from libs.contracts.rpc import (
    PLATFORM,
    SET_PLATFORM,
    SET_USER_LIMITS,
    USER_LIMITS,
    ErrorCode,
    Nothing,
    OfUser,
    RpcError,
    SetPlatform,
    SetUserLimits,
)
from services.bot_runtime import labels
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.messages import NOW, OTHER_USER, USER

ADMIN = "01890a5d-ac96-774b-bcce-b302099a8059"


@pytest.fixture(autouse=True)
async def _runtime(start_runtime: StartRuntime, gateway: Gateway) -> None:
    await start_runtime(PREGAO_REAL_ACCOUNTS="true")


async def say(bus: Bus, platform: Platform) -> None:
    await bus.call(SET_PLATFORM, SetPlatform(by=ADMIN, platform=platform))


async def limit(bus: Bus, limits: UserLimits, user: str = USER) -> None:
    await bus.call(SET_USER_LIMITS, SetUserLimits(by=ADMIN, user=user, limits=limits))


async def test_what_is_said_can_be_read(bus: Bus) -> None:
    assert await bus.call(PLATFORM, Nothing()) == Platform()
    assert await bus.call(USER_LIMITS, OfUser(user=USER)) == UserLimits()
    platform, limits = Platform(max_bots=3, notice="Audit"), UserLimits(max_trades_per_day=5)
    await say(bus, platform)
    await limit(bus, limits)
    assert await bus.call(PLATFORM, Nothing()) == platform
    assert await bus.call(USER_LIMITS, OfUser(user=USER)) == limits
    assert await bus.call(USER_LIMITS, OfUser(user=OTHER_USER)) == UserLimits()


async def test_in_maintenance_nothing_is_opened_or_started_and_what_is_open_is_settled(
    bus: Bus, gateway: Gateway, observer: Observer
) -> None:
    await gateway.connect(OTHER_USER)
    await observer.start_bot()
    order = await gateway.next_order()
    await say(bus, Platform(maintenance=True, notice="Back at noon"))
    with pytest.raises(RpcError, match="Back at noon") as raised:
        await observer.start_bot(OTHER_USER)
    assert raised.value.code is ErrorCode.MAINTENANCE
    await gateway.settle(order, "8.20")
    await observer.score(1)
    await observer.label("Back at noon")
    for _ in range(3):
        await gateway.close_candles(1, 2)
    await say(bus, Platform())
    await observer.label(labels.ANALYZING)
    assert (await gateway.next_order()).sequence == 2
    assert len(gateway.bought) == 2


async def test_no_more_bots_run_than_are_allowed(bus: Bus, gateway: Gateway, observer: Observer) -> None:
    await gateway.connect(OTHER_USER)
    await say(bus, Platform(max_bots=1))
    await observer.start_bot()
    with pytest.raises(RpcError, match="1 bots") as raised:
        await observer.start_bot(OTHER_USER)
    assert raised.value.code is ErrorCode.LIMIT_REACHED
    await observer.stop_bot()
    await observer.label("Bot Stopped")
    await observer.start_bot(OTHER_USER)


async def test_nor_when_many_are_started_at_once(bus: Bus, gateway: Gateway, observer: Observer) -> None:
    users = [str(UUID(int=number)) for number in range(1, 11)]
    await asyncio.gather(*map(gateway.connect, users))
    await say(bus, Platform(max_bots=3))
    results = await asyncio.gather(*map(observer.start_bot, users), return_exceptions=True)
    assert len([result for result in results if isinstance(result, BotStatus)]) == 3
    assert {result.code for result in results if isinstance(result, RpcError)} == {ErrorCode.LIMIT_REACHED}


async def test_a_blocked_user_opens_nothing_and_others_do(bus: Bus, gateway: Gateway, observer: Observer) -> None:
    await gateway.connect(OTHER_USER)
    await observer.start_bot()
    await observer.label(labels.ANALYZING)
    await limit(bus, UserLimits(trading=False))
    await observer.label("Trading is blocked for this user")
    await observer.start_bot(OTHER_USER)
    assert (await gateway.next_order()).user == OTHER_USER
    assert [order.user for order in gateway.bought] == [OTHER_USER]


async def test_a_user_without_real_money_trades_on_the_demo_account_only(
    bus: Bus, gateway: Gateway, observer: Observer
) -> None:
    await gateway.connect(types=(AccountType.REAL,))
    await observer.start_bot(config=BotConfig(account_type=AccountType.REAL))
    await observer.label(labels.ANALYZING)
    await limit(bus, UserLimits(real_account=False))
    await observer.label("Trading with real money is blocked for this user")
    await observer.stop_bot()
    await observer.label("Bot Stopped")
    with pytest.raises(RpcError, match="accountType") as raised:
        await observer.start_bot(config=BotConfig(account_type=AccountType.REAL))
    assert raised.value.code is ErrorCode.INVALID_REQUEST


async def test_the_bots_of_who_is_barred_stop_and_are_not_started(
    bus: Bus, gateway: Gateway, observer: Observer
) -> None:
    await gateway.connect(OTHER_USER)
    await observer.start_bot()
    order = await gateway.next_order()
    await bus.bucket(BUCKET).put(keys.barred(USER), BarredUser(user=USER, at=NOW))
    await observer.label(labels.STOPPING)
    await gateway.settle(order, "8.20")
    status = await observer.label("Bot stopped - This account is suspended")
    assert (status.state, (await observer.score(1)).wins) == (BotState.STOPPED, 1)
    with pytest.raises(RpcError) as refused:
        await observer.start_bot()
    assert refused.value.code is ErrorCode.SUSPENDED
    await observer.start_bot(OTHER_USER)
    await bus.bucket(BUCKET).delete(keys.barred(USER))
    while True:
        try:
            await observer.start_bot()
        except RpcError:
            continue
        break
