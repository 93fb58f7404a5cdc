"""Digital options of one user at a Quadcode-platform broker (quadcode-protocol §13).

A purchase is answered by the number of an order. What became of it is told by events, which may come before the answer.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from libs.contracts.orders import Order
from libs.quadcode.client import Client
from libs.quadcode.digital import DigitalInstrument, InstrumentPrices, Strike, UnderlyingList
from libs.quadcode.epoch import from_seconds, seconds
from libs.quadcode.errors import OrderOutcomeUnknown, OrderRejected
from libs.quadcode.options import OptionDirection
from libs.quadcode.orders import Order as QuadcodeOrder
from libs.quadcode.orders import OrderStatus
from libs.quadcode.positions import InstrumentType, Position
from libs.quadcode.underlyings import Underlying
from services.broker_gateway.broker import BrokerUnavailable, NotOffered, Offer

log = structlog.get_logger()

_OUTCOME = 10.0
"""Seconds until an order that was answered must have been told of."""
_PRICE = 3.0
"""Seconds until the first price of an instrument must have come; the broker's clients are promised 2."""
_STALE = 3.0
"""Seconds after which a price is not the one of the moment any more: a new one comes every second."""
_REMEMBERED = 256
"""Outcomes that were told before the order's number was known; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class _Choice:
    instrument: DigitalInstrument
    strike: Strike


@dataclass(slots=True)
class _Prices:
    """Of one instrument, as long as it can be bought."""

    expiration: int
    """Epoch second."""
    percents: dict[str, int | None] = field(default_factory=dict)
    """Percent of the stake that is won on a win, by the strike's symbol."""
    fresh: asyncio.Event = field(default_factory=asyncio.Event)
    heard: float = 0.0
    """Monotonic seconds."""

    def update(self, told: InstrumentPrices) -> None:
        self.forget()
        self.heard = asyncio.get_running_loop().time()
        for strike in told.prices:
            for side in (strike.call, strike.put):
                self.percents[side.symbol] = side.profit_percent
        self.fresh.set()

    async def current(self) -> None:
        """Returns when the prices are those of the moment."""
        if asyncio.get_running_loop().time() - self.heard > _STALE:
            self.forget()
        await self.fresh.wait()

    def forget(self) -> None:
        self.percents.clear()
        self.fresh.clear()


class QuadcodeDigital:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._opening = asyncio.Lock()
        self._watching = self._opened = False
        self._underlyings: dict[int, Underlying] = {}
        self._prices: dict[int, _Prices] = {}
        self._told: OrderedDict[int, Position | None] = OrderedDict()
        """By number of the order; None of one that was rejected."""
        self._waiting: dict[int, asyncio.Future[Position | None]] = {}

    async def offer(self, order: Order, now: datetime) -> Offer:
        """At the money, of the shortest period that expires then.

        Raises NotOffered, BrokerUnavailable, QuadcodeError.
        """
        await self._open()
        underlying = self._underlyings.get(order.active_id)
        if underlying is None or not underlying.tradable(now):
            raise NotOffered(f"digital options on {order.ticker} are not on offer")
        choice = _choose(order, await self._client.digital.instruments(order.active_id), now)
        percent = await self._percent(choice)
        closes_at = from_seconds(choice.instrument.expiration) - timedelta(seconds=choice.instrument.deadtime)
        return Offer(percent, closes_at, choice)

    async def buy(self, order: Order, balance_id: int, offer: Offer) -> Position:
        """Sent once, before anything is awaited. Raises OrderRejected, OrderOutcomeUnknown, NotConnected."""
        choice = offer.reference
        if not isinstance(choice, _Choice):
            raise TypeError("not an offer of digital options")
        number = await self._client.digital.place(choice.instrument, choice.strike, order.stake, balance_id)
        position = await self._outcome(number)
        if position is None:
            raise OrderRejected(0, f"the broker rejected order {number}")
        return position

    def position_changed(self, position: Position) -> None:
        """One that does not name its orders is found in the books: its own number may be that of somebody's order."""
        if position.digital is not None:
            for number in position.digital.order_ids:
                self._tell(number, position)

    def link_lost(self) -> None:
        """What is told meanwhile is missed: outcomes are looked up in the books, offers are asked for anew."""
        self._opened = False
        for prices in self._prices.values():
            prices.forget()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(OrderOutcomeUnknown("the link was lost before the order's outcome was told"))

    async def _open(self) -> None:
        """Listen before the first purchase: a session that buys no digital options needs nothing of this."""
        async with self._opening:
            if self._opened:
                return
            if not self._watching:
                await self._client.orders.watch(InstrumentType.DIGITAL_OPTION, self._order_changed)
                await self._client.digital.watch_underlyings(self._underlyings_changed)
                self._watching = True
            listed = await self._client.digital.underlyings()
            self._underlyings.clear()  # suspended ones are not listed (§13.1)
            self._merge(listed)
            self._opened = True

    async def _percent(self, choice: _Choice) -> int:
        prices = await self._watched(choice.instrument)
        try:
            async with asyncio.timeout(_PRICE):
                await prices.current()
        except TimeoutError:
            raise BrokerUnavailable("the broker tells no price of this instrument") from None
        percent = prices.percents.get(choice.strike.symbol)
        if percent is None:
            raise NotOffered("this instrument has no price now")
        return percent

    async def _watched(self, instrument: DigitalInstrument) -> _Prices:
        """Until it expires, when the client gives the subscription up."""
        second = seconds(self._client.clock.now())
        self._prices = {index: known for index, known in self._prices.items() if known.expiration > second}
        prices = self._prices.get(instrument.index)
        if prices is None:
            prices = self._prices[instrument.index] = _Prices(instrument.expiration)
            try:
                await self._client.digital.watch_prices(instrument, prices.update)
            except BaseException:  # also when it is cancelled: without a subscription there is never a price
                self._prices.pop(instrument.index, None)
                raise
        return prices

    async def _outcome(self, number: int) -> Position | None:
        if number in self._told:
            return self._told.pop(number)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_OUTCOME):
                outcome: Position | None = await waiting
                return outcome
        except TimeoutError:
            raise OrderOutcomeUnknown(f"the broker does not tell what became of order {number}") from None
        finally:
            del self._waiting[number]

    def _order_changed(self, order: QuadcodeOrder) -> None:
        """A filled one is told by its position."""
        if order.number is not None and order.status in (OrderStatus.REJECTED, OrderStatus.CANCELED):
            self._tell(order.number, None)

    def _tell(self, number: int, outcome: Position | None) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(outcome)
            return
        self._told[number] = outcome
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)

    def _underlyings_changed(self, changed: UnderlyingList) -> None:
        self._merge(changed.underlying)

    def _merge(self, underlyings: Iterable[Underlying]) -> None:
        self._underlyings |= {underlying.active_id: underlying for underlying in underlyings}


def _choose(order: Order, instruments: Iterable[DigitalInstrument], now: datetime) -> _Choice:
    direction = OptionDirection(order.direction)
    found = [
        _Choice(instrument, strike)
        for instrument in instruments
        if from_seconds(instrument.expiration) == order.expiration and instrument.purchasable(now)
        if (strike := instrument.strike(direction)) is not None
    ]
    if not found:
        raise NotOffered(f"digital options on {order.ticker} that expire then cannot be bought now")
    return min(found, key=lambda choice: choice.instrument.period)
