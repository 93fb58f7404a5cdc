"""What an option is worth before it expires.

Every option here is cash-or-nothing: it pays a fixed amount if the price ends beyond its strike. Its fair price, per
100 of that amount, is the probability of that if the log return until then is normal with mean zero:
100 · Φ(ln(S/K) / (σ·√t)), with σ the active's volatility of a session and t in sessions. The platform buys and sells at
a distance from it such that an option at the money costs what makes it pay the active's payout.
"""

from decimal import ROUND_DOWN, Decimal
from math import erfc, log, sqrt
from typing import NamedTuple

from services.paper_broker.catalogue import Active
from services.paper_broker.hours import hours
from services.paper_broker.positions import Direction

PAYOUT = Decimal(100)
"""What prices are quoted per (quadcode-protocol §13.3)."""
_STEP = Decimal("0.01")
_MOMENT = 0.001
"""Seconds; with less left it is decided."""


class Price(NamedTuple):
    """Per 100 of payout."""

    bid: Decimal
    """What the platform pays for it; 0 and more."""
    ask: Decimal
    """What it costs; at 100 there is nothing to win."""


def chance(active: Active, quote: float, strike: float, seconds: float) -> float:
    """Probability that in so many seconds the price is above the strike."""
    if quote == strike:
        return 0.5
    if seconds < _MOMENT:
        return 1.0 if quote > strike else 0.0
    deviation = active.volatility * sqrt(seconds / hours(active.hours).length)
    return 0.5 * erfc(-log(quote / strike) / deviation / sqrt(2))


def price(active: Active, direction: Direction, quote: float, strike: float, seconds: float) -> Price:
    above = chance(active, quote, strike, seconds)
    fair = Decimal(100 * (above if direction == "call" else 1 - above))
    half = PAYOUT / (1 + Decimal(active.payout) / 100) - PAYOUT / 2
    return Price(
        bid=max(fair - half, Decimal(0)).quantize(_STEP, ROUND_DOWN),
        ask=min(fair + half, PAYOUT).quantize(_STEP, ROUND_DOWN),
    )


def profit_percent(ask: Decimal) -> int:
    """As clients show it."""
    return int((PAYOUT / ask - 1) * 100)
