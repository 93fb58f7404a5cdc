"""Closing margin positions: by their user, at a stop loss or take profit, or because the margin is used up
(quadcode-protocol §16.5).
"""

from collections.abc import Iterator

from services.paper_broker.accounts import Balance
from services.paper_broker.epoch import milliseconds, ticks_before
from services.paper_broker.floor import Floor
from services.paper_broker.hours import is_open
from services.paper_broker.ledger import Reason
from services.paper_broker.margin_balances import MarginBalances
from services.paper_broker.margin_book import MarginBook
from services.paper_broker.margin_instruments import MarginKind
from services.paper_broker.margin_prices import MarginPrices
from services.paper_broker.positions import CloseReason, Closing, Position


class CannotClose(Exception):
    """The text tells its user why."""


class MarginPositions:
    def __init__(self, floor: Floor, book: MarginBook, prices: MarginPrices, balances: MarginBalances) -> None:
        self._floor = floor
        self._book = book
        self._prices = prices
        self._balances = balances

    def close_by_user(self, user_id: int, kind: MarginKind, external_id: int) -> Position:
        """Closed and paid when this returns. Raises CannotClose."""
        now = milliseconds(self._floor.clock)
        position = self._floor.positions.find(user_id, external_id)
        if position is None or position.instrument_type is not kind.instrument_type:
            raise CannotClose(f"unknown position {external_id}")
        if position.closing is not None:
            raise CannotClose(f"Position {external_id} is closed.")
        if not self._trades(position, now):
            raise CannotClose("The market is closed.")
        return self.close(position, CloseReason.DEFAULT, now)

    def close(self, position: Position, reason: CloseReason, at: int) -> Position:
        """At the price of an epoch millisecond."""
        with self._floor.storage.transaction():
            closed = self.settled(position, reason, at)
            self._cover(closed, at)
        self._book.closed(closed)
        return closed

    def settled(self, position: Position, reason: CloseReason, at: int) -> Position:
        """Closed, with what it won or lost in the ledger; inside a transaction."""
        currency = self._balance(position).currency
        price, pnl, _ = self._prices.valued(position, currency, ticks_before(at))
        if pnl:
            self._floor.ledger.post(position.balance_id, pnl, Reason.PNL, at, position.external_id)
        closing = Closing(quote=price, time=at, profit=position.invest + pnl, reason=reason)
        return self._floor.positions.close(position, closing)

    def stop_out(self, balance_id: int, at: int) -> Iterator[Position]:
        """Positions closed because the margin level is too low, the greatest loss first, until it is not."""
        while positions := [each for each in self._book.of(balance_id) if self._trades(each, at)]:
            balance = self._balance(positions[0])
            if not self._balances.worth(balance, ticks_before(at)).stopped_out:
                return
            tick = ticks_before(at)
            worst = min(positions, key=lambda each: self._prices.valued(each, balance.currency, tick).pnl)
            yield self.close(worst, CloseReason.STOP_OUT, at)

    def _cover(self, closed: Position, at: int) -> None:
        """Nobody owes the platform: losses beyond the balance are its own, once nothing is open that could make up for
        them; inside a transaction.
        """
        balance = self._balance(closed)
        others = any(each.external_id != closed.external_id for each in self._book.of(balance.id))
        if balance.amount < 0 and not others:
            self._floor.ledger.post(balance.id, -balance.amount, Reason.COVER, at, closed.external_id)

    def _trades(self, position: Position, now: int) -> bool:
        active = self._floor.catalogue.get(position.active_id)
        return active is None or is_open(active.hours, now // 1000)

    def _balance(self, position: Position) -> Balance:
        balance = self._floor.accounts.balance(position.user_id, position.balance_id)
        if balance is None:
            raise LookupError(f"no balance {position.balance_id}")
        return balance
