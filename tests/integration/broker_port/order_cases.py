"""Acceptance cases of the port `Broker`: what every broker that is fitted to it must do with orders.

Inherit `OrderCases`, with a fixture `venue` that says how each situation is brought about (docs/broker-port.md).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

import pytest

from libs.contracts.account import AccountType
from libs.contracts.orders import Direction, OptionKind, Position
from services.broker_gateway.broker import (
    Broker,
    BrokerPosition,
    BrokerUnavailable,
    NotOffered,
    NotSent,
    Refused,
    Unanswered,
)
from tests.integration.broker_port.venue import OrderVenue

T = TypeVar("T")

KINDS = tuple(OptionKind)
SELLABLE = tuple(kind for kind in OptionKind if kind is not OptionKind.BLITZ)
_SOON = timedelta(seconds=3)
"""How far two clocks on one machine may be apart, and a reply be late."""

each_kind = pytest.mark.parametrize("kind", KINDS)
each_sellable = pytest.mark.parametrize("kind", SELLABLE)


async def bought(venue: OrderVenue, kind: OptionKind = OptionKind.BLITZ, **changes: object) -> Position:
    order = await venue.order(kind, **changes)
    offer = await venue.broker.offer(order)
    balance = venue.demo if order.account_type is AccountType.DEMO else venue.real
    return await venue.broker.buy(order, balance, offer)


async def listed(broker: Broker, position: Position) -> BrokerPosition:
    books = await broker.positions(position.opened_at - _SOON)
    (found,) = [known for known in books if known.position.position_id == position.position_id]
    return found


async def settled(broker: Broker, position: Position) -> BrokerPosition:
    async with asyncio.timeout(20):
        while (known := await listed(broker, position)).settlement is None:
            await asyncio.sleep(0.1)
    return known


async def reachable(ask: Callable[[], Awaitable[T]]) -> T:
    """A lost answer may have been a lost link, which is made again."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await ask()
            except BrokerUnavailable:
                await asyncio.sleep(0.1)


