"""Digital options: what is offered, what it pays, buying and closing (quadcode-protocol §13)."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from math import floor

from msgspec import Struct

from libs.quadcode.declarations import Call, Channel, Listener, Subscription, Topic
from libs.quadcode.epoch import from_seconds
from libs.quadcode.features import DIGITAL, require
from libs.quadcode.frames import Result
from libs.quadcode.options import OptionDirection
from libs.quadcode.placing import ClosePosition, Placed, confirm, place
from libs.quadcode.positions import InstrumentType
from libs.quadcode.server_clock import ServerClock
from libs.quadcode.underlyings import Underlying

SPOT = "SPT"
"""The strike that is the price at the purchase."""
_LOOK = 1.0
"""Seconds between two looks whether an instrument has expired (§13.3): the server's time may jump."""


class GetUnderlyings(Struct, frozen=True):
    filter_suspended: bool = True


class UnderlyingList(Struct, frozen=True):
    underlying: tuple[Underlying, ...]
    type: str = ""


class GetInstruments(Struct, frozen=True):
    asset_id: int


class Strike(Struct, frozen=True):
    direction: OptionDirection
    strike: str
    """A decimal price, or SPOT."""
    symbol: str
    """What a purchase names it by."""


class DigitalInstrument(Struct, frozen=True, kw_only=True):
    """One expiration of an active, with all its strikes."""

    index: int
    asset_id: int
    """The active's id."""
    period: int
    """Seconds."""
    expiration: int
    """Epoch second."""
    deadtime: int
    """Seconds before the expiration in which nothing can be bought."""
    data: tuple[Strike, ...] = ()

    def purchasable(self, now: datetime) -> bool:
        """`now`: the server's time. The last moment is excluded."""
        return from_seconds(self.expiration) - timedelta(seconds=self.deadtime) > now

    def strike(self, direction: OptionDirection, strike: str = SPOT) -> Strike | None:
        return next((one for one in self.data if (one.direction, one.strike) == (direction, strike)), None)


class InstrumentList(Struct, frozen=True):
    instruments: tuple[DigitalInstrument, ...]


class StrikePrice(Struct, frozen=True):
    """In percent of the payout; missing when it cannot be bought (ask) or sold (bid) now."""

    symbol: str
    ask: float | None = None
    bid: float | None = None

    @property
    def profit_percent(self) -> int | None:
        """Percent of the stake that is won on a win, rounded down; None without a price (§13.3)."""
        return floor((100 / self.ask - 1) * 100) if self.ask else None


class StrikePrices(Struct, frozen=True):
    strike: str
    call: StrikePrice
    put: StrikePrice


class InstrumentPrices(Struct, frozen=True, kw_only=True):
    asset_id: int
    instrument_index: int
    instrument_type: str = InstrumentType.DIGITAL_OPTION.value
    """Not in the event; part of what is subscribed to."""
    prices: tuple[StrikePrices, ...]
    quote_time: float | None = None
    """Epoch milliseconds (assumed: §13.3)."""


class PlaceDigitalOption(Struct, frozen=True, kw_only=True):
    amount: str
    """Stake in major units of the balance's currency."""
    asset_id: int
    instrument_id: str
    """The strike's symbol."""
    instrument_index: int
    user_balance_id: int


_INSTRUMENTS = "digital-option-instruments"
_SETTINGS = "trading-settings"

GET_UNDERLYINGS = Call(f"{_INSTRUMENTS}.get-underlying-list", "3.0", GetUnderlyings, UnderlyingList)
GET_INSTRUMENTS = Call(f"{_INSTRUMENTS}.get-instruments", "3.0", GetInstruments, InstrumentList)
PLACE_DIGITAL_OPTION = Call("digital-options.place-digital-option", "3.0", PlaceDigitalOption, Placed)
CLOSE_POSITION = Call("digital-options.close-position", "1.0", ClosePosition, Result)
UNDERLYINGS_CHANGED = Topic(
    f"{_INSTRUMENTS}.underlying-list-changed", "3.0", _INSTRUMENTS, "underlying-list-changed", UnderlyingList
)
INSTRUMENT_GENERATED = Topic(
    f"{_INSTRUMENTS}.instrument-generated",
    "3.0",
    _INSTRUMENTS,
    "instrument-generated",
    DigitalInstrument,
    ("asset_id",),
)
PRICES_GENERATED = Topic(
    f"{_SETTINGS}.digital-option-client-price-generated", "1.0", _SETTINGS, "digital-option-client-price-generated",
    InstrumentPrices, ("asset_id", "instrument_index", "instrument_type"),
)  # fmt: skip


