"""Support and resistance: price zones at which a market has turned before."""

from typing import NamedTuple

import numpy as np

from libs.strategies.indicators.window import Ring, rolling_max
from libs.strategies.panel import Floats, Integers


class Turns(NamedTuple):
    """Prices at which a market turned, each in the column of the candle that confirmed it; NaN elsewhere."""

    peaks: Floats
    troughs: Floats


def turns(high: Floats, low: Floats, reach: int = 2) -> Turns:
    """A peak is a high above the `reach` highs before it and not below the `reach` after it, the last of which confirms
    it; a trough is its mirror image. So equal highs in a row are one peak, and a flat market has none."""
    return Turns(_peaks(high, reach), -_peaks(-low, reach))


def _peaks(high: Floats, reach: int) -> Floats:
    peaks = np.full_like(high, np.nan)
    if high.shape[1] > 2 * reach:
        highest = rolling_max(high, reach)
        before, middle, after = highest[:, reach - 1 : -reach - 1], high[:, reach:-reach], highest[:, 2 * reach :]
        np.copyto(peaks[:, 2 * reach :], middle, where=(middle > before) & (middle >= after))
    return peaks


class Zones(NamedTuple):
    """The nearest zone above and the nearest below a price, bounds included; NaN where there is none."""

    resistance_low: Floats
    resistance_high: Floats
    resistance_touches: Floats
    """Turns inside it."""
    support_low: Floats
    support_high: Floats
    support_touches: Floats


def zones(known: Turns, price: Floats, width: Floats, touches: int = 2) -> Zones:
    """A zone is where at least `touches` turns, peaks or troughs, lie within `width` of one another.

    `known` are the turns to look at, series × time; `price` and `width` are of each series, in the unit of the price.
    A zone around the price is neither above nor below it.
    """
    levels = np.sort(np.concatenate((known.peaks, known.troughs), axis=1), axis=1)
    # NaN are last now, and most are.
    levels = levels[:, : max(int((~np.isnan(levels)).sum(axis=1).max(initial=0)), touches)]
    above = _nearest_above(levels, price, width, touches)
    below = _nearest_above(-levels[:, ::-1], -price, width, touches)
    return Zones(above[0], above[1], above[2], -below[1], -below[0], below[2])


def _nearest_above(levels: Floats, price: Floats, width: Floats, touches: int) -> tuple[Floats, Floats, Floats]:
    """Bounds and touches; levels ascend."""
    lows, highs = levels[:, : max(levels.shape[1] - touches + 1, 0)], levels[:, touches - 1 :]
    fits = (highs - lows <= width[:, np.newaxis]) & (lows >= price[:, np.newaxis])
    low = np.where(fits, lows, np.inf).min(axis=1, initial=np.inf)[:, np.newaxis]
    inside = (levels >= low) & (levels - low <= width[:, np.newaxis])
    high = np.where(inside, levels, -np.inf).max(axis=1, initial=-np.inf)
    none = np.isinf(high)
    return (
        np.where(none, np.nan, low[:, 0]),
        np.where(none, np.nan, high),
        np.where(none, np.nan, inside.sum(axis=1)),
    )


class TurnsState:
    """Gives the turns of the last `lookback` candles, in no order."""

    def __init__(self, series: int, lookback: int, reach: int = 2) -> None:
        self._reach = reach
        self._highs = Ring(2 * series, 2 * reach + 1)
        self._peaks: Floats = np.full((2 * series, lookback), np.nan)
        self._next: Integers = np.zeros(2 * series, dtype=np.int64)
        self._every = np.arange(2 * series)

    def update(self, high: Floats, low: Floats) -> Turns:
        """Series × lookback, to be given to `zones`; a view."""
        highs = np.concatenate((high, -low))
        known = ~np.isnan(highs)
        self._highs.put(highs)
        middle = self._highs.ago(self._reach)
        before = self._extreme(range(self._reach + 1, 2 * self._reach + 1))
        after = self._extreme(range(self._reach))
        peaks = np.where((middle > before) & (middle >= after), middle, np.nan)
        self._peaks[self._every[known], self._next[known]] = peaks[known]
        self._next = (self._next + known) % self._peaks.shape[1]
        series = len(high)
        return Turns(self._peaks[:series], -self._peaks[series:])

    def _extreme(self, steps: range) -> Floats:
        highest = self._highs.ago(steps[0])
        for step in steps[1:]:
            highest = np.maximum(highest, self._highs.ago(step))
        return highest
