"""Larger candles made of smaller ones, on exact boundaries: a candle of S seconds ends at a multiple of S."""

from typing import NamedTuple

import numpy as np

from libs.strategies.panel import Panel


class Bar(NamedTuple):
    """A closed candle without its number: the broker counts every size on its own."""

    end: int
    """Epoch seconds."""
    open: float
    high: float
    low: float
    close: float


def fold(panel: Panel, row: int, size: int, after: int) -> list[Bar]:
    """The candles of `size` seconds that end later than `after`, a boundary, as far as they are complete.

    `size` is a multiple of the panel's. A candle without any price does not exist, as at the broker, so one is known to
    be complete when a candle of the panel ended with it or later.
    """
    ends = panel.ends[row]
    first = int(np.searchsorted(ends, max(after, 1), side="right"))
    bounds = -(-ends[first:] // size) * size
    last = int(np.searchsorted(bounds, ends[-1], side="right"))
    if last == 0:
        return []
    bounds, part = bounds[:last], slice(first, first + last)
    starts = np.flatnonzero(np.diff(bounds, prepend=0))
    opens = panel.open[row, part][starts]
    highs = np.maximum.reduceat(panel.high[row, part], starts)
    lows = np.minimum.reduceat(panel.low[row, part], starts)
    closes = panel.close[row, part][np.append(starts[1:], last) - 1]
    return [
        Bar(*values)
        for values in zip(bounds[starts].tolist(), *map(np.ndarray.tolist, (opens, highs, lows, closes)), strict=True)
    ]
