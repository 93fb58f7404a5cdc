"""Relative strength index, and the stochastic of it."""

from typing import NamedTuple

import numpy as np

from libs.strategies.indicators.smoothing import Smoother, smoothed, wilder
from libs.strategies.indicators.window import Ring, rolling_max, rolling_mean, rolling_min
from libs.strategies.panel import Floats


def rsi(close: Floats, period: int = 14, last: int = 0) -> Floats:
    """100 × mean gain / (mean gain + mean loss), Wilder's means of the changes; 0..100.

    100 where nothing was lost, also when nothing moved (api-contract §10.8; TA-Lib gives 0 when nothing moved).
    Needs period + 1 candles.
    """
    changes = np.diff(close, prepend=np.nan) if not last else np.diff(close)
    gains = np.maximum(changes, 0.0)
    losses = gains - changes
    return _strength(smoothed(gains, wilder(period), last), smoothed(losses, wilder(period), last))


class Rsi:
    def __init__(self, series: int, period: int = 14) -> None:
        self._previous = np.full(series, np.nan)
        self._gain, self._loss = Smoother(series, wilder(period)), Smoother(series, wilder(period))

    def update(self, close: Floats) -> Floats:
        changes = close - self._previous
        self._previous = np.where(np.isnan(close), self._previous, close)
        gains = np.maximum(changes, 0.0)
        return _strength(self._gain.update(gains), self._loss.update(gains - changes))


def _strength(gain: Floats, loss: Floats) -> Floats:
    total = gain + loss
    still = total == 0
    return np.where(still, 100.0, 100 * gain / np.where(still, 1.0, total))


class StochasticRsi(NamedTuple):
    """0..100."""

    raw: Floats
    """Where the RSI is between its lowest and highest; 0 where it did not move."""
    k: Floats
    """Mean of `raw`."""
    d: Floats
    """Mean of `k`."""


def stochastic_rsi(
    close: Floats, rsi_period: int = 14, period: int = 14, k_period: int = 3, d_period: int = 3
) -> StochasticRsi:
    """Needs rsi_period + period + k_period + d_period − 2 candles."""
    strength = rsi(close, rsi_period)
    raw = _position(strength, rolling_min(strength, period), rolling_max(strength, period))
    k = rolling_mean(raw, k_period)
    return StochasticRsi(raw, k, rolling_mean(k, d_period))


class StochasticRsiState:
    def __init__(
        self, series: int, rsi_period: int = 14, period: int = 14, k_period: int = 3, d_period: int = 3
    ) -> None:
        self._rsi = Rsi(series, rsi_period)
        self._strengths = Ring(series, period)
        self._raws = Ring(series, k_period)
        self._ks = Ring(series, d_period)

    def update(self, close: Floats) -> StochasticRsi:
        strength = self._rsi.update(close)
        self._strengths.put(strength)
        raw = _position(strength, self._strengths.values.min(axis=0), self._strengths.values.max(axis=0))
        self._raws.put(raw)
        k = self._raws.mean(raw)
        self._ks.put(k)
        return StochasticRsi(raw, k, self._ks.mean(k))


def _position(value: Floats, lowest: Floats, highest: Floats) -> Floats:
    span = highest - lowest
    return 100 * (value - lowest) / np.where(span == 0, 1.0, span)
