"""Moving averages: simple and exponential."""

import numpy as np

from libs.strategies.indicators.smoothing import Smoother, exponential, smoothed
from libs.strategies.indicators.window import Ring, rolling_mean
from libs.strategies.panel import Floats


def sma(values: Floats, period: int) -> Floats:
    """Mean of the last `period` values, exactly the value where all are equal."""
    return rolling_mean(values, period)


class Sma:
    def __init__(self, series: int, period: int) -> None:
        self._ring = Ring(series, period)

    def update(self, values: Floats) -> Floats:
        self._ring.put(values)
        return self._ring.mean(values)


def ema(values: Floats, period: int, last: int = 0) -> Floats:
    """Exponential mean, factor 2/(period + 1), begun by the mean of the first `period` values.

    Distances from the first value are averaged, so that of equal values the mean is exactly the value.
    """
    first = first_values(values)
    return first + smoothed(values - first, exponential(period), last)


class Ema:
    def __init__(self, series: int, period: int) -> None:
        self._first = np.full(series, np.nan)
        self._smoother = Smoother(series, exponential(period))

    def update(self, values: Floats) -> Floats:
        self._first = np.where(np.isnan(self._first), values, self._first)
        return self._first + self._smoother.update(values - self._first)


def first_values(values: Floats) -> Floats:
    """The first number of each series, as a column."""
    empty = np.isnan(values[:, :1])
    if not empty.any():
        return values[:, :1]
    column = np.isnan(values).argmin(axis=1)
    return np.take_along_axis(values, column[:, np.newaxis], axis=1)
