"""What one strategy says of every active at one candle end: computed once, read by all bots that follow it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

import numpy as np

from libs.contracts.bots import Signal
from libs.contracts.ids import derived_id
from libs.contracts.orders import Direction
from libs.strategies.panel import Panel
from libs.strategies.strategy import CALL, NONE, Signals

NEEDED_CANDLES = 35
"""Fewer are not traded on, whatever the strategy says of them (api-contract §10.4)."""


class Moment:
    """The actives of a panel at one candle end. Only those whose candle ended then can be traded on: no signal is older
    than it looks. Strategies may answer when the panel has gone on."""

    def __init__(self, panel: Panel, end: int, causes: Mapping[int, str] = MappingProxyType({})) -> None:
        """`causes`: of the candles that are traced, by active."""
        self.causes = causes
        self.size = panel.size
        self.end = end
        """Epoch seconds."""
        self.actives = np.array(panel.actives, dtype=np.int64)
        self.closes = panel.close[:, -1].copy()
        self.ready = (panel.counts >= NEEDED_CANDLES) & (panel.ends[:, -1] == end)


class Board:
    def __init__(
        self, moment: Moment, strategy: str, parameters: str, signals: Signals, at: datetime, computed: float
    ) -> None:
        """`parameters` are compared, and not read."""
        rows = np.flatnonzero((signals.directions != NONE) & moment.ready)
        actives = moment.actives[rows]
        best_first = np.lexsort((actives, -signals.confidences[rows]))
        self.size = moment.size
        self.end = moment.end
        """Epoch seconds."""
        self.strategy = strategy
        self.at = at
        self.computed = computed
        """Monotonic seconds; from here the time to an accepted order is measured."""
        self._causes = moment.causes
        self._signals: dict[int, Signal] = {}
        self._closes = dict(zip(actives.tolist(), moment.closes[rows].tolist(), strict=True))
        self._parameters = parameters
        self._ranked: dict[int, tuple[int, int]] = {
            int(actives[i]): (int(signals.directions[rows[i]]), int(signals.confidences[rows[i]])) for i in best_first
        }

    def tells(self, size: int, strategy: str, parameters: str) -> bool:
        """Whether it is about candles of that size, and that strategy with those parameters."""
        return (self.size, self.strategy, self._parameters) == (size, strategy, parameters)

    def ranked(self) -> Iterator[int]:
        """Active ids, the surest signal first; of equal ones the lowest id."""
        return iter(self._ranked)

    def concerns(self, active_id: int | None) -> bool:
        """Whether anything is said of that active, or without one of any."""
        return bool(self._ranked) if active_id is None else active_id in self._ranked

    def cause(self, active_id: int) -> str:
        """Of its candle; empty if that is not traced."""
        return self._causes.get(active_id, "")

    def signal(self, active_id: int) -> Signal | None:
        signal = self._signals.get(active_id)
        if signal is None and active_id in self._ranked:
            signal = self._signals[active_id] = self._signal(active_id)
        return signal

    def _signal(self, active_id: int) -> Signal:
        direction, confidence = self._ranked[active_id]
        return Signal(
            id=derived_id("signal", self.strategy, self._parameters, active_id, self.size, self.end),
            at=self.at,
            active_id=active_id,
            size=self.size,
            candle_end=self.end,
            strategy=self.strategy,
            direction=Direction.CALL if direction == CALL else Direction.PUT,
            confidence=confidence,
            price=self._closes[active_id],
        )
