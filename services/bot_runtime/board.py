"""What one strategy says of every active at one candle end: computed once, read by all bots that follow it."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from libs.contracts.bots import Signal
from libs.contracts.ids import derived_id
from libs.contracts.orders import Direction
from libs.strategies.panel import Panel
from libs.strategies.strategy import CALL, NONE, Strategy

NEEDED_CANDLES = 35
"""Fewer are not traded on, whatever the strategy says of them (api-contract §10.4)."""


class Board:
    """Only actives whose candle ended at `end` are on it: no signal is older than it looks."""

    def __init__(self, panel: Panel, strategy: Strategy, end: int, at: datetime, computed: float) -> None:
        signals = strategy.evaluate(panel)
        ready = (signals.directions != NONE) & (panel.counts >= NEEDED_CANDLES) & (panel.ends[:, -1] == end)
        rows = np.flatnonzero(ready)
        actives = np.array(panel.actives, dtype=np.int64)[rows]
        best_first = np.lexsort((actives, -signals.confidences[rows]))
        self.size = panel.size
        self.end = end
        """Epoch seconds."""
        self.strategy = strategy.name
        self.at = at
        self.computed = computed
        """Monotonic seconds; from here the time to an accepted order is measured."""
        self._signals: dict[int, Signal] = {}
        self._ranked: dict[int, tuple[int, int]] = {
            int(actives[i]): (int(signals.directions[rows[i]]), int(signals.confidences[rows[i]])) for i in best_first
        }

    def ranked(self) -> Iterator[int]:
        """Active ids, the surest signal first; of equal ones the lowest id."""
        return iter(self._ranked)

    def signal(self, active_id: int) -> Signal | None:
        signal = self._signals.get(active_id)
        if signal is None and active_id in self._ranked:
            signal = self._signals[active_id] = self._signal(active_id)
        return signal

    def _signal(self, active_id: int) -> Signal:
        direction, confidence = self._ranked[active_id]
        return Signal(
            id=derived_id("signal", self.strategy, active_id, self.size, self.end),
            at=self.at,
            active_id=active_id,
            size=self.size,
            candle_end=self.end,
            strategy=self.strategy,
            direction=Direction.CALL if direction == CALL else Direction.PUT,
            confidence=confidence,
        )
