"""What an option is worth before it expires.

Every option here is cash-or-nothing: it pays a fixed amount if the price ends beyond its strike. Its fair price, per
100 of that amount, is the probability of that if the log return until then is normal with mean zero:
100 · Φ(ln(S/K) / (σ·√t)), with σ the deviation that the last half hour has shown. The platform buys and sells at a
distance from it such that an option at the money costs what makes it pay the active's payout.
"""

from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from math import erfc, log, pi, sqrt
from typing import NamedTuple

import numpy as np

from services.paper_broker.catalogue import Active
from services.paper_broker.epoch import MINUTE
from services.paper_broker.grid import Grid
from services.paper_broker.hours import hours, market_time
from services.paper_broker.market import Market
from services.paper_broker.positions import Direction

PAYOUT = Decimal(100)
"""What prices are quoted per (quadcode-protocol §13.3)."""
_STEP = Decimal("0.01")
_MOMENT = 0.001
"""Seconds; with less left it is decided."""
_MINUTES = 30
"""Of the past, whose returns tell the deviation."""
_LEAST = 0.2
"""Of the active's own volatility, however still the price stands."""
_KEPT = 1024
"""Deviations that are remembered, one for each active and minute."""


class Price(NamedTuple):
    """Per 100 of payout."""

    bid: Decimal
    """What the platform pays for it; 0 and more."""
    ask: Decimal
    """What it costs; at 100 there is nothing to win."""


class Pricing:
    def __init__(self, market: Market) -> None:
        self._market = market
        self._kept = lru_cache(_KEPT)(self._measured)

    def price(
        self, active: Active, direction: Direction, quote: float, strike: float, expiration: int, now: int
    ) -> Price:
        """Of an option that expires at an epoch second; `now` in epoch milliseconds.

        Only the time in which the market is open counts: when it closes before, the outcome is known at its closing.
        """
        left = (market_time(active.hours, expiration * 1000, 1000) - market_time(active.hours, now, 1000)) / 1000
        above = chance(quote, strike, self.deviation(active, now // 1000), left)
        return price(active.payout, above if direction == "call" else 1 - above)

    def deviation(self, active: Active, now: int) -> float:
        """Standard deviation of the log return of a second, as known at that epoch second.

        From the mean size of returns, which a single jump moves less than that of their squares.
        """
        return self._kept(active, now // MINUTE)

    def _measured(self, active: Active, minute: int) -> float:
        closed = Grid(active.hours, MINUTE).before(minute * MINUTE)
        closes = self._market.bars(active, MINUTE, closed - _MINUTES, _MINUTES + 1).close
        shown = float(np.mean(np.abs(np.diff(np.log(closes))))) * sqrt(pi / 2 / MINUTE)
        return max(shown, _LEAST * active.volatility / sqrt(hours(active.hours).length))


def chance(quote: float, strike: float, deviation: float, seconds: float) -> float:
    """Probability that in so many seconds the price is above the strike; `deviation` is that of a second."""
    if quote == strike:
        return 0.5
    if seconds < _MOMENT:
        return 1.0 if quote > strike else 0.0
    return 0.5 * erfc(-log(quote / strike) / (deviation * sqrt(2 * seconds)))


def price(payout: int, chance: float) -> Price:
    """Of an option with that chance on an active that pays so many percent."""
    fair = Decimal(100 * chance)
    half = PAYOUT / (1 + Decimal(payout) / 100) - PAYOUT / 2
    return Price(
        bid=max(fair - half, Decimal(0)).quantize(_STEP, ROUND_DOWN),
        ask=min(fair + half, PAYOUT).quantize(_STEP, ROUND_DOWN),
    )


def profit_percent(ask: Decimal) -> int:
    """As clients show it."""
    return int((PAYOUT / ask - 1) * 100)
