"""Selling options before they expire (quadcode-protocol §12.5, §13.5, §14.7)."""

from collections.abc import Collection, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.epoch import milliseconds, ticks_before
from services.paper_broker.floor import Floor
from services.paper_broker.ledger import Reason
from services.paper_broker.option_kinds import sale_ends, sellable
from services.paper_broker.positions import CloseReason, Closing, InstrumentType, Position
from services.paper_broker.pricing import PAYOUT, Pricing

BINARY_FAMILY = (InstrumentType.BINARY, InstrumentType.TURBO, InstrumentType.BLITZ)


class CannotSell(Exception):
    """The text tells its user why."""


class Bid(NamedTuple):
    """What the platform pays for an option at a quote."""

    quote: float
    amount: Decimal
    """Never above what the option pays in the end."""


class Selling:
    def __init__(self, floor: Floor, pricing: Pricing) -> None:
        self._floor = floor
        self._pricing = pricing

    def bid(self, position: Position, now: int) -> Bid | None:
        """For an open option at a time (epoch milliseconds); None while it cannot be sold."""
        active = self._floor.catalogue.get(position.active_id)
        balance = self._floor.accounts.balance(position.user_id, position.balance_id)
        if active is None or balance is None or not _in_time(position, now):
            return None
        quote = self._floor.market.quote(active, ticks_before(now)).value
        price = self._pricing.price(active, position.direction, quote, position.strike, position.expiration, now)
        share = price.bid / PAYOUT
        coin = Decimal(1).scaleb(-CURRENCIES[balance.currency].minor_units)
        return Bid(quote, (position.expected_profit * share).quantize(coin, ROUND_DOWN))

    def sell(self, user_id: int, option_ids: Sequence[int], types: Collection[InstrumentType]) -> list[Position]:
        """All of them or none: paid and closed when this returns. Raises CannotSell."""
        now = milliseconds(self._floor.clock)
        if len(set(option_ids)) < len(option_ids):
            raise CannotSell("the same option twice")
        bids = [(position, self._offered(position, now)) for position in self._found(user_id, option_ids, types)]
        with self._floor.storage.transaction():
            sold = [self._sold(position, bid, now) for position, bid in bids]
        for position in sold:
            self._floor.positions.closed(position)
        return sold

    def _found(self, user_id: int, option_ids: Sequence[int], types: Collection[InstrumentType]) -> list[Position]:
        found = []
        for option_id in option_ids:
            position = self._floor.positions.find(user_id, option_id)
            if position is None or position.instrument_type not in types:
                raise CannotSell(f"unknown option {option_id}")
            found.append(position)
        return found

    def _offered(self, position: Position, now: int) -> Bid:
        if position.closing is not None:
            raise CannotSell(f"Option {position.external_id} is closed.")
        if not sellable(position.instrument_type):
            raise CannotSell("Blitz options cannot be sold before they expire.")
        if not _in_time(position, now):
            raise CannotSell(f"The time to sell option {position.external_id} is over.")
        bid = self.bid(position, now)
        if bid is None:
            raise CannotSell(f"Nobody buys option {position.external_id}.")
        return bid

    def _sold(self, position: Position, bid: Bid, now: int) -> Position:
        if bid.amount:
            self._floor.ledger.post(position.balance_id, bid.amount, Reason.SALE, now, position.external_id)
        digital = position.instrument_type is InstrumentType.DIGITAL
        reason = CloseReason.DEFAULT if digital else CloseReason.SOLD
        return self._floor.positions.close(
            position, Closing(quote=bid.quote, time=now, profit=bid.amount, reason=reason)
        )


def _in_time(position: Position, now: int) -> bool:
    """Whether it can (still) be sold; `now` in epoch milliseconds."""
    kind = position.instrument_type
    return sellable(kind) and now < sale_ends(kind, position.expiration) * 1000
