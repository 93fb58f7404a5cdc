"""`ema-cross`: two exponential means cross in the direction of the trend."""

from typing import Annotated, ClassVar

from msgspec import Meta

from libs.strategies.indicators.directional import directional
from libs.strategies.indicators.means import ema
from libs.strategies.panel import Panel
from libs.strategies.strategy import Signals, Strategy

_CONFIDENCE = 60


class EmaCross(Strategy, frozen=True, kw_only=True):
    """CALL when the fast mean has crossed above the slow one with the last candle and the price is above the trend's
    mean; PUT mirrored. `minAdx` asks for a trend of some strength besides. Confidence 60."""

    name: ClassVar[str] = "ema-cross"

    fast: Annotated[int, Meta(ge=2, le=50, description="Candles of the fast mean.")] = 9
    slow: Annotated[int, Meta(ge=3, le=100, description="Candles of the slow mean.")] = 21
    trend: Annotated[int, Meta(ge=5, le=150, description="Candles of the mean that tells the trend.")] = 50
    min_adx: Annotated[
        float, Meta(ge=0, le=60, description="Least strength of the trend, by ADX; 0 asks for none.")
    ] = 0.0
    adx_period: Annotated[int, Meta(ge=2, le=25, description="Candles of the ADX.")] = 14

    def __post_init__(self) -> None:
        if self.fast >= self.slow:
            raise ValueError("Expected less than `slow` in `fast`")

    @property
    def warm_up(self) -> int:
        return max(self.slow + 1, self.trend, 2 * self.adx_period if self.min_adx else 0)

    def evaluate(self, panel: Panel) -> Signals:
        close = panel.close[:, -1]
        distance = ema(panel.close, self.fast, last=2) - ema(panel.close, self.slow, last=2)
        before, now = distance[:, 0], distance[:, 1]
        trend = ema(panel.close, self.trend, last=1)[:, -1]
        up, down = (before <= 0) & (now > 0) & (close > trend), (before >= 0) & (now < 0) & (close < trend)
        if self.min_adx:
            strong = directional(panel.high, panel.low, panel.close, self.adx_period).adx[:, -1] >= self.min_adx
            up, down = up & strong, down & strong
        ready = panel.counts >= self.warm_up
        return Signals.where(ready & up, ready & down, _CONFIDENCE)
