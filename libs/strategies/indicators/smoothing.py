"""Means that reach back to the first candle: exponential and Wilder's. The recursion of all of them is
`mean ← keep × mean + take × value`, with other factors for the values of the warm-up."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from libs.strategies.panel import Floats, Integers


@dataclass(frozen=True, eq=False)
class Smoothing:
    """Factors by the number of the value, the first one's first; later values have the last ones. `keep` begins with
    0."""

    keep: Floats
    take: Floats
    warm_up: int
    """Values before there is a result, the one that gives it included."""

    @cached_property
    def _weights(self) -> dict[int, Floats]:
        return {}

    def weights(self, length: int) -> Floats:
        """What each of the first `length` values counts in the mean after the last of them."""
        if length not in self._weights:
            number = np.minimum(np.arange(length), len(self.keep) - 1)
            kept = np.r_[np.cumprod(self.keep[number][:0:-1])[::-1], 1.0]
            self._weights[length] = self.take[number] * kept[:length]
        return self._weights[length]


@lru_cache(maxsize=256)
def exponential(period: int) -> Smoothing:
    """Factor 2/(period + 1), begun by the mean of the first values."""
    return _from_mean(period, 2 / (period + 1))


@lru_cache(maxsize=256)
def wilder(period: int) -> Smoothing:
    """Factor 1/period, begun by the mean of the first values."""
    return _from_mean(period, 1 / period)


@lru_cache(maxsize=256)
def wilder_sum(period: int) -> Smoothing:
    """Wilder's as TA-Lib begins it for directional movement: by the sum of one value less."""
    keep = np.r_[0.0, np.ones(max(period - 2, 0)), 1 - 1 / period]
    return Smoothing(keep, np.full(len(keep), 1 / period), period)


def _from_mean(period: int, factor: float) -> Smoothing:
    number = np.arange(1, period + 1)
    return Smoothing(np.r_[(number - 1) / number, 1 - factor], np.r_[1 / number, factor], period)


def smoothed(values: Floats, smoothing: Smoothing, last: int = 0) -> Floats:
    """Each series from its first number on; series × time, of which the `last` columns, or all."""
    if last:
        return weighted(values, smoothing.weights, smoothing.warm_up, last)
    return _walked(values, _starts(values), smoothing)


def weighted(values: Floats, weights: Callable[[int], Floats], warm_up: int, last: int) -> Floats:
    """The last columns of a mean, as the weighted sums of all values before that they are, without the steps between.

    `weights(n)` are those of the first n values. `vecdot` sums each row by itself, so that what a series gives does not
    depend on its neighbours."""
    length, starts = values.shape[1], _starts(values)
    means = np.full((len(values), last), np.nan)
    for column in range(max(last - length, 0), last):
        until = length - last + 1 + column
        for start in np.unique(starts).tolist():
            if until - start >= warm_up:
                rows = slice(None) if len(starts) == 1 else starts == start
                means[rows, column] = np.vecdot(values[rows, start:until], weights(until - start))
    return means


def _starts(values: Floats) -> Integers:
    """The column of each series' first number; one entry if they all begin in the first column."""
    if not values.shape[1] or not np.isnan(values[:, 0]).any():
        return np.zeros(1, dtype=np.int64)
    starts: Integers = np.isnan(values).sum(axis=1)
    return starts


def _walked(values: Floats, starts: Integers, smoothing: Smoothing) -> Floats:
    """Step by step through time, all series at once."""
    ages = np.arange(values.shape[1])[:, np.newaxis] - starts
    factors = np.clip(ages, 0, len(smoothing.keep) - 1)
    means: Floats = smoothing.take[factors] * values.T
    np.copyto(means, 0.0, where=ages < 0)
    kept = np.empty(len(values))
    for before, mean, factor in zip(means, means[1:], smoothing.keep[factors][1:], strict=False):
        np.multiply(before, factor, out=kept)
        mean += kept
    np.copyto(means, np.nan, where=ages < smoothing.warm_up - 1)
    return means.T


class Smoother:
    """`smoothed`, one value per series at a time."""

    def __init__(self, series: int, smoothing: Smoothing) -> None:
        self._smoothing = smoothing
        self._last_factor = len(smoothing.keep) - 1
        self._keep, self._take = float(smoothing.keep[-1]), float(smoothing.take[-1])
        self._mean: Floats = np.zeros(series)
        self._seen: Integers = np.zeros(series, dtype=np.int64)
        self._steady = False
        """Whether every series is past its warm-up, and all factors are the last ones."""

    def update(self, values: Floats) -> Floats:
        known = ~np.isnan(values)
        if self._steady and known.all():
            self._mean = self._keep * self._mean + self._take * values
            return self._mean
        factors = np.minimum(self._seen, self._last_factor)
        mean = self._smoothing.keep[factors] * self._mean + self._smoothing.take[factors] * values
        self._mean = np.where(known, mean, self._mean)
        self._seen = self._seen + known
        self._steady = bool((self._seen > self._last_factor).all())
        return np.where(self._seen >= self._smoothing.warm_up, mean, np.nan)
