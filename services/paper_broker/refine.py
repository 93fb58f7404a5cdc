"""Splitting candles: a path inside each one that keeps its open, high, low and close exactly."""

import numpy as np

from services.paper_broker import noise
from services.paper_broker.bars import Bars, excursion
from services.paper_broker.noise import Floats, Integers, Words

_RANGE_OF_MOTION = 1.85
"""Range of a candle over the standard deviation of the motion inside it.

Of Brownian motion it is sqrt(8 / pi), about 1.6; but a path that is folded back at the extremes turns around too often,
and a bot that bets on reversals would win on paper what it cannot win anywhere else. At this value the returns of
neighbouring candles are as good as uncorrelated at every size.
"""


def refine(parents: Bars, parts: int, stream: int, first: int, shares: Floats | None = None) -> Bars:
    """Each parent as `parts` children that follow each other without gaps; grouped again they are the parents.

    `first` is the index of the first parent and with `stream` decides the noise, so a parent gets the same
    children whatever its neighbours in the call are. `shares` of the variance, one row for each parent, are equal if
    not given.
    """
    word = noise.words(stream, first, parents.length, parts)
    spread = (parents.high - parents.low).astype(np.float64)[:, None]
    if shares is None:
        shares = np.full((1, parts), 1 / parts)
    deviation = spread / _RANGE_OF_MOTION * np.sqrt(shares)
    closes = _path(parents, shares, deviation, word)
    opens = np.concatenate([parents.open[:, None], closes[:, :-1]], axis=1)
    distance = np.abs(closes - opens).astype(np.float64)
    above = excursion(distance, deviation, noise.exponential(word))
    below = excursion(distance, deviation, noise.exponential(word, second=True))
    highs = np.minimum(np.maximum(opens, closes) + _whole(above), parents.high[:, None])
    lows = np.maximum(np.minimum(opens, closes) - _whole(below), parents.low[:, None])
    row = np.arange(parents.length)
    highs[row, highs.argmax(axis=1)] = parents.high
    lows[row, lows.argmin(axis=1)] = parents.low
    return Bars(opens.ravel(), highs.ravel(), lows.ravel(), closes.ravel())


def _path(parents: Bars, shares: Floats, deviation: Floats, word: Words) -> Integers:
    """Closes of the children: a Brownian bridge from open to close, folded back where it leaves the candle."""
    walk = np.cumsum(deviation * noise.normal(word), axis=1)
    time = np.cumsum(shares, axis=1)
    time[:, -1] = 1.0
    opens, lows = parents.open[:, None], parents.low[:, None]
    free = opens + (parents.close - parents.open)[:, None] * time + walk - walk[:, -1:] * time
    height = (parents.high - parents.low)[:, None]
    folded = height - np.abs(np.mod(free - lows, np.maximum(2 * height, 1)) - height)
    return _whole(folded) + lows


def ticks(seconds: Bars, stream: int, first: int) -> Integers:
    """The prices inside one-second candles, four of each: open, both extremes in either order, close."""
    high_first = noise.coin(noise.words(stream, first, seconds.length))[:, 0]
    second = np.where(high_first, seconds.high, seconds.low)
    third = np.where(high_first, seconds.low, seconds.high)
    return np.stack([seconds.open, second, third, seconds.close], axis=1).ravel()


def _whole(value: Floats) -> Integers:
    return np.rint(value).astype(np.int64)
