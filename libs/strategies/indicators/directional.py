"""Wilder's figures of range and direction: average true range, directional index."""

from typing import NamedTuple

import numpy as np

from libs.strategies.indicators.smoothing import Smoother, smoothed, wilder, wilder_sum
from libs.strategies.panel import Floats


def atr(high: Floats, low: Floats, close: Floats, period: int = 14, last: int = 0) -> Floats:
    """Wilder's mean of the true range, in the unit of the price. The first candle has no true range, so that it needs
    period + 1 candles."""
    means = smoothed(_true_range(high[:, 1:], low[:, 1:], close[:, :-1]), wilder(period), last)
    return means if last else _after_first(means, close)


class Atr:
    def __init__(self, series: int, period: int = 14) -> None:
        self._close = np.full(series, np.nan)
        self._mean = Smoother(series, wilder(period))

    def update(self, high: Floats, low: Floats, close: Floats) -> Floats:
        mean = self._mean.update(_true_range(high, low, self._close))
        self._close = np.where(np.isnan(close), self._close, close)
        return mean


class Direction(NamedTuple):
    """0..100; all are 0 where nothing moved."""

    plus: Floats
    """+DI: upward movement in the true range."""
    minus: Floats
    """−DI: downward movement."""
    dx: Floats
    """How much one exceeds the other; what the original calls ADX."""
    adx: Floats
    """Wilder's mean of `dx`, and so the strength of a trend."""


def directional(high: Floats, low: Floats, close: Floats, period: int = 14) -> Direction:
    """`dx` needs period + 1 candles, `adx` 2 × period."""
    moves = _moves(high[:, 1:], low[:, 1:], high[:, :-1], low[:, :-1], close[:, :-1])
    plus, minus, dx = _indices(*(_after_first(smoothed(move, wilder_sum(period)), close) for move in moves))
    return Direction(plus, minus, dx, smoothed(dx, wilder(period)))


class DirectionalState:
    def __init__(self, series: int, period: int = 14) -> None:
        self._last = np.full((3, series), np.nan)
        self._plus, self._minus, self._range = (Smoother(series, wilder_sum(period)) for _ in range(3))
        self._adx = Smoother(series, wilder(period))

    def update(self, high: Floats, low: Floats, close: Floats) -> Direction:
        up, down, span = _moves(high, low, *self._last)
        np.copyto(self._last, (high, low, close), where=~np.isnan(close))
        plus, minus, dx = _indices(self._plus.update(up), self._minus.update(down), self._range.update(span))
        return Direction(plus, minus, dx, self._adx.update(dx))


def _after_first(figures: Floats, close: Floats) -> Floats:
    """With a column for the first candle, which has no figure because it follows none."""
    result = np.full_like(close, np.nan)
    result[:, 1:] = figures
    return result


def _true_range(high: Floats, low: Floats, previous: Floats) -> Floats:
    """From the lowest to the highest since the previous close."""
    return np.maximum(high, previous) - np.minimum(low, previous)


def _moves(
    high: Floats, low: Floats, high_before: Floats, low_before: Floats, close_before: Floats
) -> tuple[Floats, Floats, Floats]:
    """+DM, −DM, true range."""
    up, down = high - high_before, low_before - low
    none = up - up  # 0, or NaN where there is no candle before
    return (
        np.where((up > down) & (up > 0), up, none),
        np.where((down > up) & (down > 0), down, none),
        _true_range(high, low, close_before),
    )


def _indices(up: Floats, down: Floats, span: Floats) -> tuple[Floats, Floats, Floats]:
    """+DI, −DI, DX."""
    span = np.where(span == 0, 1.0, span)
    plus, minus = 100 * up / span, 100 * down / span
    total = plus + minus
    return plus, minus, 100 * np.abs(plus - minus) / np.where(total == 0, 1.0, total)
