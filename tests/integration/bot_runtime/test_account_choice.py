"""The account type that a user chooses for bots that are told none."""

import asyncio

import pytest

from libs.bus import Bus
from libs.bus.topology import BOTS
from libs.contracts import keys
from libs.contracts.account import AccountChoice, AccountType
from libs.contracts.platform import UserLimits
from libs.contracts.rpc import (
    CHOOSE_ACCOUNT,
    SET_USER_LIMITS,
    STOP_BOT,
    ChooseAccount,
    ErrorCode,
    RpcError,
    SetUserLimits,
    StopBot,
)
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.messages import USER

FOR_REAL = ChooseAccount(user=USER, account_type=AccountType.REAL)


async def told(bus: Bus, request: ChooseAccount) -> str:
    """What it is refused with; empty when it is done."""
    try:
        await bus.call(CHOOSE_ACCOUNT, request)
    except RpcError as error:
        return error.message
    return ""


async def refusal(bus: Bus, request: ChooseAccount) -> RpcError:
    with pytest.raises(RpcError) as refused:
        await bus.call(CHOOSE_ACCOUNT, request)
    return refused.value


async def stored(bus: Bus) -> AccountType | None:
    entry = await bus.bucket(BOTS).get(keys.account_choice(USER), AccountChoice)
    return None if entry is None else entry.value.account_type


async def test_a_real_account_needs_both_consents(start_runtime: StartRuntime, gateway: Gateway, bus: Bus) -> None:
    await start_runtime()
    refused = await refusal(bus, FOR_REAL)
    assert refused.code is ErrorCode.INVALID_REQUEST
    assert refused.message == "`accountType`: real accounts are not allowed for this server"
    assert await stored(bus) is None


async def test_an_administrator_can_take_back_a_users(start_runtime: StartRuntime, gateway: Gateway, bus: Bus) -> None:
    await start_runtime(PREGAO_REAL_ACCOUNTS="true")
    choice = await bus.call(CHOOSE_ACCOUNT, FOR_REAL)
    assert (choice.account_type, await stored(bus)) == (AccountType.REAL, AccountType.REAL)
    limits = SetUserLimits(by=USER, user=USER, limits=UserLimits(real_account=False))
    await bus.call(SET_USER_LIMITS, limits)
    async with asyncio.timeout(10):
        while (await told(bus, FOR_REAL)) != "`accountType`: real accounts are not allowed for this user":
            await asyncio.sleep(0.02)


async def test_it_is_not_changed_under_a_bot_that_runs(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus
) -> None:
    await start_runtime()
    await gateway.connect()
    await observer.start_bot()
    demo = ChooseAccount(user=USER, account_type=AccountType.DEMO)
    assert (await refusal(bus, demo)).code is ErrorCode.ALREADY_RUNNING
    await bus.call(STOP_BOT, StopBot(user=USER))
    async with asyncio.timeout(10):
        while await told(bus, demo):
            await asyncio.sleep(0.02)
    assert await stored(bus) is AccountType.DEMO
