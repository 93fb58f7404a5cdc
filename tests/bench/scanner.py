"""The market scanner: a round of all candle sizes at a full hour, the widest there is, and what becomes of its signals.

150 actives, every built-in strategy with default parameters. A round carries all rows on by the newest base candle and
evaluates them; publishing is not in it. Rows are written and counted in the local stack's database (PGlite).
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

from libs.contracts.market import Candle, Feed, offered_size
from libs.contracts.orders import Direction
from libs.contracts.scanner import ScannedCandle, StrategySignal
from libs.store import Database
from libs.store.scanner import BATCH, Signals, Window
from libs.strategies.registry import STRATEGIES
from services.bot_runtime.scanner.evaluation import Hearing
from services.bot_runtime.scanner.panels import Panels, history_count
from services.bot_runtime.scanner.sizes import BASE, SIZES
from tests.bench.analytics_catch_up import _supabase
from tests.bench.result import Result

NAMES = ("scanner.hourly_round_ms", "scanner.base_round_ms", "scanner.rows_per_s", "scanner.count_ms")

_ACTIVES = range(1, 151)
_HOUR = 1_790_002_800
_ROUNDS = 7
_ENDS = 60
"""Candles of each active whose signals are written and decided: with ten strategies, 90,000 rows."""
_STRATEGIES = [f"strategy-{number}" for number in range(10)]


async def run() -> list[Result]:
    hourly, base = zip(*(_round(Random(number)) for number in range(_ROUNDS)), strict=True)
    rows, count = await _rows()
    return [
        Result("scanner.hourly_round_ms", median(hourly) * 1000, "ms"),
        Result("scanner.base_round_ms", median(base) * 1000, "ms"),
        Result("scanner.rows_per_s", rows, "1/s"),
        Result("scanner.count_ms", count * 1000, "ms"),
    ]


def _round(random: Random) -> tuple[float, float]:
    """Seconds of the round of the hour, and of the round after it, in which only the base size closes."""
    panels = Panels()
    for active_id in _ACTIVES:
        for size in {offered_size(size) for size in SIZES}:
            feed = Feed(active_id, size)
            end = _HOUR - BASE if size == BASE else (_HOUR - 1) // size * size
            panels.load(feed, _candles(feed, end, history_count(feed) - 1, random))
    return _timed(panels, _HOUR, random), _timed(panels, _HOUR + BASE, random)


def _timed(panels: Panels, end: int, random: Random) -> float:
    for active_id in _ACTIVES:
        [candle] = _candles(Feed(active_id, BASE), end, 1, random)
        panels.append(candle)
    started = time.perf_counter()
    for size in SIZES:
        fresh = {active_id for active_id in _ACTIVES if panels.advance(Feed(active_id, size))}
        if fresh:
            hearing = Hearing(panels.of[size], fresh)
            hearing.ask(STRATEGIES.values())
            hearing.heard()
    return time.perf_counter() - started


def _candles(feed: Feed, newest: int, count: int, random: Random) -> list[Candle]:
    """Of a random walk; the last one ends at `newest`."""
    made, price = [], 1.0
    for end in range(newest - (count - 1) * feed.size, newest + 1, feed.size):
        first, price = price, price + random.gauss(0, 1e-4)
        made.append(
            Candle(
                active_id=feed.active_id,
                size=feed.size,
                id=end // feed.size,
                start=end - feed.size,
                end=end,
                open=first,
                close=price,
                high=max(first, price) + 1e-5,
                low=min(first, price) - 1e-5,
                at=datetime.fromtimestamp(end, UTC),
            )
        )
    return made


async def _rows() -> tuple[float, float]:
    """Rows inserted and decided per second, and the seconds to bring the statistics in line when a tenth is new."""
    with TemporaryDirectory() as directory:
        async with (
            _supabase(Path(directory) / "supabase") as server,
            await Database.connect(server.url, server.secret_key) as database,
        ):
            signals = Signals(database)
            candles = list(_scanned())
            started = time.monotonic()
            for first in range(0, len(candles), BATCH):
                await signals.record(candles[first : first + BATCH])
            rate = len(candles) * len(_STRATEGIES) / (time.monotonic() - started)
            now = datetime.fromtimestamp(_HOUR, UTC)
            await signals.count(now, Window(1800, 60))
            started = time.monotonic()
            await signals.count(now + timedelta(seconds=360), Window(1800, 60))
            return rate, time.monotonic() - started


def _scanned() -> Iterable[ScannedCandle]:
    directions = cycle((Direction.CALL, Direction.PUT, Direction.CALL))
    for number in range(_ENDS):
        for active_id in _ACTIVES:
            yield ScannedCandle(
                id="scanned", at=datetime.fromtimestamp(_HOUR, UTC), active_id=active_id, name=f"Asset {active_id}",
                size=60, end=_HOUR - (_ENDS - number) * 60, close=1 + (number * 7 + active_id) % 5 / 100,
                signals=tuple(
                    StrategySignal(strategy=name, direction=next(directions), confidence=60) for name in _STRATEGIES
                ),
            )  # fmt: skip
