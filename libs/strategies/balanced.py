"""`balanced`: against an overstretched market, by RSI alone or by two votes of three (api-contract §10.7)."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from libs.strategies.indicators.bollinger import Bands, bollinger
from libs.strategies.indicators.macd import macd
from libs.strategies.indicators.rsi import Rsi, rsi
from libs.strategies.panel import Floats, Panel
from libs.strategies.strategy import CALL, NONE, PUT, Signals, Strategy

_CONFIDENCE = 50
_PER_VOTE = 25
_SQUEEZE = """Consensus: bands nearer to one another than this fraction of the price do not vote. The original's 0.01
silences them on every currency pair."""


class Balanced(Strategy, frozen=True, kw_only=True):
    """`variant: rsi`: CALL 50 when the RSI is low, PUT 50 when it is high; a market that never fell has RSI 100.

    `variant: consensus`: RSI, MACD (histogram growing away from 0, or across it) and Bollinger bands (price at a band
    or beyond) vote; at least two of three must agree. Confidence 25 a vote.
    """

    name: ClassVar[str] = "balanced"

    variant: Annotated[Literal["rsi", "consensus"], Meta(description="RSI alone, or two votes of three.")] = "rsi"
    rsi_period: Annotated[int, Meta(ge=2, le=50, description="Candles of the RSI.")] = 14
    rsi_low: Annotated[float, Meta(ge=0, le=50, description="An RSI below this says CALL.")] = 35.0
    rsi_high: Annotated[float, Meta(ge=50, le=100, description="An RSI above this says PUT.")] = 65.0
    fast: Annotated[int, Meta(ge=2, le=50, description="Consensus: candles of MACD's fast mean.")] = 12
    slow: Annotated[int, Meta(ge=3, le=100, description="Consensus: candles of MACD's slow mean.")] = 26
    signal: Annotated[int, Meta(ge=2, le=50, description="Consensus: candles of MACD's signal.")] = 9
    band_period: Annotated[int, Meta(ge=2, le=100, description="Consensus: candles of the Bollinger bands.")] = 20
    band_width: Annotated[
        float, Meta(ge=0.1, le=5, description="Consensus: standard deviations from middle to band.")
    ] = 2.0
    squeeze: Annotated[float, Meta(ge=0, le=1, description=_SQUEEZE)] = 0.0

    def __post_init__(self) -> None:
        if self.fast >= self.slow:
            raise ValueError("Expected less than `slow` in `fast`")

    @property
    def warm_up(self) -> int:
        if self.variant == "rsi":
            return self.rsi_period + 1
        return max(self.rsi_period + 1, self.slow + self.signal, self.band_period)

    def evaluate(self, panel: Panel) -> Signals:
        strength = rsi(panel.close, self.rsi_period, last=1)[:, -1]
        return self._by_rsi(strength) if self.variant == "rsi" else self._consensus(panel, strength)

    def stream(self, series: int) -> "BalancedStream":
        """Of `variant: rsi` alone."""
        return BalancedStream(self, series)

    def _by_rsi(self, strength: Floats) -> Signals:
        return Signals.where(strength < self.rsi_low, strength > self.rsi_high, _CONFIDENCE)

    def _consensus(self, panel: Panel, strength: Floats) -> Signals:
        close = panel.close[:, -1]
        histogram = macd(panel.close, self.fast, self.slow, self.signal, last=2).histogram
        bands = bollinger(panel.close[:, -self.band_period :], self.band_period, self.band_width)
        lower, middle, upper = (band[:, -1] for band in bands)
        votes = np.array(
            (self._by_rsi(strength).directions, _trend(histogram), self._at_band(close, lower, middle, upper))
        )
        calls, puts = (votes == CALL).sum(axis=0), (votes == PUT).sum(axis=0)
        ready = panel.counts >= self.warm_up
        return Signals.where(ready & (calls >= 2), ready & (puts >= 2), _PER_VOTE * np.maximum(calls, puts))

    def _at_band(self, close: Floats, lower: Floats, middle: Floats, upper: Floats) -> NDArray[np.int8]:
        wide = Bands(lower, middle, upper).bandwidth > self.squeeze
        return np.select([wide & (close <= lower), wide & (close >= upper)], [CALL, PUT], NONE)


def _trend(histogram: Floats) -> NDArray[np.int8]:
    """Of the last two columns."""
    before, now = histogram[:, 0], histogram[:, 1]
    return np.select([(now > 0) & (now > before), (now < 0) & (now < before)], [CALL, PUT], NONE)


class BalancedStream:
    def __init__(self, strategy: Balanced, series: int) -> None:
        if strategy.variant != "rsi":
            raise ValueError("Expected `rsi` in `variant`: the consensus has no streaming form")
        self._judge = strategy._by_rsi
        self._rsi = Rsi(series, strategy.rsi_period)

    def update(self, open: Floats, high: Floats, low: Floats, close: Floats) -> Signals:  # noqa: ARG002
        return self._judge(self._rsi.update(close))