class OrderCases:
    @each_kind
    async def test_o01(self, venue: OrderVenue, kind: OptionKind) -> None:
        """An offer names the percent that a win brings."""
        offer = await venue.broker.offer(await venue.order(kind))
        assert 0 < offer.payout <= 1000

    @each_kind
    async def test_o02(self, venue: OrderVenue, kind: OptionKind) -> None:
        """What is not on offer for this kind and time is refused before anything is sent."""
        order = await venue.order(kind, min_payout=1)
        await venue.withdraw_offer(order)
        with pytest.raises(NotOffered):
            await venue.broker.offer(order)
        assert await venue.booked() == 0

    @each_sellable
    async def test_o03(self, venue: OrderVenue, kind: OptionKind) -> None:
        """An offer that ends says when, before the option expires."""
        order = await venue.order(kind)
        offer = await venue.broker.offer(order)
        assert offer.closes_at is not None
        assert venue.broker.now() < offer.closes_at
        if order.expiration is not None:
            assert offer.closes_at <= order.expiration

    @each_kind
    async def test_o04(self, venue: OrderVenue, kind: OptionKind) -> None:
        """A purchase is booked once, as it was asked for, and the books say so."""
        order = await venue.order(kind, direction=Direction.PUT)
        position = await venue.broker.buy(order, venue.demo, await venue.broker.offer(order))
        assert await venue.booked() == 1
        known = await listed(venue.broker, position)
        assert (known.option, known.active_id, known.direction) == (kind, order.active_id, Direction.PUT)
        assert (known.stake, known.settlement) == (order.stake, None)
        assert known.position.position_id == position.position_id

    @each_kind
    async def test_o05(self, venue: OrderVenue, kind: OptionKind) -> None:
        """The confirmation tells balance, times by the broker's clock, price and payout."""
        order = await venue.order(kind)
        offer = await venue.broker.offer(order)
        position = await venue.broker.buy(order, venue.demo, offer)
        assert position.balance_id == venue.demo
        assert abs(position.opened_at - venue.broker.now()) < _SOON
        assert position.open_quote > 0
        assert position.payout > 0
        if order.expiration is not None:
            assert position.expiry == order.expiration
        elif kind is OptionKind.BLITZ:
            assert abs(position.expiry - position.opened_at - timedelta(seconds=order.duration)) <= timedelta(seconds=2)
        else:
            assert position.expiry > position.opened_at

    @pytest.mark.parametrize("account_type", list(AccountType))
    async def test_o06(self, venue: OrderVenue, account_type: AccountType) -> None:
        """Money is taken from exactly the balance that is named."""
        position = await bought(venue, account_type=account_type)
        balance = {AccountType.DEMO: venue.demo, AccountType.REAL: venue.real}[account_type]
        assert (await listed(venue.broker, position)).position.balance_id == balance

    async def test_o07(self, venue: OrderVenue) -> None:
        """A stake with cents is booked to the cent."""
        position = await bought(venue, stake=Decimal("12.34"))
        assert (await listed(venue.broker, position)).stake == Decimal("12.34")

    async def test_o08(self, venue: OrderVenue) -> None:
        """Two purchases at the same time are two positions."""
        first, second = await asyncio.gather(bought(venue), bought(venue))
        assert first.position_id != second.position_id
        assert await venue.booked() == 2

    @each_kind
    async def test_o09(self, venue: OrderVenue, kind: OptionKind) -> None:
        """A broker's no is told as such with its words, and nothing is booked."""
        order = await venue.order(kind)
        offer = await venue.broker.offer(order)
        await venue.refuse_next()
        with pytest.raises(Refused) as raised:
            await venue.broker.buy(order, venue.demo, offer)
        assert str(raised.value)
        assert await venue.booked() == 0

    @each_kind
    async def test_o10(self, venue: OrderVenue, kind: OptionKind) -> None:
        """Without a link a purchase is certain not to have been sent."""
        order = await venue.order(kind)
        offer = await venue.broker.offer(order)
        await venue.cut()
        with pytest.raises(NotSent):
            await venue.broker.buy(order, venue.demo, offer)

    @each_kind
    async def test_o11(self, venue: OrderVenue, kind: OptionKind) -> None:
        """A purchase whose answer is lost is told as unanswered, not sent again, and found once in the books."""
        order = await venue.order(kind)
        offer = await venue.broker.offer(order)
        since = venue.broker.now() - _SOON
        await venue.lose_next_answer()
        with pytest.raises(Unanswered):
            await venue.broker.buy(order, venue.demo, offer)
        (known,) = await reachable(lambda: venue.broker.positions(since))
        assert (known.option, known.stake, known.direction) == (kind, order.stake, order.direction)
        assert await venue.booked() == 1

    async def test_o12(self, venue: OrderVenue) -> None:
        """A result is in the books with the broker's profit, after the expiry and not before."""
        position = await bought(venue, stake=Decimal(10))
        known = await settled(venue.broker, position)
        assert known.settlement is not None
        assert venue.broker.now() >= position.expiry
        won = Decimal(10) * position.payout / 100
        assert known.settlement.profit in (Decimal(-10), Decimal(0), won)
        assert not known.settlement.sold
        assert known.settlement.closed_at >= position.expiry

    async def test_o13(self, venue: OrderVenue) -> None:
        """The books since a time hold every position opened since, and every open one however old."""
        old = await bought(venue)
        await settled(venue.broker, old)
        since = venue.broker.now() + timedelta(seconds=1)
        async with asyncio.timeout(5):
            while venue.broker.now() < since:
                await asyncio.sleep(0.05)
        new = await bought(venue)
        ids = {known.position.position_id for known in await venue.broker.positions(since)}
        assert ids == {new.position_id}
        later = {
            known.position.position_id for known in await venue.broker.positions(new.opened_at + timedelta(hours=1))
        }
        assert later == {new.position_id}, "it is still open"

    async def test_o14(self, venue: OrderVenue) -> None:
        """The books are complete, however many pages they have."""
        since = venue.broker.now() - _SOON
        positions = [await bought(venue, stake=Decimal(1)) for _ in range(70)]
        books = await venue.broker.positions(since)
        assert sorted(known.position.position_id for known in books) == sorted(
            position.position_id for position in positions
        )

    async def test_o15(self, venue: OrderVenue) -> None:
        """Books that cannot be read are an error, never an empty list."""
        await bought(venue)
        await venue.cut()
        with pytest.raises(BrokerUnavailable):
            await venue.broker.positions(venue.broker.now())

    @each_sellable
    async def test_o16(self, venue: OrderVenue, kind: OptionKind) -> None:
        """What was sold before its expiry is in the books as sold, with what it brought."""
        position = await bought(venue, kind)
        await venue.broker.sell(kind, position.position_id)
        known = await settled(venue.broker, position)
        assert known.settlement is not None
        assert known.settlement.sold
        assert Decimal(-10) <= known.settlement.profit <= Decimal(10) * position.payout / 100
        assert known.settlement.closed_at < position.expiry

    @each_sellable
    async def test_o17(self, venue: OrderVenue, kind: OptionKind) -> None:
        """A sale without a link is certain not to have been sent."""
        position = await bought(venue, kind)
        await venue.cut()
        with pytest.raises(NotSent):
            await venue.broker.sell(kind, position.position_id)

    @each_sellable
    async def test_o18(self, venue: OrderVenue, kind: OptionKind) -> None:
        """A sale whose answer is lost is told as unanswered, and found in the books."""
        position = await bought(venue, kind)
        await venue.lose_next_answer()
        with pytest.raises(Unanswered):
            await venue.broker.sell(kind, position.position_id)
        known = await reachable(lambda: settled(venue.broker, position))
        assert known.settlement is not None
        assert known.settlement.sold

    async def test_o19(self, venue: OrderVenue) -> None:
        """Nothing but a position of this user can be sold."""
        with pytest.raises(Refused):
            await venue.broker.sell(OptionKind.TURBO, 999_999_999)
