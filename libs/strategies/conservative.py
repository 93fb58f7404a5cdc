"""`conservative`: stretched prices whose momentum has turned (api-contract §10.7, as it is meant)."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from libs.strategies.indicators.bollinger import Bands, BollingerState, bollinger
from libs.strategies.indicators.macd import MacdState, macd
from libs.strategies.indicators.rsi import Rsi, rsi
from libs.strategies.panel import Floats, Panel
from libs.strategies.strategy import Signals, Strategy

_CONFIDENCE = 60


class Conservative(Strategy, frozen=True, kw_only=True):
    """CALL when the RSI is low or the price near its lower Bollinger band, and MACD's histogram is positive; PUT
    mirrored. Confidence 60.

    With `toleranceOf: price`, as the original means it, half a percent is more than most currency pairs move in a
    hundred candles: near is then everywhere, and the histogram decides alone. `toleranceOf: bands` measures in bands.
    """

    name: ClassVar[str] = "conservative"

    rsi_period: Annotated[int, Meta(ge=2, le=50, description="Candles of the RSI.")] = 14
    rsi_low: Annotated[
        float, Meta(ge=0, le=50, description="CALL needs an RSI below this, or a price near the lower band.")
    ] = 40.0
    rsi_high: Annotated[
        float, Meta(ge=50, le=100, description="PUT needs an RSI above this, or a price near the upper band.")
    ] = 60.0
    band_period: Annotated[int, Meta(ge=2, le=100, description="Candles of the Bollinger bands.")] = 20
    band_width: Annotated[float, Meta(ge=0.1, le=5, description="Standard deviations from the middle to a band.")] = 2.0
    tolerance: Annotated[float, Meta(ge=0, le=0.5, description="How far inside a band is near it, as a fraction.")] = (
        0.005
    )
    tolerance_of: Annotated[
        Literal["price", "bands"],
        Meta(description="What `tolerance` is a fraction of: the band's price, or the distance of the bands."),
    ] = "price"
    fast: Annotated[int, Meta(ge=2, le=50, description="Candles of MACD's fast mean.")] = 12
    slow: Annotated[int, Meta(ge=3, le=100, description="Candles of MACD's slow mean.")] = 26
    signal: Annotated[int, Meta(ge=2, le=50, description="Candles of MACD's signal.")] = 9

    def __post_init__(self) -> None:
        if self.fast >= self.slow:
            raise ValueError("Expected less than `slow` in `fast`")

    @property
    def warm_up(self) -> int:
        return max(self.rsi_period + 1, self.band_period, self.slow + self.signal - 1)

    def evaluate(self, panel: Panel) -> Signals:
        bands = bollinger(panel.close[:, -self.band_period :], self.band_period, self.band_width)
        return self._judge(
            panel.close[:, -1],
            rsi(panel.close, self.rsi_period, last=1)[:, -1],
            Bands(*(band[:, -1] for band in bands)),
            macd(panel.close, self.fast, self.slow, self.signal, last=1).histogram[:, -1],
        )

    def stream(self, series: int) -> "ConservativeStream":
        return ConservativeStream(self, series)

    def _judge(self, close: Floats, strength: Floats, bands: Bands, histogram: Floats) -> Signals:
        if self.tolerance_of == "price":
            low, high = bands.lower * (1 + self.tolerance), bands.upper * (1 - self.tolerance)
        else:
            inside = (bands.upper - bands.lower) * self.tolerance
            low, high = bands.lower + inside, bands.upper - inside
        return Signals.where(
            ((strength < self.rsi_low) | (close < low)) & (histogram > 0),
            ((strength > self.rsi_high) | (close > high)) & (histogram < 0),
            _CONFIDENCE,
        )


class ConservativeStream:
    def __init__(self, strategy: Conservative, series: int) -> None:
        self._judge = strategy._judge
        self._rsi = Rsi(series, strategy.rsi_period)
        self._bands = BollingerState(series, strategy.band_period, strategy.band_width)
        self._macd = MacdState(series, strategy.fast, strategy.slow, strategy.signal)

    def update(self, open: Floats, high: Floats, low: Floats, close: Floats) -> Signals:  # noqa: ARG002
        return self._judge(
            close, self._rsi.update(close), self._bands.update(close), self._macd.update(close).histogram
        )
