"""The four advisors of `aggressive` (api-contract §10.7). Each judges every row of a panel at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from libs.strategies.panel import Floats, Panel

Booleans = NDArray[np.bool_]

SMA_PERIOD = 20
LEVEL_PERIOD = 10
_NEAR = 0.2
"""Of the range between support and resistance: what counts as close to one of them."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """One entry per row; meaningless where a row has fewer candles than the advisor looks at."""

    call: Booleans
    """True for CALL, False for PUT."""
    confidence: Floats


def pattern_counter(panel: Panel) -> Opinion:
    """Against the majority of the last three candles."""
    opens, closes = panel.open[:, -3:], panel.close[:, -3:]
    bullish = (closes > opens).sum(axis=1)
    bearish = (closes < opens).sum(axis=1)
    majority = np.maximum(bullish, bearish)
    confidence = np.where(majority == 3, 80.0, np.where(majority == 2, 70.0, 55.0))
    return Opinion(bearish >= 2, confidence)


def mean_reversion(panel: Panel) -> Opinion:
    """Back towards the simple moving average.

    The distance is averaged rather than the price, so that equal prices give exactly 0.
    """
    last = panel.close[:, -1]
    distance = (last[:, np.newaxis] - panel.close[:, -SMA_PERIOD:]).mean(axis=1)
    percent = distance / (last - distance) * 100
    confidence = np.where(percent == 0, 52.0, np.minimum(50 + 10 * np.abs(percent), 85))
    return Opinion(percent <= 0, confidence)


def gap_hunter(panel: Panel) -> Opinion:
    """A gap between the last open and the close before it is expected to fill."""
    opens, close, previous = panel.open[:, -1], panel.close[:, -1], panel.close[:, -2]
    percent = np.abs(opens - previous) / ((close + previous) / 2) * 100
    confidence = np.where(opens == previous, 50.0, np.minimum(60 + 20 * percent, 90))
    return Opinion(np.where(opens == previous, close > opens, opens < previous), confidence)


def level_analyst(panel: Panel) -> Opinion:
    """A price close to the resistance or the support of the last ten candles is expected to turn."""
    opens, close = panel.open[:, -1], panel.close[:, -1]
    resistance = panel.high[:, -LEVEL_PERIOD:].max(axis=1)
    support = panel.low[:, -LEVEL_PERIOD:].min(axis=1)
    reach = _NEAR * (resistance - support)
    below, above = resistance - close, close - support
    at_resistance, at_support = below < reach, above < reach
    nearness = _nearness(np.where(at_resistance, below, above), reach)
    return Opinion(
        np.where(at_resistance | at_support, at_support, close > opens),
        np.where(at_resistance | at_support, nearness, 55.0),
    )


def _nearness(distance: Floats, reach: Floats) -> Floats:
    """The nearer, the surer: 80 at the level, 60 at the end of its reach."""
    return 60 + 20 * (1 - distance / np.where(reach > 0, reach, 1.0))
