"""A market that never was: a random walk that is the same for everyone who asks with the same seed.

Days are a mean-reverting walk of the logarithm, which keeps prices positive and within a range of years. A day is
split into hours, an hour into minutes, only where somebody looks.
"""

from functools import lru_cache
from math import exp

import numpy as np

from services.paper_broker import noise
from services.paper_broker.bars import Bar, Bars, excursion, joined
from services.paper_broker.epoch import DAY, FIRST_DAY, HOUR, MINUTE
from services.paper_broker.refine import refine

_REVERSION = 0.005
"""Share of the distance to the middle that a day takes back: ten daily deviations is where prices mostly stay."""
_DAYS_AHEAD = 512
_KEPT_PARENTS = 4
"""Whose children are remembered: a live market asks for those of the current hour and day again and again."""
_PARENT = {HOUR: DAY, MINUTE: HOUR}


class Walk:
    """One active's candles of a minute and more."""

    base = MINUTE

    def __init__(self, seed: int, active_id: int, price: float, volatility: float) -> None:
        """`price` is the middle, in points; `volatility` the standard deviation of a day's return."""
        self._price = price
        self._volatility = volatility
        self._streams = {level: noise.key(seed, active_id, level) for level in (DAY, HOUR, MINUTE)}
        self._logarithm = 0.0
        self._starts = np.array([price])
        self._kept_children = lru_cache(maxsize=_KEPT_PARENTS)(self._children)

    def bars(self, size: int, first: int, count: int) -> Bars:
        """Candles of `size` seconds, a multiple of a minute, of which `first` starts at `first * size`."""
        level = next(level for level in (DAY, HOUR, MINUTE) if size % level == 0)
        parts = size // level
        return self._level(level, first * parts, count * parts).grouped(parts)

    def span(self, start: int, end: int) -> Bar:
        """One candle over [start, end), whole minutes; start is a multiple of what the span is longer than."""
        pieces = []
        for level in (DAY, HOUR, MINUTE):
            until = end // level * level
            if until > start and start % level == 0:
                pieces.append(self._level(level, start // level, (until - start) // level).whole())
                start = until
        return joined(pieces)

    def _level(self, level: int, first: int, count: int) -> Bars:
        if level == DAY:
            return self._days(first, count)
        parts = _PARENT[level] // level
        parent, last = first // parts, (first + count - 1) // parts
        children = self._kept_children if parent == last else self._children
        return children(level, parent, last).part(first - parent * parts, count)

    def _children(self, level: int, first: int, last: int) -> Bars:
        """Of the parents from `first` to `last`."""
        above = _PARENT[level]
        parents = self._level(above, first, last - first + 1)
        return refine(parents, above // level, self._streams[level], first)

    def _days(self, first: int, count: int) -> Bars:
        offset = first - FIRST_DAY
        while offset + count >= len(self._starts):
            self._extend()
        starts = self._starts[offset : offset + count + 1]
        opens, closes = starts[:-1], starts[1:]
        word = noise.words(self._streams[DAY], first, count)[:, 0]
        distance, deviation = np.abs(closes - opens), opens * self._volatility
        above = excursion(distance, deviation, noise.exponential(word))
        below = excursion(distance, deviation, noise.exponential(word, second=True))
        highs, lows = np.maximum(opens, closes) + above, np.minimum(opens, closes) - below
        return Bars(*(np.rint(column).astype(np.int64) for column in (opens, highs, np.maximum(lows, 1), closes)))

    def _extend(self) -> None:
        done = len(self._starts) - 1
        word = noise.words(self._streams[DAY], FIRST_DAY + done, _DAYS_AHEAD)[:, 0]
        starts = []
        for step in noise.normal(word).tolist():
            self._logarithm += self._volatility * step - _REVERSION * self._logarithm
            starts.append(self._price * exp(self._logarithm))
        self._starts = np.concatenate([self._starts, starts])
