"""From the death of one of two gateways to the moment when every user can send orders again."""

import asyncio
import time
from uuid import UUID

from libs.bus import Bus
from libs.contracts.ids import new_id
from libs.contracts.rpc import CONNECT, SUBMIT_ORDER, ConnectSession, ErrorCode, RpcError, SubmitOrder
from libs.contracts.subjects import session_rpc
from tests.bench.result import Result
from tests.bench.services import services

NAMES = ("gateway.takeover_s",)

_USERS = {str(UUID(int=number)): str(1000 + number) for number in range(1, 201)}
"""User and account at the broker."""
_PATIENCE = 60.0


async def run() -> list[Result]:
    async with services() as stack:
        doomed = await stack.start_gateway()
        await stack.start_gateway()
        await asyncio.gather(*(_connect(stack.bus, user, account) for user, account in _USERS.items()))
        await _all_served(stack.bus)
        await doomed.kill()
        killed = time.monotonic()
        await _all_served(stack.bus)
        return [Result(NAMES[0], time.monotonic() - killed, "s")]


async def _connect(bus: Bus, user: str, broker_user_id: str) -> None:
    await bus.call(CONNECT, ConnectSession(user=user, broker_user_id=broker_user_id), timeout=_PATIENCE)


async def _all_served(bus: Bus) -> None:
    async with asyncio.timeout(_PATIENCE):
        await asyncio.gather(*(_served(bus, user) for user in _USERS))


async def _served(bus: Bus, user: str) -> None:
    """Until somebody answers for the user, here: that there is no such order."""
    while True:
        try:
            await bus.call(SUBMIT_ORDER, SubmitOrder(order_id=new_id()), subject=session_rpc(user, SUBMIT_ORDER.name))
        except RpcError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return
        await asyncio.sleep(0.05)
