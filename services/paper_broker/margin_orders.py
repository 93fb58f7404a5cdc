"""Placing margin orders: at the market, or pending until their price comes (quadcode-protocol §16.4).

Every order opens a position of its own: opposite positions in an active stand side by side (hedging).
"""

from typing import NamedTuple

from libs.contracts.ids import new_id
from services.paper_broker.accounts import Balance, BalanceType
from services.paper_broker.catalogue import Active
from services.paper_broker.epoch import TICKS_PER_SECOND, milliseconds, ticks_before
from services.paper_broker.errors import Refused, Status, invalid
from services.paper_broker.floor import Floor
from services.paper_broker.margin_balances import MarginBalances
from services.paper_broker.margin_book import MarginBook, Pending
from services.paper_broker.margin_instruments import MarginKind, instrument_id, kind_of
from services.paper_broker.margin_prices import MarginPrices
from services.paper_broker.margin_terms import (
    PlaceOrder,
    PriceField,
    Scale,
    check_count,
    check_levels,
    check_leverage,
    levels,
    price_of,
)
from services.paper_broker.orders import Order, OrderKind, OrderStatus
from services.paper_broker.positions import Exposure, Position
from services.paper_broker.stakes import INSUFFICIENT_FUNDS, on_sale

MAX_PENDING = 200
"""Orders that wait on one balance at a time."""


class Filled(NamedTuple):
    order: Order
    position: Position


class _Terms(NamedTuple):
    """An order that can be placed."""

    request: PlaceOrder
    active: Active
    balance: Balance
    scale: Scale


class CannotAfford(Exception):
    """The balance has less available than the order ties up."""


