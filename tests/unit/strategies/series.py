"""Panels for tests, from plain lists of prices."""

from collections.abc import Sequence

from libs.contracts.market import Candle
from libs.strategies.panel import Panel
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
