"""A market that was: candle files replayed in broker time.

The n-th row of the file is the n-th candle of the replay. Where the file has a gap (a weekend, a silent minute) the
next row simply follows, so the replay never stands still and a jump over the gap stays visible as the difference
between a close and the next open. The file repeats for ever in both directions: there is always history before
it and a market after it.

With speed k a row of p seconds takes p / k seconds of broker time. Only prices run faster; the clock, candle
boundaries and option durations are the broker's.
"""

import numpy as np

from services.paper_broker.bars import Bar, Bars
from services.paper_broker.candle_file import CandleFile
from services.paper_broker.epoch import MINUTE
from services.paper_broker.noise import Integers


class BadSpeed(Exception):
    """A row would not last a whole number of seconds that divides a minute."""


def row_seconds(period: int, speed: int) -> int:
    """Broker seconds of one row. Raises BadSpeed."""
    seconds, rest = divmod(period, speed)
    if rest or not 1 <= seconds <= MINUTE or MINUTE % seconds:
        raise BadSpeed(f"speed {speed} does not turn candles of {period} s into 1 to 60 s that divide a minute")
    return seconds


class Replay:
    """The candles of one file as a market."""

    def __init__(self, file: CandleFile, speed: int, anchor: int) -> None:
        """The file's first row starts at the slot `anchor`: epoch seconds = anchor × seconds of a row."""
        self.base = row_seconds(file.period, speed)
        self._anchor = anchor
        self._rows = file.bars
        self._highs = _Extremes(file.bars.high)
        self._lows = _Extremes(-file.bars.low)

    def bars(self, size: int, first: int, count: int) -> Bars:
        """Candles of `size` seconds, a multiple of `base`."""
        length = size // self.base
        begin = np.arange(first, first + count, dtype=np.int64) * length - self._anchor
        begin %= self._rows.length
        last = (begin + length - 1) % self._rows.length
        highs, lows = self._highs.over(begin, length), -self._lows.over(begin, length)
        return Bars(self._rows.open[begin], highs, lows, self._rows.close[last])

    def span(self, start: int, end: int) -> Bar:
        """One candle over [start, end), multiples of `base`."""
        row, count = start // self.base - self._anchor, (end - start) // self.base
        begin = np.array([row % self._rows.length])
        last = (row + count - 1) % self._rows.length
        high, low = self._highs.over(begin, count)[0], -self._lows.over(begin, count)[0]
        return Bar(int(self._rows.open[begin[0]]), int(high), int(low), int(self._rows.close[last]))


class _Extremes:
    """The maximum over any run of a series that repeats for ever, in constant time (a sparse table)."""

    def __init__(self, values: Integers) -> None:
        self._count = len(values)
        self._tables = [np.concatenate([values, values])]
        while (1 << len(self._tables)) <= self._count:
            half = 1 << (len(self._tables) - 1)
            table = self._tables[-1]
            self._tables.append(np.maximum(table[:-half], table[half:]))

    def over(self, begin: Integers, length: int) -> Integers:
        """For each index in `begin` the maximum of the `length` values from there on."""
        length = min(length, self._count)
        power = length.bit_length() - 1
        table = self._tables[power]
        highest: Integers = np.maximum(table[begin], table[begin + length - (1 << power)])
        return highest
