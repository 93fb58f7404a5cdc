"""The streaming form of strategies that look at the last few candles alone: they are kept, and evaluated."""

import numpy as np

from libs.strategies.panel import Floats, Integers, Panel
from libs.strategies.strategy import Signals, Strategy


class WindowStream:
    def __init__(self, strategy: Strategy, series: int, candles: int) -> None:
        """`candles`: how many it looks at."""
        self._strategy = strategy
        self._prices: Floats = np.full((4, series, candles), np.nan)
        self._counts: Integers = np.zeros(series, dtype=np.int64)
        self._panel = Panel.of(
            0, range(series), self._prices, np.zeros((series, candles), dtype=np.int64), self._counts
        )

    def update(self, open: Floats, high: Floats, low: Floats, close: Floats) -> Signals:
        newest = np.array((open, high, low, close))
        fresh = ~np.isnan(close)
        if fresh.all():
            self._prices[:, :, :-1] = self._prices[:, :, 1:]
            self._prices[:, :, -1] = newest
        else:
            self._prices[:, fresh, :-1] = self._prices[:, fresh, 1:]
            self._prices[:, fresh, -1] = newest[:, fresh]
        np.minimum(self._counts + fresh, self._prices.shape[2], out=self._counts)
        signals = self._strategy.evaluate(self._panel)
        return signals if fresh.all() else signals.only(fresh)
