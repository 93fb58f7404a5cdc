"""Made-up markets as arrays of series × time, and every indicator by name in its two forms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from libs.strategies.indicators.bollinger import BollingerState, bollinger
from libs.strategies.indicators.directional import Atr, DirectionalState, atr, directional
from libs.strategies.indicators.macd import MacdState, macd
from libs.strategies.indicators.means import Ema, Sma, ema, sma
from libs.strategies.indicators.rsi import Rsi, StochasticRsiState, rsi, stochastic_rsi
from libs.strategies.panel import Floats


@dataclass(frozen=True)
class Market:
    high: Floats
    low: Floats
    close: Floats

    @property
    def series(self) -> int:
        return len(self.close)

    @property
    def length(self) -> int:
        return int(self.close.shape[1])

    def rows(self, chosen: Sequence[int]) -> "Market":
        return Market(self.high[chosen], self.low[chosen], self.close[chosen])

    def columns(self, chosen: slice) -> "Market":
        return Market(self.high[:, chosen], self.low[:, chosen], self.close[:, chosen])

    def begun_at(self, columns: Sequence[int]) -> "Market":
        """The same with NaN before a column of each series."""
        empty = np.arange(self.length) < np.array(columns)[:, np.newaxis]
        return Market(*(np.where(empty, np.nan, prices) for prices in (self.high, self.low, self.close)))


def random_market(seed: int, series: int, length: int, price: float = 1.08415, volatility: float = 1e-4) -> Market:
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, volatility * price, (series, length))
    close = price + steps.cumsum(axis=1)
    wick = np.abs(rng.normal(0, volatility * price, (2, series, length)))
    before = close - steps
    return Market(np.maximum(close, before) + wick[0], np.minimum(close, before) - wick[1], close)


def _grid_market(cells: list[list[tuple[int, int, int]]]) -> Market:
    numbers = np.array(cells, dtype=float) / 8
    close = 100 + numbers[:, :, 0]
    return Market(close + numbers[:, :, 1], close - numbers[:, :, 2], close)


@st.composite
def grid_markets(draw: st.DrawFn) -> Market:
    """On a coarse grid, so that flat stretches and equal prices are frequent; series begin at different times."""
    length, series = draw(st.integers(1, 70)), draw(st.integers(1, 3))
    cell = st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 2))
    line = st.lists(cell, min_size=length, max_size=length)
    market = _grid_market(draw(st.lists(line, min_size=series, max_size=series)))
    return market.begun_at(draw(st.lists(st.integers(0, length), min_size=series, max_size=series)))


@dataclass(frozen=True)
class Indicator:
    batch: Callable[[Market], tuple[Floats, ...]]
    stream: Callable[[int], Callable[[Floats, Floats, Floats], tuple[Floats, ...]]]
    """Given the number of series; then one candle of each: high, low, close."""
    last: Callable[[Market, int], tuple[Floats, ...]] | None = None


def _rsi(series: int) -> Callable[[Floats, Floats, Floats], tuple[Floats, ...]]:
    state = Rsi(series, 5)
    return lambda _high, _low, close: (state.update(close),)


def _sma(series: int) -> Callable[[Floats, Floats, Floats], tuple[Floats, ...]]:
    state = Sma(series, 6)
    return lambda _high, _low, close: (state.update(close),)


def _ema(series: int) -> Callable[[Floats, Floats, Floats], tuple[Floats, ...]]:
    state = Ema(series, 6)
    return lambda _high, _low, close: (state.update(close),)


def _atr(series: int) -> Callable[[Floats, Floats, Floats], tuple[Floats, ...]]:
    state = Atr(series, 5)
    return lambda high, low, close: (state.update(high, low, close),)


def _macd(series: int) -> Callable[[Floats, Floats, Floats], tuple[Floats, ...]]:
    state = MacdState(series, 3, 7, 4)
    return lambda _high, _low, close: state.update(close)


def _bollinger(series: int) -> Callable[[Floats, Floats, Floats], tuple[Floats, ...]]:
    state = BollingerState(series, 8, 2.5)
    return lambda _high, _low, close: state.update(close)


def _stochastic(series: int) -> Callable[[Floats, Floats, Floats], tuple[Floats, ...]]:
    state = StochasticRsiState(series, 5, 6, 3, 4)
    return lambda _high, _low, close: state.update(close)


def _directional(series: int) -> Callable[[Floats, Floats, Floats], tuple[Floats, ...]]:
    state = DirectionalState(series, 5)
    return lambda high, low, close: state.update(high, low, close)


INDICATORS = {
    "sma": Indicator(lambda m: (sma(m.close, 6),), _sma),
    "ema": Indicator(lambda m: (ema(m.close, 6),), _ema, lambda m, last: (ema(m.close, 6, last),)),
    "rsi": Indicator(lambda m: (rsi(m.close, 5),), _rsi, lambda m, last: (rsi(m.close, 5, last),)),
    "atr": Indicator(
        lambda m: (atr(m.high, m.low, m.close, 5),), _atr, lambda m, last: (atr(m.high, m.low, m.close, 5, last),)
    ),
    "macd": Indicator(lambda m: macd(m.close, 3, 7, 4), _macd, lambda m, last: macd(m.close, 3, 7, 4, last)),
    "bollinger": Indicator(lambda m: bollinger(m.close, 8, 2.5), _bollinger),
    "stochastic_rsi": Indicator(lambda m: stochastic_rsi(m.close, 5, 6, 3, 4), _stochastic),
    "directional": Indicator(lambda m: directional(m.high, m.low, m.close, 5), _directional),
}