class MarginOrders:
    def __init__(self, floor: Floor, book: MarginBook, prices: MarginPrices, balances: MarginBalances) -> None:
        self._floor = floor
        self._book = book
        self._prices = prices
        self._balances = balances

    def market(self, user_id: int, kind: MarginKind, request: PlaceOrder) -> Filled:
        """The order is filled and the position stored when this returns. Raises Refused."""
        now = milliseconds(self._floor.clock)
        tick = ticks_before(now)
        terms = self._terms(user_id, kind, request, now)
        price = self._prices.opening(terms.active, request.direction, tick)
        against = self._prices.closing(terms.active, request.direction, tick)
        check_levels(request, levels(request, price, terms.scale), against)
        try:
            with self._floor.storage.transaction():
                order = self._floor.orders.insert(_order(terms, OrderKind.INSTANT))
                position = self._opened(terms, order, now, tick)
                order = self._floor.orders.finish(order, OrderStatus.FILLED, position.id)
        except CannotAfford:
            raise Refused(Status.INSUFFICIENT_FUNDS, INSUFFICIENT_FUNDS) from None
        self._book.opened(position)
        return Filled(order, position)

    def defer(self, user_id: int, kind: MarginKind, request: PlaceOrder, field: PriceField) -> Order:
        """Waits for its price from whichever side that is: a stop on the wrong side of the market is a limit, and the
        other way round. It ties up nothing until then. Raises Refused.
        """
        now = milliseconds(self._floor.clock)
        tick = ticks_before(now)
        terms = self._terms(user_id, kind, request, now)
        if len(self._floor.orders.live(user_id, terms.balance.id)) >= MAX_PENDING:
            raise Refused(Status.NOT_ON_OFFER, f"At most {MAX_PENDING} orders can wait for their price.")
        price = price_of(request, field, terms.scale)
        check_levels(request, levels(request, price, terms.scale), price)
        rising = price > self._prices.opening(terms.active, request.direction, tick)
        with self._floor.storage.transaction():
            order = self._floor.orders.insert(_order(terms, OrderKind.DEFERRED))
            pending = Pending(order=order, since=tick, price=price, rising=rising, request=request)
            self._book.store(pending)
        self._book.waits(pending)
        return order

    def fill(self, pending: Pending, at: int) -> tuple[Order, Position | None]:
        """One whose price has come at an epoch millisecond; rejected if the balance cannot pay for it any more, or the
        active is not traded.
        """
        try:
            with self._floor.storage.transaction():
                position = self._opened(self._still(pending, at), pending.order, at, ticks_before(at))
                order = self._book.finish(pending, OrderStatus.FILLED, position.id)
        except (CannotAfford, Refused):
            return self._end(pending, OrderStatus.REJECTED), None
        self._book.gone(pending)
        self._book.opened(position)
        return order, position

    def cancel(self, user_id: int, kind: MarginKind, order_id: int) -> Order | None:
        """None if no such order waits."""
        pending = self._book.pending(user_id, order_id)
        if pending is None or pending.order.instrument_type is not kind.instrument_type:
            return None
        return self._end(pending, OrderStatus.CANCELED)

    def book_past(self, balance: Balance, active: Active, request: PlaceOrder, at: int) -> Position:
        """A position that was opened at `at` (epoch milliseconds), whatever its balance has; inside a transaction."""
        terms = _Terms(request, active, balance, self._scale(active, balance.currency, ticks_before(at)))
        order = self._floor.orders.insert(_order(terms, OrderKind.INSTANT))
        position = self._stored(terms, order, at, ticks_before(at))
        self._floor.orders.finish(order, OrderStatus.FILLED, position.id)
        return position

    def _end(self, pending: Pending, status: OrderStatus) -> Order:
        with self._floor.storage.transaction():
            order = self._book.finish(pending, status)
        self._book.gone(pending)
        return order

    def _terms(self, user_id: int, kind: MarginKind, request: PlaceOrder, now: int) -> _Terms:
        active = on_sale(self._floor.catalogue, request.instrument_active_id, now // 1000, "instrument_active_id")
        if kind_of(active) is not kind:
            raise invalid("instrument_active_id", f"is no underlying of margin {kind.name}")
        if request.instrument_id != instrument_id(active):
            raise invalid("instrument_id", "unknown instrument")
        balance = self._payer(user_id, request.user_balance_id)
        check_count(request, active)
        equity = self._balances.equity_usd(balance, ticks_before(now))
        check_leverage(request, kind.max_leverage(equity))
        return _Terms(request, active, balance, self._scale(active, balance.currency, ticks_before(now)))

    def _payer(self, user_id: int, balance_id: int) -> Balance:
        balance = self._floor.accounts.balance(user_id, balance_id)
        if balance is None:
            raise invalid("user_balance_id", "unknown balance")
        if balance.type is BalanceType.REAL and not self._floor.ledger.has_deposits(balance.id):
            of = f"user_id: {user_id} user_balance_id: {balance.id}"
            raise Refused(Status.NO_DEPOSITS, f"create order: {of} user balance has no deposits")
        if not balance.is_marginal:
            raise invalid("user_balance_id", "is not for margin trading")
        return balance

    def _scale(self, active: Active, currency: str, tick: int) -> Scale:
        market = self._floor.market
        ask = self._prices.account_ask(active, currency, tick)
        return Scale(market.precision(active), market.pip_scale(active), ask)

    def _still(self, pending: Pending, at: int) -> _Terms:
        """What has become of its terms. Raises Refused."""
        request, order = pending.request, pending.order
        active = on_sale(self._floor.catalogue, request.instrument_active_id, at // 1000, "instrument_active_id")
        balance = self._payer(order.user_id, order.balance_id)
        return _Terms(request, active, balance, self._scale(active, balance.currency, ticks_before(at)))

    def _opened(self, terms: _Terms, order: Order, now: int, tick: int) -> Position:
        """Inside a transaction. Raises CannotAfford."""
        position = self._stored(terms, order, now, tick)
        if position.invest > self._balances.worth(terms.balance, tick).available:
            raise CannotAfford
        return position

    def _stored(self, terms: _Terms, order: Order, now: int, tick: int) -> Position:
        request, active, balance, scale = terms
        price = self._prices.opening(active, request.direction, tick)
        stop_loss, take_profit = levels(request, price, scale)
        margin = self._prices.margin(active, request.count, request.leverage, price, balance.currency, tick)
        position = Position(
            external_id=0,
            order_id=order.id,
            id=new_id(),
            user_id=balance.user_id,
            balance_id=balance.id,
            active_id=active.id,
            instrument_type=order.instrument_type,
            direction=request.direction,
            invest=margin,
            strike=price,
            open_quote=price,
            open_time=now,
            quote_time=(tick - 1) * 1000 // TICKS_PER_SECOND,
            exposure=Exposure(
                count=request.count, leverage=request.leverage, stop_loss=stop_loss, take_profit=take_profit
            ),
        )
        return self._floor.positions.insert(position)


def _order(terms: _Terms, kind: OrderKind) -> Order:
    return Order(
        user_id=terms.balance.user_id,
        balance_id=terms.balance.id,
        instrument_type=kind_of(terms.active).instrument_type,
        kind=kind,
        status=OrderStatus.NEW,
    )
