"""Moving average convergence and divergence."""

from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from libs.strategies.indicators.means import first_values
from libs.strategies.indicators.smoothing import Smoother, exponential, smoothed, weighted
from libs.strategies.panel import Floats


class Macd(NamedTuple):
    line: Floats
    """Fast mean less slow mean, in the unit of the price."""
    signal: Floats
    """Exponential mean of the line."""
    histogram: Floats
    """Line less signal; exactly 0 while prices are equal."""


def macd(close: Floats, fast: int = 12, slow: int = 26, signal: int = 9, last: int = 0) -> Macd:
    """Each mean begins at the first candle (api-contract §10.8; TA-Lib begins the fast one slow − fast candles later,
    which the means soon forget). The signal needs slow + signal − 1 candles."""
    # From the first price on, so that of equal prices the difference is exactly 0.
    distances = close - first_values(close)
    line = _line(distances, fast, slow, last)
    if last:
        weights = partial(_signal_weights, fast, slow, signal)
        means = weighted(distances, weights, max(fast, slow) + signal - 1, last)
    else:
        means = smoothed(line, exponential(signal))
    return Macd(line, means, line - means)


def _line(distances: Floats, fast: int, slow: int, last: int = 0) -> Floats:
    return smoothed(distances, exponential(fast), last) - smoothed(distances, exponential(slow), last)


@lru_cache(maxsize=1024)
def _signal_weights(fast: int, slow: int, signal: int, length: int) -> Floats:
    """What each price counts in the signal after the last of them: what the signal says of that price alone."""
    return np.ascontiguousarray(smoothed(_line(np.eye(length), fast, slow), exponential(signal))[:, -1])


class MacdState:
    def __init__(self, series: int, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        self._first = np.full(series, np.nan)
        self._fast, self._slow, self._signal = (
            Smoother(series, exponential(period)) for period in (fast, slow, signal)
        )

    def update(self, close: Floats) -> Macd:
        self._first = np.where(np.isnan(self._first), close, self._first)
        distance = close - self._first
        line = self._fast.update(distance) - self._slow.update(distance)
        mean = self._signal.update(line)
        return Macd(line, mean, line - mean)
