"""Figures of the last few values: of every window of an array, and of a ring that values are put into."""

import numpy as np

from libs.strategies.panel import Floats, Integers


def rolling_mean(values: Floats, length: int) -> Floats:
    """Of each value and the `length` − 1 before it.

    Distances from the newest are averaged rather than values, so that of equal values the mean is exactly the value.
    """
    newest = values[:, length - 1 :]
    total = np.zeros_like(newest)
    for before in range(1, length):
        total += _ago(values, before, length) - newest
    return _padded(newest + total / length, values)


def rolling_deviation(values: Floats, means: Floats, length: int) -> Floats:
    """Population standard deviation around `rolling_mean`."""
    means = means[:, length - 1 :]
    total = np.zeros_like(means)
    for before in range(length):
        total += (_ago(values, before, length) - means) ** 2
    return _padded(np.sqrt(total / length), values)


def rolling_max(values: Floats, length: int) -> Floats:
    highest = values[:, length - 1 :].copy()
    for before in range(1, length):
        np.maximum(highest, _ago(values, before, length), out=highest)
    return _padded(highest, values)


def rolling_min(values: Floats, length: int) -> Floats:
    return -rolling_max(-values, length)


def _ago(values: Floats, before: int, length: int) -> Floats:
    """What was `before` columns ago, for every column that ends a window."""
    return values[:, max(length - 1 - before, 0) : max(values.shape[1] - before, 0)]


def _padded(windows: Floats, values: Floats) -> Floats:
    """NaN before the first whole window."""
    result = np.full_like(values, np.nan)
    result[:, values.shape[1] - windows.shape[1] :] = windows
    return result


class Ring:
    """The last `length` values of every series: length × series, NaN until they are there."""

    def __init__(self, series: int, length: int) -> None:
        self._every = np.arange(series)
        self._length = length
        self._next: int | Integers = 0
        """The row of the next value; of each series, once one of them has had none while others had."""
        self.values: Floats = np.full((length, series), np.nan)
        """In the order of time only by `ago`; other figures do not depend on the order."""

    def put(self, values: Floats) -> None:
        """Add one value to each series where it is not NaN."""
        known = ~np.isnan(values)
        if isinstance(self._next, int):
            if known.all():
                self.values[self._next] = values
                self._next = (self._next + 1) % self._length
                return
            self._next = np.full(len(values), self._next)
        self.values[self._next[known], self._every[known]] = values[known]
        self._next = (self._next + known) % self._length

    def ago(self, steps: int) -> Floats:
        """What was put `steps` before the newest; 0 is the newest."""
        row = (self._next - 1 - steps) % self._length
        return self.values[row] if isinstance(row, int) else self.values[row, self._every]

    def mean(self, newest: Floats) -> Floats:
        """As `rolling_mean`; NaN where the newest is."""
        mean: Floats = newest + (self.values - newest).sum(axis=0) / self._length
        return mean

    def deviation(self, mean: Floats) -> Floats:
        """As `rolling_deviation`."""
        deviation: Floats = np.sqrt(((self.values - mean) ** 2).sum(axis=0) / self._length)
        return deviation
