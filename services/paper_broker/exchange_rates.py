"""What one currency is worth in another, from the pairs that are traded here (quadcode-protocol §10.2).

A rate is that of the first active of the pair, or of the pair turned round, else the way over the dollar; where not
even that is traded, the fixed worth of the currency (currencies.py) stands in.
"""

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import lru_cache
from typing import NamedTuple

from services.paper_broker.catalogue import Active, Catalogue, Category
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.market import Market

USD = "USD"
_PEGGED = {currency.name: currency.rate_usd for currency in CURRENCIES.values()} | {"USDT": Decimal(1)}
"""Dollars for one."""
_DIGITS = 10
"""Of a rate that is not a price itself."""
_KEPT = 1024
"""Rates that are remembered: many positions are valued at the same moment."""
_LOWER, _UPPER = Context(prec=_DIGITS, rounding=ROUND_FLOOR), Context(prec=_DIGITS, rounding=ROUND_CEILING)


class Rate(NamedTuple):
    """Units of the quote currency for one of the base currency; the broker buys at the bid and sells at the ask."""

    bid: Decimal
    ask: Decimal

    @property
    def inverse(self) -> "Rate":
        return Rate(_LOWER.divide(Decimal(1), self.ask), _UPPER.divide(Decimal(1), self.bid))

    def over(self, other: "Rate") -> "Rate":
        """From the base of this one to the quote of the other, which begins where this one ends."""
        return Rate(_LOWER.multiply(self.bid, other.bid), _UPPER.multiply(self.ask, other.ask))


PARITY = Rate(Decimal(1), Decimal(1))


class ExchangeRates:
    def __init__(self, catalogue: Catalogue, market: Market) -> None:
        self._catalogue = catalogue
        self._market = market
        self._pairs: dict[tuple[str, str], int] = {}
        """Ids of the actives."""
        for active in pairs(catalogue):
            self._pairs.setdefault(active.sides, active.id)
        self.rate = lru_cache(_KEPT)(self._rate)

    def _rate(self, base: str, quote: str, tick: int) -> Rate | None:
        """When `tick` ticks of the epoch are over; None if nothing connects the two."""
        if base == quote:
            return PARITY
        direct = self._traded(base, quote, tick)
        if direct is not None or USD in (base, quote):
            return direct or self._pegged(base, quote)
        to_dollar, to_quote = self.rate(base, USD, tick), self.rate(USD, quote, tick)
        return to_dollar.over(to_quote) if to_dollar is not None and to_quote is not None else None

    def _traded(self, base: str, quote: str, tick: int) -> Rate | None:
        if (base, quote) in self._pairs:
            return self._price(base, quote, tick)
        return self._price(quote, base, tick).inverse if (quote, base) in self._pairs else None

    def _price(self, base: str, quote: str, tick: int) -> Rate:
        active = self._catalogue.get(self._pairs[base, quote])
        if active is None:
            raise LookupError(f"no active of {base}/{quote}")
        price = self._market.quote(active, tick)
        return Rate(Decimal(str(price.bid)), Decimal(str(price.ask)))

    @staticmethod
    def _pegged(base: str, quote: str) -> Rate | None:
        """Between the dollar and another."""
        worth = _PEGGED.get(quote if base == USD else base)
        if worth is None:
            return None
        rate = Rate(worth, worth)
        return rate.inverse if base == USD else rate


def pairs(catalogue: Catalogue) -> Iterable[Active]:
    """Actives whose price is that of one currency in another."""
    return (each for each in catalogue if each.category in (Category.FOREX, Category.CRYPTO) and each.sides[0])


def known(catalogue: Catalogue, currency: str) -> bool:
    return currency in _PEGGED or any(currency in active.sides for active in pairs(catalogue))
