"""`support-resistance`: prices that leave a zone where the market has turned before, or turn there again."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from libs.strategies.indicators.directional import Atr, atr
from libs.strategies.indicators.zones import Turns, TurnsState, Zones, turns, zones
from libs.strategies.panel import Floats, Integers, Panel
from libs.strategies.rounding import half_up
from libs.strategies.strategy import Signals, Strategy


class SupportResistance(Strategy, frozen=True, kw_only=True):
    """A zone is where the market turned several times within a band of prices. Distances are measured in the average
    true range (ATR) before the last candle.

    `variant: breakout`: CALL when the last candle closes above the nearest resistance, with a body of at least
    `momentum` ATR; PUT below the nearest support. Synthetic markets have no traded volume: a candle that moves more
    than usual stands in for it. `variant: bounce`: PUT when the last candle reached the resistance and closed below
    it; CALL mirrored. The more touches a zone has, the surer: 50 and 5 a touch, and for a break-out 10 for each ATR
    beyond the zone; at most 85.
    """

    name: ClassVar[str] = "support-resistance"

    variant: Annotated[
        Literal["breakout", "bounce"], Meta(description="Follow a price out of a zone, or back from it.")
    ] = "breakout"
    lookback: Annotated[int, Meta(ge=10, le=180, description="Candles in which turns are looked for.")] = 60
    reach: Annotated[
        int, Meta(ge=1, le=10, description="Candles on each side of a turn that must be lower (higher).")
    ] = 2
    touches: Annotated[int, Meta(ge=1, le=10, description="Turns that make a zone.")] = 2
    zone_width: Annotated[float, Meta(gt=0, le=5, description="How far the turns of a zone may be apart, in ATR.")] = (
        0.5
    )
    momentum: Annotated[float, Meta(ge=0, le=5, description="Break-out: least body of the last candle, in ATR.")] = 0.8
    atr_period: Annotated[int, Meta(ge=2, le=50, description="Candles of the average true range.")] = 14

    def __post_init__(self) -> None:
        if 2 * self.reach >= self.lookback:
            raise ValueError("Expected less than half of `lookback` in `reach`")

    @property
    def warm_up(self) -> int:
        return max(self.lookback, self.atr_period + 1) + 1

    def evaluate(self, panel: Panel) -> Signals:
        before = slice(-self.lookback - 1, -1)
        high, low, close = panel.high, panel.low, panel.close
        span = atr(high[:, :-1], low[:, :-1], close[:, :-1], self.atr_period, last=1)[:, -1]
        previous = close[:, -2:][:, 0]
        found = zones(
            turns(high[:, before], low[:, before], self.reach), previous, self.zone_width * span, self.touches
        )
        span = np.where(panel.counts >= self.warm_up, span, np.nan)
        return self._judge(panel.open[:, -1], high[:, -1], low[:, -1], close[:, -1], found, span)

    def stream(self, series: int) -> "SupportResistanceStream":
        return SupportResistanceStream(self, series)

    def _judge(self, open: Floats, high: Floats, low: Floats, close: Floats, found: Zones, span: Floats) -> Signals:
        """`found` and `span`, the ATR, are of the candles before the last; NaN where there are too few."""
        if self.variant == "breakout":
            return self._breakout(close, close - open, found, span)
        return self._bounce(high, low, close, found, span)

    def _breakout(self, close: Floats, body: Floats, found: Zones, span: Floats) -> Signals:
        above, below = close - found.resistance_high, found.support_low - close
        call = (above > 0) & (body > 0) & (body >= self.momentum * span)
        put = (below > 0) & (body < 0) & (-body >= self.momentum * span)
        beyond = np.where(call, above, below) / np.where(span > 0, span, 1.0)
        touches = np.where(call, found.resistance_touches, found.support_touches)
        return Signals.where(call, put, half_up(np.minimum(50 + 5 * touches + 10 * beyond, 85)))

    def _bounce(self, high: Floats, low: Floats, close: Floats, found: Zones, span: Floats) -> Signals:
        known = span > 0
        put = known & (high >= found.resistance_low) & (close < found.resistance_low)
        call = known & (low <= found.support_high) & (close > found.support_high)
        touches = np.where(call, found.support_touches, found.resistance_touches)
        return Signals.where(call, put, np.minimum(50 + 5 * touches, 85))


class SupportResistanceStream:
    def __init__(self, strategy: SupportResistance, series: int) -> None:
        self._strategy = strategy
        self._seen: Integers = np.zeros(series, dtype=np.int64)
        self._close: Floats = np.full(series, np.nan)
        self._span: Floats = np.full(series, np.nan)
        self._atr = Atr(series, strategy.atr_period)
        # What lies before the candles that are looked at confirms no turn among them.
        self._turns = TurnsState(series, strategy.lookback - 2 * strategy.reach, strategy.reach)
        self._known = Turns(np.empty((series, 0)), np.empty((series, 0)))

    def update(self, open: Floats, high: Floats, low: Floats, close: Floats) -> Signals:
        fresh = ~np.isnan(close)
        self._seen += fresh
        span = np.where(self._seen >= self._strategy.warm_up, self._span, np.nan)
        found = zones(self._known, self._close, self._strategy.zone_width * span, self._strategy.touches)
        signals = self._strategy._judge(open, high, low, close, found, span)
        self._span = np.where(fresh, self._atr.update(high, low, close), self._span)
        self._known = self._turns.update(high, low)
        self._close = np.where(fresh, close, self._close)
        return signals
