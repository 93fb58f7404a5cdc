"""`three-candle-flow`: three strong candles in a row go on."""

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from libs.strategies.panel import Panel
from libs.strategies.rounding import half_up
from libs.strategies.strategy import Signals, Strategy


class ThreeCandleFlow(Strategy, frozen=True, kw_only=True):
    """CALL when the last candles all rose, each closing above the one before, with bodies of at least `minBody` of
    their range; PUT mirrored. Confidence 50, and up to 30 more the less wick the candles have."""

    name: ClassVar[str] = "three-candle-flow"

    candles: Annotated[int, Meta(ge=2, le=10, description="Candles in a row.")] = 3
    min_body: Annotated[
        float, Meta(ge=0, le=1, description="Least body of each candle, as a fraction of its range.")
    ] = 0.5

    @property
    def warm_up(self) -> int:
        return self.candles

    def evaluate(self, panel: Panel) -> Signals:
        opens, closes = panel.open[:, -self.candles :], panel.close[:, -self.candles :]
        body = closes - opens
        span = panel.high[:, -self.candles :] - panel.low[:, -self.candles :]
        share = np.abs(body) / np.where(span > 0, span, 1.0)
        step = np.diff(closes)
        strong = (share >= self.min_body).all(axis=1) & (panel.counts >= self.warm_up)
        return Signals.where(
            strong & (body > 0).all(axis=1) & (step > 0).all(axis=1),
            strong & (body < 0).all(axis=1) & (step < 0).all(axis=1),
            half_up(50 + 30 * share.mean(axis=1)),
        )
