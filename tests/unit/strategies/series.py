"""Panels for tests, from plain lists of prices."""

import random
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from libs.contracts.market import Candle
from libs.strategies.panel import Panel
from libs.strategies.strategy import Strategy
from tests.messages import a_candle

Prices = tuple[float, float, float, float]
"""Open, high, low, close."""

SIZE = 10


def candles(prices: Sequence[Prices], active_id: int = 1, first_id: int = 1) -> list[Candle]:
    return [
        a_candle(
            active_id=active_id, size=SIZE, id=number, start=number * SIZE, end=(number + 1) * SIZE,
            open=price[0], high=price[1], low=price[2], close=price[3],
        )
        for number, price in enumerate(prices, start=first_id)
    ]  # fmt: skip


def panel_of(*series: Sequence[Prices], depth: int = 50) -> Panel:
    """One row per series, as active 1, 2, …"""
    panel = Panel(SIZE, depth)
    for active_id, prices in enumerate(series, start=1):
        panel.load(active_id, candles(prices, active_id))
    return panel


def flat(count: int, price: float = 1.08415) -> list[Prices]:
    return [(price, price, price, price)] * count


def bar(open: float, close: float) -> Prices:
    """A candle without wicks."""
    return (open, max(open, close), min(open, close), close)


def moves(steps: Iterable[float], start: float = 2.0) -> list[Prices]:
    """A flat candle and one per step, each beginning where the one before ended, without wicks."""
    return [bar(start, start), *(bar(first, last) for first, last in pairwise(accumulate(steps, initial=start)))]


def random_walk(rng: random.Random, count: int, volatility: float) -> list[Prices]:
    price, prices = 1.08415, []
    for _ in range(count):
        first = round(price + rng.choice((0, 0, rng.gauss(0, volatility))), 5)
        ticks = [first, *(round(first + rng.gauss(0, volatility), 5) for _ in range(4))]
        price = ticks[-1]
        prices.append((first, max(ticks), min(ticks), price))
    return prices


def candle(numbers: tuple[int, int, int, int]) -> Prices:
    """On a coarse grid, so that equal prices, gaps of nothing and halves are frequent."""
    first, last, above, below = numbers
    return (first / 8, (max(first, last) + above) / 8, (min(first, last) - below) / 8, last / 8)


def verdicts(strategy: Strategy, *series: Sequence[Prices], depth: int = 200) -> list[tuple[int, int]]:
    """Direction and confidence of each series."""
    signals = strategy.evaluate(panel_of(*series, depth=depth))
    return list(zip(signals.directions.tolist(), signals.confidences.tolist(), strict=True))
