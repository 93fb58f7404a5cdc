"""Digital options of one user, with a broker that says what the test wants when it wants, in virtual time."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
from msgspec.structs import replace

from libs.contracts.orders import OptionKind, Order
from libs.quadcode.client import Client
from libs.quadcode.declarations import Call
from libs.quadcode.digital import (
    GET_UNDERLYINGS,
    PLACE_DIGITAL_OPTION,
    PRICES_GENERATED,
    DigitalInstrument,
    DigitalOptions,
    InstrumentList,
    InstrumentPrices,
    Strike,
    StrikePrice,
    StrikePrices,
    UnderlyingList,
)
from libs.quadcode.epoch import from_seconds, seconds
from libs.quadcode.errors import OrderOutcomeUnknown
from libs.quadcode.options import OptionDirection
from libs.quadcode.orders import Orders
from libs.quadcode.placing import Placed
from libs.quadcode.positions import DigitalOptionsEvent, Position, RawEvent
from libs.quadcode.underlyings import TradingSession, Underlying
from services.broker_gateway.broker import BrokerUnavailable, NotOffered, Offer
from services.broker_gateway.quadcode_digital import QuadcodeDigital
from tests.messages import an_order
from tests.unit.quadcode.hand_channel import USER_ID, HandChannel
from tests.unit.quadcode.virtual_time import clock, run

T = TypeVar("T")

NUMBER = 5
EURUSD = Underlying(active_id=76, schedule=(TradingSession(0, 2**33),))


class Broker:
    """Offers one instrument that expires in a minute; what it pays is told by `tell_price`."""

    def __init__(self) -> None:
        self.underlyings: tuple[Underlying, ...] = (EURUSD,)
        self.channel = HandChannel(self._answer, seed=1)
        self.expiration = seconds(clock().now()) + 60
        self.digital = QuadcodeDigital(
            cast(
                Client,
                SimpleNamespace(
                    clock=self.channel.clock, digital=DigitalOptions(self.channel), orders=Orders(self.channel)
                ),
            )
        )

    @property
    def order(self) -> Order:
        return an_order(option=OptionKind.DIGITAL, expiration=from_seconds(self.expiration))

    async def offer(self) -> Offer:
        return await self._served(self.digital.offer(self.order, clock().now()))

    async def buy(self, offer: Offer) -> Position:
        return await self._served(self.digital.buy(self.order, 900004, offer))

    async def offer_at(self, ask: float) -> Offer:
        """The price is told while the offer is waited for."""
        asked = asyncio.create_task(self.offer())
        await asyncio.sleep(1)
        self.tell_price(ask)
        return await asked

    def tell_price(self, ask: float) -> None:
        price = StrikePrices("SPT", StrikePrice("C", ask), StrikePrice("P", ask))
        self.channel.push(PRICES_GENERATED, InstrumentPrices(asset_id=76, instrument_index=1, prices=(price,)))
        self.channel.deliver_one()

    def _answer(self, call: Call[Any, Any], _: Any) -> object:
        if call is GET_UNDERLYINGS:
            return UnderlyingList(self.underlyings)
        if call is PLACE_DIGITAL_OPTION:
            return Placed(NUMBER)
        strikes = tuple(Strike(direction, "SPT", direction[0].upper()) for direction in OptionDirection)
        return InstrumentList(
            (DigitalInstrument(index=1, asset_id=76, period=60, expiration=self.expiration, deadtime=10, data=strikes),)
        )

    async def _served(self, work: Awaitable[T]) -> T:
        """Every request is answered soon."""
        task = asyncio.ensure_future(work)
        while not task.done():
            self.channel.reply_to_one()
            await asyncio.sleep(0.01)
        return await task


def a_position(**changes: Any) -> Position:
    position = Position(
        id="p", external_id=88, user_id=USER_ID, user_balance_id=900004, active_id=76,
        instrument_type="digital-option", status="open", invest=Decimal(10), open_quote=1.1, open_time=0.0,
        raw_event=RawEvent(digital_options_position_changed1=DigitalOptionsEvent((NUMBER,), "call", 60_000)),
    )  # fmt: skip
    return replace(position, **changes)


def test_a_price_that_is_not_of_the_moment_is_not_offered() -> None:
    async def scene() -> None:
        broker = Broker()
        assert (await broker.offer_at(50)).payout == 100
        await asyncio.sleep(10)
        with pytest.raises(BrokerUnavailable):
            await broker.offer()
        assert (await broker.offer_at(80)).payout == 25

    run(scene())


def test_a_price_of_before_the_link_was_lost_is_not_offered() -> None:
    async def scene() -> None:
        broker = Broker()
        await broker.offer_at(50)
        broker.digital.link_lost()
        assert (await broker.offer_at(80)).payout == 25

    run(scene())


def test_what_was_suspended_while_the_link_was_lost_is_not_offered() -> None:
    async def scene() -> None:
        broker = Broker()
        await broker.offer_at(50)
        broker.digital.link_lost()
        broker.underlyings = ()
        with pytest.raises(NotOffered):
            await broker.offer()

    run(scene())


def test_an_offer_that_was_given_up_leaves_the_next_one_its_prices() -> None:
    async def scene() -> None:
        broker = Broker()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await broker.offer()
        assert (await broker.offer_at(80)).payout == 25

    run(scene())


@pytest.mark.parametrize("told_before", [True, False])
def test_the_position_that_names_the_order_is_what_was_bought(told_before: bool) -> None:
    async def scene() -> None:
        broker = Broker()
        offer = await broker.offer_at(50)
        if told_before:
            broker.digital.position_changed(a_position())
        else:
            asyncio.get_running_loop().call_later(1, broker.digital.position_changed, a_position())
        assert (await broker.buy(offer)).external_id == 88

    run(scene())


def test_a_position_whose_own_number_is_that_of_the_order_is_another() -> None:
    async def scene() -> None:
        broker = Broker()
        offer = await broker.offer_at(50)
        broker.digital.position_changed(a_position(external_id=NUMBER, raw_event=None))
        with pytest.raises(OrderOutcomeUnknown):
            await broker.buy(offer)

    run(scene())


def test_the_outcome_of_an_order_is_not_waited_for_on_a_lost_link() -> None:
    async def scene() -> None:
        broker = Broker()
        offer = await broker.offer_at(50)
        asyncio.get_running_loop().call_later(1, broker.digital.link_lost)
        with pytest.raises(OrderOutcomeUnknown):
            await broker.buy(offer)
        assert clock().now() < from_seconds(broker.expiration) - timedelta(seconds=50)

    run(scene())
