"""Buying digital options (quadcode-protocol §13.4); selling.py sells and options.py settles them."""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from libs.contracts.ids import new_id
from services.paper_broker.accounts import Balance
from services.paper_broker.catalogue import Active
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.digital_instruments import DigitalMarket, Instrument, Strike, numbered, on_offer
from services.paper_broker.epoch import TICKS_PER_SECOND, milliseconds, ticks_before
from services.paper_broker.errors import Refused, Status, invalid
from services.paper_broker.floor import Floor
from services.paper_broker.ledger import InsufficientFunds, Reason
from services.paper_broker.money import rounded
from services.paper_broker.orders import Order, OrderKind, OrderStatus
from services.paper_broker.positions import Direction, InstrumentType, Position
from services.paper_broker.pricing import PAYOUT, Pricing, profit_percent
from services.paper_broker.stakes import on_sale, payer
from services.paper_broker.wire import Id


class PlaceDigitalOption(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `digital-options.place-digital-option`."""

    amount: Decimal
    """Stake in major units."""
    asset_id: int
    instrument_id: str
    """Symbol of a strike."""
    instrument_index: Id
    user_balance_id: Id


class Placed(NamedTuple):
    order: Order
    position: Position | None
    """None when the order was rejected."""


class _Side(NamedTuple):
    instrument: Instrument
    direction: Direction
    strike: Strike


class DigitalOptions:
    def __init__(self, floor: Floor, pricing: Pricing) -> None:
        self._floor = floor
        self.offers = DigitalMarket(floor.catalogue, floor.market, pricing)

    def place(self, user_id: int, request: PlaceDigitalOption) -> Placed:
        """The order is stored, and filled or for want of money rejected, when this returns. Raises Refused."""
        now = milliseconds(self._floor.clock)
        active = on_sale(self._floor.catalogue, request.asset_id, now // 1000, "asset_id")
        side = self._side(request, now)
        balance = payer(self._floor.accounts, user_id, request.user_balance_id, request.amount, "amount")
        try:
            with self._floor.storage.transaction():
                placed = self._filled(side, active, balance, request.amount, now)
        except InsufficientFunds:
            with self._floor.storage.transaction():
                return Placed(self._floor.orders.insert(_order(balance, OrderStatus.REJECTED)), None)
        self._floor.positions.opened(placed.position)
        return Placed(placed.order, placed.position)

    def book_past(self, balance: Balance, active: Active, stake: Decimal, at: int) -> Position:
        """Bought at `at` (epoch milliseconds), whatever the time is now, and not settled yet; inside a transaction."""
        instrument = next(each for each in on_offer(active.id, at // 1000) if _in_time(each, at))
        spot, *_ = self.offers.strikes(instrument)
        return self._filled(_Side(instrument, "call", spot), active, balance, stake, at).position

    def _side(self, request: PlaceDigitalOption, now: int) -> _Side:
        instrument = numbered(request.instrument_index, now // 1000)
        if instrument is None or instrument.active_id != request.asset_id:
            raise invalid("instrument_index", "unknown or expired instrument")
        side = self.offers.side(instrument, request.instrument_id)
        if side is None:
            raise invalid("instrument_id", "unknown strike")
        if not _in_time(instrument, now):
            raise Refused(Status.TOO_LATE, "The time to buy this expiration is over.")
        return _Side(instrument, *side)

    def _filled(self, side: _Side, active: Active, balance: Balance, stake: Decimal, now: int) -> "_Filled":
        instrument, direction, strike = side
        tick = ticks_before(now)
        quote = self._floor.market.quote(active, tick).value
        prices = self.offers.prices(instrument, strike, quote, now)
        ask = (prices.call if direction == "call" else prices.put).ask
        if ask >= PAYOUT:
            raise Refused(Status.NOT_ON_OFFER, "There is nothing to win at this strike.")
        order = self._floor.orders.insert(_order(balance, OrderStatus.NEW))
        position = self._floor.positions.insert(
            Position(
                external_id=0,
                order_id=order.id,
                id=new_id(),
                user_id=balance.user_id,
                balance_id=balance.id,
                active_id=active.id,
                instrument_type=InstrumentType.DIGITAL,
                direction=direction,
                invest=stake,
                payout=profit_percent(ask),
                expected_profit=rounded(stake * PAYOUT / ask, CURRENCIES[balance.currency].minor_units),
                strike=quote if strike.price is None else strike.price,
                open_quote=quote,
                open_time=now,
                quote_time=(tick - 1) * 1000 // TICKS_PER_SECOND,
                expiration=instrument.expiration,
            )
        )
        self._floor.ledger.post(balance.id, -stake, Reason.STAKE, now, position.external_id)
        return _Filled(self._floor.orders.finish(order, OrderStatus.FILLED, position.id), position)


class _Filled(NamedTuple):
    order: Order
    position: Position


def _order(balance: Balance, status: OrderStatus) -> Order:
    return Order(
        user_id=balance.user_id,
        balance_id=balance.id,
        instrument_type=InstrumentType.DIGITAL,
        kind=OrderKind.INSTANT,
        status=status,
    )


def _in_time(instrument: Instrument, now: int) -> bool:
    return now < (instrument.expiration - instrument.term.deadtime) * 1000
