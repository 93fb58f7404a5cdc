"""Indicators of a market at one moment, as strategies compute them."""

import math
from collections.abc import Sequence

import numpy as np

from libs.contracts.market import Candle
from libs.contracts.trade_context import Indicators
from libs.strategies.indicators.bollinger import bollinger
from libs.strategies.indicators.macd import macd
from libs.strategies.indicators.means import ema
from libs.strategies.indicators.rsi import rsi
from libs.strategies.panel import Floats


def indicators_at(closed: Sequence[Candle]) -> Indicators | None:
    """At the close of the last of them. Ascending; None of none."""
    if not closed:
        return None
    closes = np.array([[candle.close for candle in closed]])
    trend, bands = macd(closes), bollinger(closes)
    return Indicators(
        candle_end=closed[-1].end,
        close=closed[-1].close,
        rsi14=_last(rsi(closes)),
        macd=_last(trend.line),
        macd_signal=_last(trend.signal),
        macd_histogram=_last(trend.histogram),
        bollinger_lower=_last(bands.lower),
        bollinger_middle=_last(bands.middle),
        bollinger_upper=_last(bands.upper),
        ema9=_last(ema(closes, 9)),
        ema21=_last(ema(closes, 21)),
        ema50=_last(ema(closes, 50)),
    )


def _last(values: Floats) -> float | None:
    value = float(values[0, -1]) if values.size else math.nan
    return value if math.isfinite(value) else None
