"""`aggressive`: four advisors vote, and there is always a signal (api-contract §10.7)."""

from typing import ClassVar

import numpy as np

from libs.strategies.advisors import SMA_PERIOD, gap_hunter, level_analyst, mean_reversion, pattern_counter
from libs.strategies.panel import Panel
from libs.strategies.rounding import half_up
from libs.strategies.strategy import CALL, NONE, PUT, Signals, Strategy
from libs.strategies.window_stream import WindowStream

_ADVISORS = ((pattern_counter, 0.40), (mean_reversion, 0.30), (gap_hunter, 0.20), (level_analyst, 0.10))
"""With their weights, in the order in which the original adds them up."""

_DEFAULT_CONFIDENCE = 50
"""Of the CALL it gives when it cannot judge."""


class Aggressive(Strategy, frozen=True, kw_only=True):
    """Four advisors vote: against the majority of the last three candles (weight 40 %), back to the mean of twenty
    (30 %), against a gap (20 %), away from the nearest extreme of ten (10 %). There is always a signal. Confidence is
    the winning side's score: 28 to 84. It has no parameters: the statistics of the scanner depend on it.
    """

    name: ClassVar[str] = "aggressive"

    @property
    def warm_up(self) -> int:
        """It answers CALL 50 from the first candle, and judges from the twentieth."""
        return 1

    def stream(self, series: int) -> WindowStream:
        return WindowStream(self, series, SMA_PERIOD)

    def evaluate(self, panel: Panel) -> Signals:
        call, put = np.zeros(len(panel.actives)), np.zeros(len(panel.actives))
        with np.errstate(divide="ignore", invalid="ignore"):
            for advisor, weight in _ADVISORS if panel.depth >= SMA_PERIOD else ():
                opinion = advisor(panel)
                call += np.where(opinion.call, opinion.confidence * weight, 0.0)
                put += np.where(opinion.call, 0.0, opinion.confidence * weight)
        score = np.maximum(call, put)
        judged = (panel.counts >= SMA_PERIOD) & np.isfinite(score)
        ready = panel.counts >= self.warm_up
        direction = np.where(~judged | (call > put), CALL, PUT)
        confidence = np.where(judged, half_up(np.where(judged, score, 0.0)), _DEFAULT_CONFIDENCE)
        return Signals(
            np.where(ready, direction, NONE).astype(np.int8),
            np.where(ready, confidence, 0).astype(np.int16),
        )