class _UntilExpired:
    """A subscription that ends with its instrument, by the server's time."""

    def __init__(self, prices: Subscription, expiration: datetime, clock: ServerClock) -> None:
        self._prices = prices
        self._expiration = expiration
        self._clock = clock
        self._waiting = asyncio.create_task(self._wait(), name="quadcode:prices")

    async def stop(self) -> None:
        self._waiting.cancel()
        await self._prices.stop()

    async def _wait(self) -> None:
        while (left := (self._expiration - self._clock.now()).total_seconds()) > 0:
            look = min(left, _LOOK)
            await asyncio.sleep(look)
        await self._prices.stop()


class DigitalOptions:
    """The reads and subscriptions raise NotConnected or RequestFailed; all but `close` raise FeatureDisabled."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def underlyings(self, *, suspended: bool = False) -> Sequence[Underlying]:
        """`suspended`: also those that cannot be traded for now."""
        require(self._channel, DIGITAL)
        request = GetUnderlyings(filter_suspended=not suspended)
        return (await self._channel.request(GET_UNDERLYINGS, request)).underlying

    async def watch_underlyings(self, listener: Listener[UnderlyingList]) -> Subscription:
        """Lists of what changed; whoever is not in one stays as it was."""
        require(self._channel, DIGITAL)
        return await self._channel.subscribe(UNDERLYINGS_CHANGED, (), listener)

    async def instruments(self, active_id: int) -> Sequence[DigitalInstrument]:
        """Expired ones may be among them."""
        require(self._channel, DIGITAL)
        return (await self._channel.request(GET_INSTRUMENTS, GetInstruments(active_id))).instruments

    async def watch_instruments(self, active_id: int, listener: Listener[DigitalInstrument]) -> Subscription:
        """New expirations, and known ones with other strikes; the list is not to be asked again for them."""
        require(self._channel, DIGITAL)
        return await self._channel.subscribe(INSTRUMENT_GENERATED, (active_id,), listener)

    async def watch_prices(self, instrument: DigitalInstrument, listener: Listener[InstrumentPrices]) -> Subscription:
        """Stops by itself, within a second, when the instrument has expired."""
        require(self._channel, DIGITAL)
        filters = (instrument.asset_id, instrument.index, InstrumentType.DIGITAL_OPTION.value)
        prices = await self._channel.subscribe(PRICES_GENERATED, filters, listener)
        return _UntilExpired(prices, from_seconds(instrument.expiration), self._channel.clock)

    async def place(
        self,
        instrument: DigitalInstrument,
        strike: Strike,
        amount: Decimal,
        balance_id: int,
        timeout: float | None = None,
    ) -> int:
        """Buy, at most once; `amount` in major units. The order's number: only its event, which `Orders.watch` tells,
        says whether it was `filled` or `rejected`, so watch before placing.

        Raises OrderRejected, OrderOutcomeUnknown or NotConnected, as `Options.open`.
        """
        require(self._channel, DIGITAL)
        order = PlaceDigitalOption(
            amount=f"{amount:f}",
            asset_id=instrument.asset_id,
            instrument_id=strike.symbol,
            instrument_index=instrument.index,
            user_balance_id=balance_id,
        )
        return (await place(self._channel, PLACE_DIGITAL_OPTION, order, timeout)).id

    async def close(self, external_id: int) -> None:
        """Sell before the expiration. Raises OrderRejected, OrderOutcomeUnknown or NotConnected, as `place`."""
        await confirm(self._channel, CLOSE_POSITION, ClosePosition(external_id))
