"""Somebody who trades one order after another while the broker misbehaves, and then compares everybody's books."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from libs.contracts.ids import new_id
from libs.contracts.orders import OptionKind, OrderRecord, OrderState
from libs.contracts.rpc import RpcError
from tests.chaos.lives import MARKET_FAULTS, Injection, Life
from tests.chaos.schedules import Moment
from tests.integration.broker_gateway.rig import CLOCK, Rig, until

_FIRST_ACCOUNT = 7_000_000
_PATIENCE = 90.0
"""Seconds until every order must have met its fate: a lost reply is given up after 10, an order's grace is 2."""


class Trader:
    def __init__(self, rig: Rig, number: int, active_id: int, option: OptionKind = OptionKind.BLITZ) -> None:
        """Digital orders are for the next expiration; of the other kinds only blitz."""
        self._rig = rig
        self._active_id = active_id
        self._option = option
        self._account = _FIRST_ACCOUNT + number
        self._user = str(UUID(int=number + 1))
        self._orders: list[str] = []

    async def trade(self, lives: tuple[Life, ...]) -> None:
        await self._connect()
        for life in lives:
            await self._live(life)

    async def compare(self) -> None:
        """The broker's books and what was told of trades agree: nothing lost, nothing twice, the same money."""
        booked = {position["external_id"]: position for position in await self._rig.broker_positions(self._account)}
        told = {}
        for order_id in self._orders:
            record = await self._rig.record(order_id, self._user)
            assert self._heard(order_id) == _story(record), record
            if record.position is not None:
                told[record.position.position_id] = self._rig.closings[order_id].settlement.profit
        assert told == {number: Decimal(str(position["pnl_realized"])) for number, position in booked.items()}
        assert all(balance["amount"] == balance["ledger"] for balance in await self._rig.broker.balances(self._account))

    async def _connect(self) -> None:
        async def connected() -> bool:
            try:
                await self._rig.connect(self._user, self._account)
            except RpcError:
                return False
            return True

        await until(connected, timeout=60)

    async def _live(self, life: Life) -> None:
        before = len(await self._rig.broker_positions(self._account))
        await self._meet(life, Moment.BEFORE_ORDER)
        # Each stake is another one, as no two orders of a martingale row are alike.
        stake = Decimal(1 + len(self._orders))
        kind = next_digital() if self._option is OptionKind.DIGITAL else {}
        order_id = await self._rig.intend(
            order_id=new_id(), user=self._user, active_id=self._active_id, stake=stake, **kind
        )
        self._orders.append(order_id)
        if _at(life, Moment.IN_FLIGHT):
            await self._rig.broker.fault("delay-reply", self._account, seconds=1)
        answer = asyncio.create_task(self._submit(order_id))

        async def booked() -> bool:
            return answer.done() or len(await self._rig.broker_positions(self._account)) > before

        if _at(life, Moment.IN_FLIGHT):
            await until(booked, timeout=_PATIENCE)
            await self._meet(life, Moment.IN_FLIGHT)
        await answer
        await self._meet(life, Moment.POSITION_OPEN)
        record = await self._rig.record(order_id, self._user)
        if record.position is not None and _at(life, Moment.AT_SETTLEMENT):
            await asyncio.sleep(max(0.0, (record.position.expiry - CLOCK.now()).total_seconds()))
        await self._meet(life, Moment.AT_SETTLEMENT)
        await until(partial(self._ended, order_id), timeout=_PATIENCE + kind.get("duration", 0))

    async def _submit(self, order_id: str) -> None:
        """No answer, or nobody who takes it: what became of it is told by events."""
        with suppress(RpcError):
            await self._rig.submit(order_id, self._user, timeout=15)

    async def _meet(self, life: Life, moment: Moment) -> None:
        for injection in _at(life, moment):
            if injection.kind in MARKET_FAULTS:
                await self._rig.broker.market_fault(injection.kind, self._active_id)
            else:
                await self._rig.broker.fault(injection.kind, self._account, **injection.details)

    async def _ended(self, order_id: str) -> bool:
        """The event is stored before the record, and heard after it was stored."""
        heard = any(f"{order_id}.{state}" in self._rig.events for state in OrderState if state.final)
        return heard and (await self._rig.record(order_id, self._user)).state.final

    def _heard(self, order_id: str) -> dict[str, int]:
        return {identity: count for identity, count in self._rig.events.items() if identity.startswith(order_id)}


def _at(life: Life, moment: Moment) -> list[Injection]:
    return [injection for injection in life if injection.moment is moment]


def _story(record: OrderRecord) -> dict[str, int]:
    """What must have been heard of it, and how often. An unknown outcome would be a lost one here; but that a digital
    order was not booked is never certain, so one that was sent and is not in the broker's books ends so."""
    order_id = record.order.order_id
    if record.order.option is OptionKind.DIGITAL and record.state is OrderState.UNKNOWN and record.position is None:
        return {f"{order_id}.unknown": 1}
    if record.state is OrderState.REJECTED:
        return {f"{order_id}.rejected": 1}
    return {f"{order_id}.opened": 1, f"{order_id}.closed": 1}


def next_digital() -> dict[str, Any]:
    """Kind, expiration and duration of a digital option that expires soon, and can be bought for some seconds yet."""
    now = CLOCK.now()
    second = (int(now.timestamp()) + 25) // 60 * 60 + 60
    expiration = datetime.fromtimestamp(second, UTC)
    return {"option": OptionKind.DIGITAL, "expiration": expiration, "duration": second - int(now.timestamp())}
