"""Somebody who trades one order after another while the broker misbehaves, and then compares everybody's books."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from libs.contracts.ids import new_id
from libs.contracts.orders import OptionKind, OrderRecord, OrderState
from libs.contracts.rpc import RpcError
from tests.chaos.lives import ENDING, MARKET_FAULTS, SALES, Injection, Life
from tests.chaos.schedules import Moment
from tests.integration.broker_gateway.rig import CLOCK, Rig, until

_FIRST_ACCOUNT = 7_000_000
_PATIENCE = 90.0
"""Seconds until every order must have met its fate: a lost reply is given up after 10, an order's grace is 5."""
_GRIDS = {OptionKind.TURBO: (60, 30), OptionKind.DIGITAL: (60, 30), OptionKind.BINARY: (900, 120)}
"""Seconds from one expiration to the next, and how long before one it can be bought and sold for some time yet."""
_VALID = timedelta(seconds=12)
"""Of an order for a fixed expiration: its offer has to be read first, by everybody at the same time."""


class Trader:
    def __init__(self, rig: Rig, number: int, active_id: int) -> None:
        self._rig = rig
        self._active_id = active_id
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
        await self._inject(life.at(Moment.BEFORE_ORDER))
        # Each stake is another one, as no two orders of a martingale row are alike.
        stake = Decimal(1 + len(self._orders))
        terms = next_expiration(life.option)
        order_id = await self._rig.intend(
            order_id=new_id(), user=self._user, active_id=self._active_id, stake=stake, **terms
        )
        self._orders.append(order_id)
        await self._buy(order_id, life)
        await self._inject(life.at(Moment.POSITION_OPEN))
        if life.sold:
            await self._sell(order_id, life)
        else:
            await self._keep(order_id, life)
        soon = life.sold and life.option is OptionKind.BINARY
        await until(partial(self._ended, order_id), timeout=_PATIENCE + (0 if soon else terms.get("duration", 0)))

    async def _buy(self, order_id: str, life: Life) -> None:
        meanwhile = life.at(Moment.IN_FLIGHT)
        before = len(await self._rig.broker_positions(self._account))
        if meanwhile:
            await self._rig.broker.fault("delay-reply", self._account, seconds=1)
        answer = asyncio.create_task(self._submit(order_id))

        async def booked() -> bool:
            return answer.done() or len(await self._rig.broker_positions(self._account)) > before

        if meanwhile:
            await until(booked, timeout=_PATIENCE)
            await self._inject(meanwhile)
        await answer

    async def _submit(self, order_id: str) -> None:
        """No answer, or nobody who takes it: what became of it is told by events."""
        with suppress(RpcError):
            await self._rig.submit(order_id, self._user, timeout=15)

    async def _keep(self, order_id: str, life: Life) -> None:
        """Until it expires."""
        record = await self._rig.record(order_id, self._user)
        if record.position is not None and life.at(Moment.AT_SETTLEMENT):
            await asyncio.sleep(max(0.0, (record.position.expiry - CLOCK.now()).total_seconds()))
        await self._inject(life.at(Moment.AT_SETTLEMENT))

    async def _sell(self, order_id: str, life: Life) -> None:
        """What ends connections does so while the sale is booked and not answered; all else waits for it."""
        faults = life.at(Moment.AT_SETTLEMENT)
        meanwhile = [injection for injection in faults if injection.kind in ENDING]
        await self._inject([injection for injection in faults if injection.kind not in ENDING])
        if meanwhile:
            await self._rig.broker.fault("delay-reply", self._account, seconds=1, request=SALES[life.option])
        sale = asyncio.create_task(until(partial(self._offer_for_sale, order_id), timeout=2 * _PATIENCE))

        async def booked() -> bool:
            positions = await self._rig.broker_positions(self._account)
            return sale.done() or bool(positions and positions[-1]["status"] == "closed")

        if meanwhile:
            await until(booked, timeout=2 * _PATIENCE)
            await self._inject(meanwhile)
        await sale

    async def _offer_for_sale(self, order_id: str) -> bool:
        """Whether it was sent, or there is nothing to be sold any more; a refusal may be asked for again."""
        if not (await self._rig.record(order_id, self._user)).state.final:
            with suppress(RpcError):
                await self._rig.sell(order_id, self._user, timeout=15)
        record = await self._rig.record(order_id, self._user)
        return record.state.final or record.sale_sent_at is not None

    async def _inject(self, injections: list[Injection]) -> None:
        for injection in injections:
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


def _story(record: OrderRecord) -> dict[str, int]:
    """What must have been heard of it, and how often. An unknown outcome would be a lost one here; but that a digital
    order was not booked is never certain, so one that was sent and is not in the broker's books ends so."""
    order_id = record.order.order_id
    if record.order.option is OptionKind.DIGITAL and record.state is OrderState.UNKNOWN and record.position is None:
        return {f"{order_id}.unknown": 1}
    if record.state is OrderState.REJECTED:
        return {f"{order_id}.rejected": 1}
    return {f"{order_id}.opened": 1, f"{order_id}.closed": 1}


def next_expiration(option: OptionKind) -> dict[str, Any]:
    """What an order names of an option that expires soon, and can be bought for some seconds yet."""
    if option is OptionKind.BLITZ:
        return {}
    period, margin = _GRIDS[option]
    at = CLOCK.now()
    now = int(at.timestamp())
    second = (now + margin) // period * period + period
    expiration = datetime.fromtimestamp(second, UTC)
    return {"option": option, "expiration": expiration, "duration": second - now, "expires_at": at + _VALID}
