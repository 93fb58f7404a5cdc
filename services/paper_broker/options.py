"""Buying and settling blitz options (quadcode-protocol §12)."""

from decimal import Decimal

import msgspec

from libs.contracts.clock import Clock
from libs.contracts.ids import new_id
from services.paper_broker.accounts import Accounts, Balance
from services.paper_broker.catalogue import DURATIONS, Active, Catalogue
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.epoch import TICKS_PER_SECOND, milliseconds, ticks_before
from services.paper_broker.errors import Refused, Status, invalid
from services.paper_broker.ledger import InsufficientFunds, Ledger, Reason
from services.paper_broker.market import Market
from services.paper_broker.money import rounded, whole_coins
from services.paper_broker.positions import CloseReason, Closing, Direction, InstrumentType, Position, Positions
from services.paper_broker.storage import Storage
from services.paper_broker.wire import Id

BLITZ = 12
"""`option_type_id`; binary is 1 and turbo 3."""
INSUFFICIENT_FUNDS = "Insufficient funds for this transaction."
"""Clients recognise this text."""


class OpenOption(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `binary-options.open-option`."""

    active_id: int
    direction: Direction
    option_type_id: int
    price: Decimal
    """Stake in major units."""
    user_balance_id: Id
    expired: int = 0
    expiration_size: int | None = None
    """Seconds from purchase to expiry."""
    profit_percent: int | None = None
    """What the client believes a win pays."""


class Options:
    def __init__(
        self,
        storage: Storage,
        ledger: Ledger,
        accounts: Accounts,
        positions: Positions,
        catalogue: Catalogue,
        market: Market,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._ledger = ledger
        self._accounts = accounts
        self._positions = positions
        self._catalogue = catalogue
        self._market = market
        self._clock = clock

    def buy(self, user_id: int, order: OpenOption) -> Position:
        """The stake is taken and the position is stored when this returns. Raises Refused."""
        now = milliseconds(self._clock)
        active = self._offered(order, now // 1000)
        balance = self._balance(user_id, order)
        position = self._position(order, active, balance, now)
        try:
            with self._storage.transaction():
                position = self._positions.insert(position)
                self._ledger.post(balance.id, -order.price, Reason.STAKE, now, position.external_id)
        except InsufficientFunds:
            raise Refused(Status.INSUFFICIENT_FUNDS, INSUFFICIENT_FUNDS) from None
        self._positions.opened(position)
        return position

    def book_past(self, balance: Balance, order: OpenOption, at: int) -> None:
        """Bought at `at` (epoch milliseconds), expired since and settled; inside a transaction. Raises Refused."""
        position = self._positions.insert(self._position(order, self._offered(order, at // 1000), balance, at))
        self._ledger.post(balance.id, -order.price, Reason.STAKE, at, position.external_id)
        self._settled(position)

    def settle(self) -> list[Position]:
        """Pay and close everything that has expired, at the price of its expiry second, however long ago that was."""
        due = self._positions.due(milliseconds(self._clock) // 1000)
        if not due:
            return []
        with self._storage.transaction():
            settled = [self._settled(position) for position in due]
        for position in settled:
            self._positions.closed(position)
        return settled

    def _offered(self, order: OpenOption, now: int) -> Active:
        active = self._catalogue.get(order.active_id)
        if active is None:
            raise invalid("active_id", "unknown active")
        if order.option_type_id != BLITZ:
            raise Refused(Status.NOT_ON_OFFER, "This kind of option is not on offer.")
        if order.expired != 0:
            raise invalid("expired", "must be 0 for blitz options")
        if order.expiration_size not in DURATIONS:
            raise Refused(Status.NOT_ON_OFFER, f"Expiration of {order.expiration_size} s is not on offer.")
        if active.suspended:
            raise Refused(Status.MARKET_CLOSED, "Trading of this active is suspended.")
        if not active.tradable(now):
            raise Refused(Status.MARKET_CLOSED, "The market is closed.")
        if order.profit_percent is not None and order.profit_percent > active.payout:
            raise Refused(Status.PROFIT_CHANGED, f"The profit has changed: {active.payout}% is on offer.")
        return active

    def _balance(self, user_id: int, order: OpenOption) -> Balance:
        balance = self._accounts.balance(user_id, order.user_balance_id)
        if balance is None:
            raise invalid("user_balance_id", "unknown balance")
        currency = CURRENCIES[balance.currency]
        if not order.price.is_finite():
            raise invalid("price", "must be a finite number")
        if not currency.min_deal_amount <= order.price <= currency.max_deal_amount:
            bounds = f"{currency.min_deal_amount} and {currency.max_deal_amount} {currency.name}"
            raise Refused(Status.STAKE_OUT_OF_BOUNDS, f"The amount must be between {bounds}.")
        if not whole_coins(order.price, currency.minor_units):
            raise invalid("price", f"must have at most {currency.minor_units} decimals")
        return balance

    def _position(self, order: OpenOption, active: Active, balance: Balance, now: int) -> Position:
        tick = ticks_before(now)
        quote = self._market.quote(active, tick).value
        minor_units = CURRENCIES[balance.currency].minor_units
        return Position(
            external_id=0,
            id=new_id(),
            user_id=balance.user_id,
            balance_id=balance.id,
            active_id=active.id,
            instrument_type=InstrumentType.BLITZ,
            direction=order.direction,
            invest=order.price,
            payout=active.payout,
            expected_profit=order.price + rounded(order.price * active.payout / 100, minor_units),
            strike=quote,
            open_quote=quote,
            open_time=now,
            quote_time=(tick - 1) * 1000 // TICKS_PER_SECOND,
            expiration=now // 1000 + (order.expiration_size or 0),
        )

    def _settled(self, position: Position) -> Position:
        active = self._catalogue.get(position.active_id)
        quote = position.open_quote if active is None else self._market.price_at(active, position.expiration)
        reason = outcome(position, quote)
        profit = gross(position, reason)
        time = position.expiration * 1000
        if profit:
            entry = Reason.PAYOUT if reason is CloseReason.WIN else Reason.REFUND
            self._ledger.post(position.balance_id, profit, entry, time, position.external_id)
        return self._positions.close(position, Closing(quote=quote, time=time, profit=profit, reason=reason))


def outcome(position: Position, quote: float) -> CloseReason:
    """Strictly in the direction wins; the same price is a tie."""
    if quote == position.strike:
        return CloseReason.EQUAL
    rose = quote > position.strike
    return CloseReason.WIN if rose == (position.direction == "call") else CloseReason.LOOSE


def gross(position: Position, reason: CloseReason) -> Decimal:
    """What is paid back."""
    match reason:
        case CloseReason.WIN:
            return position.expected_profit
        case CloseReason.EQUAL:
            return position.invest
        case _:
            return Decimal(0)
