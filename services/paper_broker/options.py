"""Buying binary, turbo and blitz options, and settling whatever expires (quadcode-protocol §12)."""

from decimal import Decimal

import msgspec

from libs.contracts.ids import new_id
from services.paper_broker.accounts import Balance
from services.paper_broker.catalogue import Active
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.epoch import TICKS_PER_SECOND, milliseconds, ticks_before
from services.paper_broker.errors import Refused, Status, invalid
from services.paper_broker.floor import Floor
from services.paper_broker.ledger import InsufficientFunds, Reason
from services.paper_broker.money import rounded
from services.paper_broker.option_kinds import BLITZ, OPTION_KINDS, OptionKind, expirations
from services.paper_broker.positions import CloseReason, Closing, Direction, InstrumentType, Position
from services.paper_broker.stakes import INSUFFICIENT_FUNDS, on_sale, payer
from services.paper_broker.wire import Id


class OpenOption(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `binary-options.open-option`."""

    active_id: int
    direction: Direction
    option_type_id: int
    price: Decimal
    """Stake in major units."""
    user_balance_id: Id
    expired: int = 0
    """Epoch seconds; 0 for blitz options."""
    expiration_size: int | None = None
    """Seconds from purchase to expiry of blitz options."""
    profit_percent: int | None = None
    """What the client believes a win pays."""


class Options:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def buy(self, user_id: int, order: OpenOption) -> Position:
        """The stake is taken and the position is stored when this returns. Raises Refused."""
        now = milliseconds(self._floor.clock)
        kind, active = self._offered(order, now)
        balance = payer(self._floor.accounts, user_id, order.user_balance_id, order.price, "price")
        try:
            with self._floor.storage.transaction():
                position = self._bought(order, kind, active, balance, now)
        except InsufficientFunds:
            raise Refused(Status.INSUFFICIENT_FUNDS, INSUFFICIENT_FUNDS) from None
        self._floor.positions.opened(position)
        return position

    def book_past(self, balance: Balance, order: OpenOption, at: int) -> None:
        """Bought at `at` (epoch milliseconds), expired since and settled; inside a transaction. Raises Refused."""
        kind, active = self._offered(order, at)
        self.settled(self._bought(order, kind, active, balance, at))

    def settle(self) -> list[Position]:
        """Pay and close every option that has expired, at the price of its expiry second, however long ago that was."""
        due = self._floor.positions.due(milliseconds(self._floor.clock) // 1000)
        if not due:
            return []
        with self._floor.storage.transaction():
            settled = [self.settled(position) for position in due]
        for position in settled:
            self._floor.positions.closed(position)
        return settled

    def _offered(self, order: OpenOption, now: int) -> tuple[OptionKind, Active]:
        """`now` in epoch milliseconds."""
        kind = OPTION_KINDS.get(order.option_type_id)
        if kind is None:
            raise Refused(Status.NOT_ON_OFFER, "This kind of option is not on offer.")
        active = on_sale(self._floor.catalogue, order.active_id, now // 1000, "active_id")
        _check_expiration(order, kind, active, now)
        if order.profit_percent is not None and order.profit_percent > active.payout:
            raise Refused(Status.PROFIT_CHANGED, f"The profit has changed: {active.payout}% is on offer.")
        return kind, active

    def _bought(self, order: OpenOption, kind: OptionKind, active: Active, balance: Balance, now: int) -> Position:
        tick = ticks_before(now)
        quote = self._floor.market.quote(active, tick).value
        minor_units = CURRENCIES[balance.currency].minor_units
        position = Position(
            external_id=0,
            id=new_id(),
            user_id=balance.user_id,
            balance_id=balance.id,
            active_id=active.id,
            instrument_type=kind.instrument_type,
            direction=order.direction,
            invest=order.price,
            payout=active.payout,
            expected_profit=order.price + rounded(order.price * active.payout / 100, minor_units),
            strike=quote,
            open_quote=quote,
            open_time=now,
            quote_time=(tick - 1) * 1000 // TICKS_PER_SECOND,
            expiration=order.expired or now // 1000 + (order.expiration_size or 0),
        )
        position = self._floor.positions.insert(position)
        self._floor.ledger.post(balance.id, -order.price, Reason.STAKE, now, position.external_id)
        return position

    def settled(self, position: Position) -> Position:
        """Paid and closed; inside a transaction. If its active is gone, the stake is paid back."""
        active = self._floor.catalogue.get(position.active_id)
        if active is None:
            quote, result = position.open_quote, CloseReason.EQUAL
        else:
            quote = self._floor.market.price_at(active, position.expiration)
            result = outcome(position, quote)
        profit = gross(position, result)
        time = position.expiration * 1000
        if profit:
            entry = Reason.PAYOUT if result is CloseReason.WIN else Reason.REFUND
            self._floor.ledger.post(position.balance_id, profit, entry, time, position.external_id)
        reason = CloseReason.EXPIRED if position.instrument_type is InstrumentType.DIGITAL else result
        return self._floor.positions.close(position, Closing(quote=quote, time=time, profit=profit, reason=reason))


def _check_expiration(order: OpenOption, kind: OptionKind, active: Active, now: int) -> None:
    """`now` in epoch milliseconds. Raises Refused."""
    if kind is BLITZ:
        if order.expired != 0:
            raise invalid("expired", "must be 0 for blitz options")
        if order.expiration_size not in kind.sizes:
            raise Refused(Status.NOT_ON_OFFER, f"Expiration of {order.expiration_size} s is not on offer.")
        return
    if order.expiration_size is not None:
        raise invalid("expiration_size", f"must be absent for {kind.name} options")
    if (order.expired - kind.deadtime) * 1000 <= now:
        raise Refused(Status.TOO_LATE, "The time to buy this expiration is over.")
    if order.expired not in expirations(kind, active.hours, now // 1000):
        raise Refused(Status.NOT_ON_OFFER, "This expiration is not on offer.")


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
