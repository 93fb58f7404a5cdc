"""Digital options: which instruments there are, with which strikes, at which prices (quadcode-protocol §13.2, §13.3).

They follow from the clock and the market alone: an instrument of a period begins at each of its multiples, with strikes
around the price of that moment, and can be asked for by its number until it expires.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from math import sqrt
from typing import NamedTuple

import msgspec

from services.paper_broker.catalogue import Active, Catalogue
from services.paper_broker.epoch import MINUTE, ticks_before
from services.paper_broker.market import Market
from services.paper_broker.positions import Direction
from services.paper_broker.pricing import Price, Pricing

SPOT = "SPT"
"""Name of the strike that is the price at purchase."""
_STRIKES_EACH_SIDE = 5
_STEP = 0.4
"""From strike to strike, in standard deviations of the price over a period."""
_MINUTE_BITS, _TERM_BITS = 26, 2
"""Of an instrument's number: numbers of actives below 2^25 give numbers that JavaScript holds exactly."""
_KEPT = 4096
"""Instruments whose strikes are remembered."""


class Term(NamedTuple):
    """Times in seconds."""

    period: int
    deadtime: int
    """Before the expiration it can no longer be bought."""
    horizon: int
    """How many instruments of the period there are at a time."""


TERMS = (Term(MINUTE, 10, 3), Term(5 * MINUTE, 30, 2), Term(15 * MINUTE, 60, 2))


class Strike(NamedTuple):
    name: str
    """Decimal price or SPOT."""
    price: float | None
    """None at the spot."""
    code: str
    """Its part of a symbol."""


class Prices(NamedTuple):
    call: Price
    put: Price


class Instrument(msgspec.Struct, frozen=True):
    active_id: int
    term: Term
    expiration: int
    """Epoch seconds."""

    @property
    def number(self) -> int:
        """`index` on the wire; tells everything about the instrument."""
        of_active = self.active_id << _TERM_BITS | TERMS.index(self.term)
        return of_active << _MINUTE_BITS | self.expiration // MINUTE

    @property
    def begins(self) -> int:
        """Epoch second from which on it is on offer."""
        return self.expiration - self.term.period * self.term.horizon

    def symbol(self, direction: Direction, strike: Strike) -> str:
        at = datetime.fromtimestamp(self.expiration, UTC)
        side = "C" if direction == "call" else "P"
        return f"do{self.active_id}A{at:%Y%m%dD%H%M%S}T{self.term.period // MINUTE}M{side}{strike.code}"


def numbered(number: int, now: int) -> Instrument | None:
    """The instrument that is on offer under that number at that epoch second."""
    of_active, minutes = divmod(number, 1 << _MINUTE_BITS)
    active_id, term = divmod(of_active, 1 << _TERM_BITS)
    if term >= len(TERMS):
        return None
    instrument = Instrument(active_id, TERMS[term], minutes * MINUTE)
    on_grid = instrument.expiration % instrument.term.period == 0
    return instrument if on_grid and instrument.begins <= now < instrument.expiration else None


def on_offer(active_id: int, now: int) -> Iterator[Instrument]:
    """At that epoch second, by period and expiration."""
    for term in TERMS:
        begun = now - now % term.period
        for number in range(1, term.horizon + 1):
            yield Instrument(active_id, term, begun + number * term.period)


def begun(active_id: int, after: int, until: int) -> Iterator[Instrument]:
    """Those that have come on offer after an epoch second, up to and with another, and are still."""
    for instrument in on_offer(active_id, until):
        if after < instrument.begins:
            yield instrument


class DigitalMarket:
    def __init__(self, catalogue: Catalogue, market: Market, pricing: Pricing) -> None:
        self._catalogue = catalogue
        self._market = market
        self.pricing = pricing
        self.strikes = lru_cache(_KEPT)(self._strikes)

    def _strikes(self, instrument: Instrument) -> tuple[Strike, ...]:
        """The spot first, then from the lowest price to the highest."""
        active = self.active(instrument)
        scale = 10 ** self._market.precision(active)
        middle = self._market.quote(active, ticks_before(instrument.begins * 1000)).value
        deviation = middle * self.pricing.deviation(active, instrument.begins) * sqrt(instrument.term.period)
        step = max(1, round(_STEP * deviation * scale))
        points = [round(middle * scale) + step * each for each in range(-_STRIKES_EACH_SIDE, _STRIKES_EACH_SIDE + 1)]
        digits = self._market.precision(active)
        fixed = [Strike(f"{each / scale:.{digits}f}", each / scale, str(each)) for each in points if each > 0]
        return (Strike(SPOT, None, SPOT), *fixed)

    def side(self, instrument: Instrument, symbol: str) -> tuple[Direction, Strike] | None:
        """What a symbol of the instrument stands for."""
        directions: tuple[Direction, ...] = ("call", "put")
        for strike in self.strikes(instrument):
            for direction in directions:
                if instrument.symbol(direction, strike) == symbol:
                    return direction, strike
        return None

    def prices(self, instrument: Instrument, strike: Strike, quote: float, now: int) -> Prices:
        """At a quote and a time (epoch milliseconds)."""
        at = quote if strike.price is None else strike.price
        active, expiration = self.active(instrument), instrument.expiration
        return Prices(
            self.pricing.price(active, "call", quote, at, expiration, now),
            self.pricing.price(active, "put", quote, at, expiration, now),
        )

    def active(self, instrument: Instrument) -> Active:
        """Raises LookupError."""
        active = self._catalogue.get(instrument.active_id)
        if active is None:
            raise LookupError(f"no active {instrument.active_id}")
        return active
