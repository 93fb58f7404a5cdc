"""What strategies cost: a scan of the whole market, the original's three, and the streaming form after a candle.

Made-up random walks, one core, medians. Live a scan is five evaluations, one per candle size as it closes; so here.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from libs.strategies.aggressive import Aggressive
from libs.strategies.balanced import Balanced
from libs.strategies.conservative import Conservative
from libs.strategies.panel import Floats, Panel
from libs.strategies.strategy import DEPTH, Stream
from libs.strategies.support_resistance import SupportResistance
from tests.bench.result import Result

NAMES = (
    "strategies.full_scan_ms",
    "strategies.originals_750_ms",
    "strategies.stream_update_us",
    "strategies.stream_single_us",
)

_ACTIVES = 150
_SIZES = (10, 30, 60, 300, 900)
_ORIGINALS = (Aggressive(), Balanced(), Conservative())
_FOUR = (*_ORIGINALS, SupportResistance())
_ROUNDS = 50


async def run() -> list[Result]:
    panels = [_panel(_ACTIVES, size) for size in _SIZES]
    whole = _panel(_ACTIVES * len(_SIZES), 60)
    scan = _median(lambda: [strategy.evaluate(panel) for panel in panels for strategy in _FOUR])
    originals = _median(lambda: [strategy.evaluate(whole) for strategy in _ORIGINALS])
    return [
        Result("strategies.full_scan_ms", scan * 1e3, "ms"),
        Result("strategies.originals_750_ms", originals * 1e3, "ms"),
        # Candles of one size close together: what one of them costs when all 150 do, and when it is the only one.
        Result("strategies.stream_update_us", _streamed(_ACTIVES) / _ACTIVES * 1e6, "µs"),
        Result("strategies.stream_single_us", _streamed(1) * 1e6, "µs"),
    ]


def _median(act: Callable[[], object]) -> float:
    act()
    return statistics.median(_seconds(act) for _ in range(_ROUNDS))


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _streamed(series: int) -> float:
    """Seconds in which four strategies take one more candle of every series and give their signals."""
    streams = [strategy.stream(series) for strategy in _FOUR]
    before, *candles = np.split(_walks(series, DEPTH + _ROUNDS), range(DEPTH, DEPTH + _ROUNDS), axis=2)
    for column in range(DEPTH):
        for stream in streams:
            stream.update(*before[:, :, column])
    return statistics.median(_seconds(partial(_update, streams, candle[:, :, 0].copy())) for candle in candles)


def _update(streams: Iterable[Stream], candle: Floats) -> None:
    for stream in streams:
        stream.update(*candle)


def _panel(actives: int, size: int) -> Panel:
    ends = np.tile(np.arange(1, DEPTH + 1) * size, (actives, 1))
    return Panel.of(size, range(actives), _walks(actives, DEPTH), ends, np.full(actives, DEPTH))


def _walks(series: int, length: int) -> Floats:
    """Open, high, low and close × series × time."""
    rng = np.random.default_rng(series)
    close = 1.08 + rng.normal(0, 1e-4, (series, length)).cumsum(axis=1)
    opens = np.roll(close, 1, axis=1)
    opens[:, 0] = 1.08
    wicks = np.abs(rng.normal(0, 5e-5, (2, series, length)))
    return np.array((opens, np.maximum(opens, close) + wicks[0], np.minimum(opens, close) - wicks[1], close))
