"""Two gateways and many users: one gateway joins, dies under load, or is frozen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from uuid import UUID

import pytest

from libs.bus import Consumer, Delivery
from libs.bus.lease import Holder
from libs.bus.members import Member, ranking
from libs.bus.topology import FEEDS, LEASES, MARKET
from libs.contracts import subjects
from libs.contracts.ids import new_id
from libs.contracts.market import Candle, Feed, FeedDemand
from libs.contracts.orders import OrderState
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.broker_gateway.rig import Rig, until

pytestmark = pytest.mark.takes(45)

USERS = {str(UUID(int=number)): 6000 + number for number in range(1, 21)}
"""User and account at the broker."""
FEED = Feed(76, 1)
_PACE = 0.5
"""Seconds between a user's orders."""
_TAKEOVER = 10.0
"""Seconds from the death of a gateway until another one has all of its sessions; leases last 6."""


class Trader:
    """Sends one order after another, whatever becomes of them."""

    def __init__(self, rig: Rig, user: str) -> None:
        self._rig = rig
        self._user = user
        self.opened: list[str] = []

    async def trade(self) -> None:
        while True:
            order_id = await self._rig.intend(user=self._user)
            with suppress(RpcError):
                if (await self._rig.submit(order_id, self._user)).state is OrderState.OPENED:
                    self.opened.append(order_id)
            await asyncio.sleep(_PACE)


@pytest.fixture
async def closed_candles(rig: Rig) -> AsyncIterator[list[int]]:
    """Ids of FEED's closed candles, as they are stored; it is wanted as long as the test runs."""
    ids: list[int] = []

    async def hear(batch: list[Delivery]) -> None:
        ids.extend(candle.id for candle in (each.decode(Candle) for each in batch) if candle.feed == FEED)

    async def want() -> None:
        while True:
            await rig.bus.bucket(FEEDS).put("bots.rig", FeedDemand(feeds=(FEED,)), ttl=10)
            await asyncio.sleep(3)

    wanting = asyncio.create_task(want())
    consumption = await rig.bus.consume(Consumer(MARKET.name, "rig"), hear)
    yield ids
    wanting.cancel()
    await consumption.stop()


async def test_the_other_one_takes_over_everything_and_nothing_is_lost_or_done_twice(
    rig: Rig, closed_candles: list[int]
) -> None:
    gateways = [await rig.start_gateway(), await rig.start_gateway()]
    await asyncio.gather(*(rig.connect(user, account) for user, account in USERS.items()))
    traders = {user: Trader(rig, user) for user in USERS}
    trading = [asyncio.create_task(trader.trade()) for trader in traders.values()]

    async def everybody_traded() -> bool:
        return all(trader.opened for trader in traders.values()) and bool(closed_candles)

    await until(everybody_traded)
    await gateways[0].kill()
    async with asyncio.timeout(_TAKEOVER):
        await asyncio.gather(*(served(rig, user) for user in USERS))
    before = {user: len(trader.opened) for user, trader in traders.items()}
    last_candle = closed_candles[-1]

    async def everybody_trades_again() -> bool:
        again = all(len(trader.opened) > before[user] for user, trader in traders.items())
        return again and closed_candles[-1] > last_candle

    await until(everybody_trades_again, timeout=25)
    for task in trading:
        task.cancel()
    await asyncio.gather(*trading, return_exceptions=True)
    for user, account in USERS.items():
        await books_agree(rig, user, account)
    assert set(rig.events.values()) == {1}
    first = min(closed_candles)
    assert sorted(closed_candles) == list(range(first, first + len(closed_candles))), "each closed candle once"


async def test_one_that_joins_is_handed_its_share_and_everybody_trades_on(rig: Rig) -> None:
    await rig.start_gateway()
    await asyncio.gather(*(rig.connect(user, account) for user, account in USERS.items()))
    traders = {user: Trader(rig, user) for user in USERS}
    trading = [asyncio.create_task(trader.trade()) for trader in traders.values()]
    first = (await holders(rig)).values()
    await rig.start_gateway()

    async def shared() -> bool:
        gateways = {entry.value.instance for entry in await rig.bus.bucket(LEASES).entries("member.gateway.*", Member)}
        return await holders(rig) == {user: ranking(gateways, user)[0] for user in USERS} and len(gateways) == 2

    await until(shared, timeout=30)
    moved = {user for user, instance in (await holders(rig)).items() if instance not in first}
    opened = {user: len(traders[user].opened) for user in moved}

    async def moved_ones_trade() -> bool:
        return all(len(traders[user].opened) > opened[user] for user in moved)

    await until(moved_ones_trade, timeout=25)
    for task in trading:
        task.cancel()
    await asyncio.gather(*trading, return_exceptions=True)
    for user, account in USERS.items():
        await books_agree(rig, user, account)
    assert set(rig.events.values()) == {1}


async def served(rig: Rig, user: str) -> None:
    """Until somebody with a session answers for the user: that there is no such order."""

    async def answered() -> bool:
        try:
            await rig.submit(new_id(), user, timeout=1.0)
        except RpcError as error:
            return error.code is ErrorCode.NOT_FOUND
        return False

    await until(answered, timeout=60)


async def holders(rig: Rig) -> dict[str, str]:
    """Which gateway holds each user's session."""
    leases = await rig.bus.bucket(LEASES).entries("session.*", Holder)
    named = {entry.key.removeprefix("session."): entry.value.instance for entry in leases}
    return {user: instance for user, instance in named.items() if user in USERS}


async def test_what_a_frozen_one_heard_is_not_published_late(rig: Rig, closed_candles: list[int]) -> None:
    told: list[datetime] = []

    async def hear(_: str, candle: Candle) -> None:
        told.append(candle.at)

    await rig.bus.subscribe(subjects.candle(FEED), Candle, hear)
    holder = await rig.start_gateway()
    await rig.start_gateway()

    async def told_since(count: int) -> bool:
        return len(told) > count + 5

    await until(partial(told_since, 0))
    holder.pause()
    await until(partial(told_since, len(told)), timeout=20)
    holder.resume()

    async def noticed() -> bool:
        return any(line["lease"] == "market" for line in holder.logged("lease_lost"))

    await until(noticed)
    await until(partial(told_since, len(told)))
    assert told == sorted(told)

    async def each_closed_candle_is_stored() -> bool:
        return sorted(closed_candles) == list(range(min(closed_candles), max(closed_candles) + 1))

    await until(each_closed_candle_is_stored)


async def books_agree(rig: Rig, user: str, account: int) -> None:
    """Every position at the broker is one order of ours that was opened and closed, and nothing else was."""

    async def settled() -> bool:
        return all(record.state.final for record in await rig.records(user))

    await until(settled, timeout=30)
    records = [record for record in await rig.records(user) if record.position is not None]
    booked = await rig.broker_positions(account)
    assert sorted(position["external_id"] for position in booked) == sorted(
        record.position.position_id for record in records if record.position is not None
    )
    assert all(record.state is OrderState.CLOSED for record in records)
    told = {name for name in rig.events if name.endswith(".closed")}
    assert {f"{record.order.order_id}.closed" for record in records} <= told
