"""Bollinger bands."""

from typing import NamedTuple

from libs.strategies.indicators.window import Ring, rolling_deviation, rolling_mean
from libs.strategies.panel import Floats


class Bands(NamedTuple):
    lower: Floats
    middle: Floats
    """Simple mean."""
    upper: Floats

    @property
    def bandwidth(self) -> Floats:
        """Distance of the bands, as a fraction of the middle."""
        return (self.upper - self.lower) / self.middle


def bollinger(close: Floats, period: int = 20, width: float = 2.0) -> Bands:
    """`width` population standard deviations around the simple mean; all three equal while prices are."""
    middle = rolling_mean(close, period)
    reach = width * rolling_deviation(close, middle, period)
    return Bands(middle - reach, middle, middle + reach)


class BollingerState:
    def __init__(self, series: int, period: int = 20, width: float = 2.0) -> None:
        self._ring = Ring(series, period)
        self._width = width

    def update(self, close: Floats) -> Bands:
        self._ring.put(close)
        middle = self._ring.mean(close)
        reach = self._width * self._ring.deviation(middle)
        return Bands(middle - reach, middle, middle + reach)
