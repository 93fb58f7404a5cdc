"""Whether a strategy does what a strategy must: tried on made-up panels before it is used."""

import re
import traceback
from time import process_time

import msgspec
import numpy as np

from libs.strategies.panel import Panel
from libs.strategies.strategy import CALL, DEPTH, NONE, PUT, Signals, Strategy

CPU_LIMIT = 0.05
"""Seconds of CPU that an evaluation of a whole market (200 actives) may take."""

_ROWS = 200
_SIZE = 60
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME = 40


class Unfit(Exception):
    """Why a strategy cannot be used, for its author."""


def examine(kind: type[Strategy]) -> Strategy:
    """One with default parameters. Raises Unfit; whatever the strategy itself raises is told with its line."""
    name = getattr(kind, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise Unfit(f"`name` must be lower case letters, digits and single hyphens, at most {_LONGEST_NAME}: {name!r}")
    try:
        strategy = kind()
        msgspec.json.schema(kind)
        hash(strategy)
        warm_up = strategy.warm_up
    except (Exception, SystemExit) as error:
        raise Unfit(f"it cannot be made with default parameters: {told(error)}") from error
    if not 1 <= warm_up <= DEPTH:
        raise Unfit(f"`warm_up` must be 1 to {DEPTH} candles, not {warm_up!r}")
    for text, panel in probes().items():
        try:
            _try(strategy, panel)
        except Unfit as unfit:
            raise Unfit(f"on {text}: {unfit}") from unfit
    return strategy


def judged(strategy: Strategy, panel: Panel) -> tuple[Signals, float]:
    """What it says, and the seconds of CPU it took. Raises Unfit."""
    begun = process_time()
    try:
        with np.errstate(all="ignore"):
            signals = strategy.evaluate(panel)
    except (Exception, SystemExit) as error:
        raise Unfit(f"evaluate raised {told(error)}") from error
    taken = process_time() - begun
    _check(signals, len(panel.actives))
    return signals, taken


def told(error: BaseException) -> str:
    """With the line in its author's file."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "libs/strategies/" not in frame.filename and not frame.filename.startswith("<")
    ]
    where = f" (line {frames[-1].lineno} of {frames[-1].filename})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def probes() -> dict[str, Panel]:
    """Panels by what they are."""
    rng = np.random.default_rng(1)
    return {
        "an empty panel": _walks(rng, 0, DEPTH, []),
        "a single candle of each active": _walks(rng, 3, DEPTH, [DEPTH - 1] * 3),
        "actives without any or with few candles": _walks(rng, 6, DEPTH, [DEPTH, 199, 180, 150, 100, 0]),
        "a market that does not move": _flat(2),
        "a whole market": _walks(rng, _ROWS, DEPTH, [0] * _ROWS),
    }


def _try(strategy: Strategy, panel: Panel) -> None:
    before = panel.prices.copy()
    signals, taken = judged(strategy, panel)
    if not np.array_equal(panel.prices, before, equal_nan=True):
        raise Unfit("evaluate changed the panel")
    if (signals.directions[panel.counts < strategy.warm_up] != NONE).any():
        raise Unfit(f"there is a signal on fewer candles than `warm_up`, {strategy.warm_up}")
    again, taken_again = judged(strategy, panel)
    if not np.array_equal(again.directions, signals.directions):
        raise Unfit("the same candles gave two different answers")
    if (taken := min(taken, taken_again)) > CPU_LIMIT:
        raise Unfit(
            f"evaluate took {taken * 1000:.0f} ms of CPU for {_ROWS} actives; {CPU_LIMIT * 1000:.0f} are allowed"
        )
    _check_neighbours(strategy, panel, signals)


def _check_neighbours(strategy: Strategy, panel: Panel, signals: Signals) -> None:
    """Each active must be judged by its own candles."""
    rows = np.arange(len(panel.actives))[::-2]
    some = Panel.of(
        panel.size,
        [panel.actives[row] for row in rows],
        panel.prices[:, rows],
        panel.ends[rows],
        panel.counts[rows],
    )
    said, _ = judged(strategy, some)
    if not np.array_equal(said.directions, signals.directions[rows]):
        raise Unfit("an active's signal depends on the other actives of the panel, or on their order")


def _check(signals: object, rows: int) -> None:
    if not isinstance(signals, Signals):
        raise Unfit(f"evaluate must return Signals, not {type(signals).__name__}")
    for name, dtype in (("directions", np.int8), ("confidences", np.int16)):
        found = getattr(signals, name)
        if not isinstance(found, np.ndarray) or found.dtype != dtype or found.shape != (rows,):
            shown = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
            raise Unfit(f"`{name}` must be an array of {dtype.__name__} with one entry per row, ({rows},), not {shown}")
    spoken = signals.directions != NONE
    if not np.isin(signals.directions, (CALL, PUT, NONE)).all():
        raise Unfit(f"`directions` must be CALL ({CALL}), PUT ({PUT}) or NONE ({NONE})")
    if ((signals.confidences < 0) | (signals.confidences > 100)).any() or signals.confidences[~spoken].any():
        raise Unfit("`confidences` must be 0 to 100, and 0 where there is no direction")


def _walks(rng: np.random.Generator, rows: int, depth: int, starts: list[int]) -> Panel:
    """Random markets whose first candle is in the column of `starts`."""
    close = 1.08415 + rng.normal(0, 1e-4, (rows, depth)).cumsum(axis=1)
    opens = np.roll(close, 1, axis=1)
    wicks = np.abs(rng.normal(0, 5e-5, (2, rows, depth)))
    prices = np.array((opens, np.maximum(opens, close) + wicks[0], np.minimum(opens, close) - wicks[1], close))
    return _panel(prices, np.array(starts, dtype=np.int64))


def _flat(rows: int) -> Panel:
    return _panel(np.full((4, rows, DEPTH), 1.08415), np.zeros(rows, dtype=np.int64))


def _panel(
    prices: np.ndarray[tuple[int, ...], np.dtype[np.float64]], starts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> Panel:
    rows, depth = prices.shape[1:]
    filled = np.arange(depth) >= starts[:, np.newaxis]
    ends = np.where(filled, _SIZE * np.arange(1, depth + 1), 0)
    return Panel.of(_SIZE, range(1, rows + 1), np.where(filled, prices, np.nan), ends, depth - starts)
