"""Candles in bulk: open, high, low and close as arrays of whole points, so that sums and comparisons are exact.

A point is the smallest price step of an active: 10 to the power of minus its precision.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from services.paper_broker.noise import Floats, Integers


class Bar(NamedTuple):
    """One candle, in points."""

    open: int
    high: int
    low: int
    close: int


class Bars(NamedTuple):
    """Consecutive candles of one size."""

    open: Integers
    high: Integers
    low: Integers
    close: Integers

    @property
    def length(self) -> int:
        return len(self.open)

    def part(self, first: int, count: int) -> "Bars":
        return Bars(*(column[first : first + count] for column in self))

    def grouped(self, size: int) -> "Bars":
        """Every `size` neighbours as one candle."""
        if size == 1:
            return self
        opens, highs, lows, closes = (column.reshape(-1, size) for column in self)
        return Bars(opens[:, 0], highs.max(axis=1), lows.min(axis=1), closes[:, -1])

    def cut(self, begins: Integers) -> "Bars":
        """One candle from each of the ascending `begins` until the next, the last one until the end."""
        ends = np.append(begins[1:], self.length) - 1
        highs, lows = np.maximum.reduceat(self.high, begins), np.minimum.reduceat(self.low, begins)
        return Bars(self.open[begins], highs, lows, self.close[ends])

    def whole(self) -> Bar:
        """All of them as one candle."""
        return Bar(int(self.open[0]), int(self.high.max()), int(self.low.min()), int(self.close[-1]))


def joined(bars: Iterable[Bar]) -> Bar:
    """Candles that follow each other as one; at least one."""
    opens, highs, lows, closes = zip(*bars, strict=True)
    return Bar(opens[0], max(highs), min(lows), closes[-1])


def excursion(distance: Floats, deviation: Floats | float, exponential: Floats) -> Floats:
    """How far Brownian motion goes beyond the outer one of two ends that lie `distance` apart.

    `deviation` is that of the free motion over the same time. This is the law of the maximum of a Brownian bridge.
    """
    step: Floats = np.sqrt(distance * distance + 2 * deviation * deviation * exponential)
    return (step - distance) / 2
