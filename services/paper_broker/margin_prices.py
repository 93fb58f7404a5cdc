"""What margin positions cost, tie up and are worth (quadcode-protocol §16.6).

They are bought at the ask and sold at the bid; that difference is all that they cost. Profit is made in the quote
currency and turned into that of the balance as clients do it: divided by what a unit of the latter costs.
"""

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from services.paper_broker.catalogue import Active
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.errors import Refused, Status
from services.paper_broker.exchange_rates import USD, ExchangeRates, Rate
from services.paper_broker.floor import Floor
from services.paper_broker.margin_instruments import FOREX, kind_of
from services.paper_broker.market import Quote
from services.paper_broker.money import rounded
from services.paper_broker.positions import Direction, Position

_KEPT = 1024
"""Quotes that are remembered: many positions are valued at the same moment."""


class Valuation(NamedTuple):
    price: float
    """At which it can be closed."""
    pnl: Decimal
    """In the balance's currency, whole coins."""
    conversion: Decimal
    """Of one unit of the quote currency into that of the balance."""


class MarginPrices:
    """Of the moment in which `tick` ticks of the epoch are over."""

    def __init__(self, floor: Floor, rates: ExchangeRates) -> None:
        self._floor = floor
        self._rates = rates
        self._quote = lru_cache(_KEPT)(self._quoted)

    def opening(self, active: Active, direction: Direction, tick: int) -> float:
        quote = self._quote(active.id, tick)
        return quote.ask if direction == "call" else quote.bid

    def closing(self, active: Active, direction: Direction, tick: int) -> float:
        quote = self._quote(active.id, tick)
        return quote.bid if direction == "call" else quote.ask

    def account_ask(self, active: Active, currency: str, tick: int) -> Decimal:
        """What a unit of the balance's currency costs in the active's quote currency. Raises Refused."""
        return self._rate(currency, active.sides[1], tick).ask

    def margin(
        self, active: Active, count: Decimal, leverage: Decimal, price: float, currency: str, tick: int
    ) -> Decimal:
        """In the balance's currency, whole coins and at least one. Raises Refused."""
        base, quote = active.sides
        if kind_of(active) is FOREX:
            worth = count * self._rate(base, currency, tick).bid
        else:
            worth = count * Decimal(str(price)) / self._rate(currency, quote, tick).ask
        minor_units = CURRENCIES[currency].minor_units
        return max(rounded(worth / leverage, minor_units), Decimal(1).scaleb(-minor_units))

    def valued(self, position: Position, currency: str, tick: int) -> Valuation:
        """If its active or its currency is no longer traded here, it is worth what it cost."""
        active = self._floor.catalogue.get(position.active_id)
        rate = None if active is None else self._rates.rate(currency, active.sides[1], tick)
        if active is None or rate is None or position.exposure is None:
            return Valuation(position.open_quote, Decimal(0), Decimal(1))
        price = self.closing(active, position.direction, tick)
        rise = Decimal(str(price)) - Decimal(str(position.open_quote))
        won = (rise if position.direction == "call" else -rise) * position.exposure.count
        return Valuation(price, rounded(won / rate.ask, CURRENCIES[currency].minor_units), 1 / rate.ask)

    def _quoted(self, active_id: int, tick: int) -> Quote:
        active = self._floor.catalogue.get(active_id)
        if active is None:
            raise LookupError(f"no active {active_id}")
        return self._floor.market.quote(active, tick)

    def _rate(self, base: str, quote: str, tick: int) -> Rate:
        rate = self._rates.rate(base, quote, tick)
        if rate is None:
            raise Refused(Status.NOT_ON_OFFER, f"Nobody trades {base} against {quote}.")
        return rate

    def in_usd(self, amount: Decimal, currency: str, tick: int) -> Decimal:
        return rounded(amount * self._rate(currency, USD, tick).bid, CURRENCIES[USD].minor_units)
