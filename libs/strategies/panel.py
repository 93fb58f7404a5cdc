"""The last candles of many actives, as arrays that a strategy evaluates in one pass."""

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Self

import numpy as np
from numpy.typing import NDArray

from libs.contracts.market import Candle

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_OPEN, _HIGH, _LOW, _CLOSE = range(4)
_FIRST_CAPACITY = 8


class Appended(Enum):
    """What became of a candle that was offered to a panel."""

    ADDED = auto()
    REPEATED = auto()
    """Already there; nothing changed."""
    GAP = auto()
    """It does not follow the last one: candles are missing in between, so it was not taken. Load the row again."""


class Panel:
    """Closed candles of one size: a row per active, oldest first, the newest in the last column.

    Rows are aligned by count, not by time: the broker numbers candles that exist, and while a market is closed there
    are none. Columns that a row has not filled yet are NaN (0 in `ends`). Adding a candle moves one row by one column,
    a constant cost whatever the number of actives, and so every evaluation reads plain views without copying.
    """

    def __init__(self, size: int, depth: int) -> None:
        self.size = size
        """Of the candles, in seconds."""
        self.depth = depth
        """Candles kept per active."""
        self._rows: dict[int, int] = {}
        self._prices: Floats = np.full((4, _FIRST_CAPACITY, depth), np.nan)
        self._ends: Integers = np.zeros((_FIRST_CAPACITY, depth), dtype=np.int64)
        self._counts: Integers = np.zeros(_FIRST_CAPACITY, dtype=np.int64)
        self._last_ids: Integers = np.zeros(_FIRST_CAPACITY, dtype=np.int64)

    @classmethod
    def of(cls, size: int, actives: Sequence[int], prices: Floats, ends: Integers, counts: Integers) -> Self:
        """Made of whole arrays: `prices` are open, high, low and close × actives × depth."""
        panel = cls(size, prices.shape[2])
        panel._rows = {active_id: row for row, active_id in enumerate(actives)}
        panel._prices, panel._ends, panel._counts = prices, ends, counts
        panel._last_ids = np.zeros(len(counts), dtype=np.int64)
        return panel

    @property
    def prices(self) -> Floats:
        """Open, high, low and close × actives × depth; a view."""
        return self._prices[:, : len(self._rows)]

    @property
    def actives(self) -> Sequence[int]:
        """Active ids in the order of the rows."""
        return tuple(self._rows)

    @property
    def open(self) -> Floats:
        """Prices, actives × depth; a view, as are the others."""
        return self._prices[_OPEN, : len(self._rows)]

    @property
    def high(self) -> Floats:
        return self._prices[_HIGH, : len(self._rows)]

    @property
    def low(self) -> Floats:
        return self._prices[_LOW, : len(self._rows)]

    @property
    def close(self) -> Floats:
        return self._prices[_CLOSE, : len(self._rows)]

    @property
    def ends(self) -> Integers:
        """When each candle ended, epoch seconds; actives × depth."""
        return self._ends[: len(self._rows)]

    @property
    def counts(self) -> Integers:
        """Candles each row holds, at most `depth`."""
        return self._counts[: len(self._rows)]

    def row(self, active_id: int) -> int | None:
        return self._rows.get(active_id)

    def append(self, candle: Candle) -> Appended:
        """Add the next closed candle of an active. A row without candles takes any, one with candles only the next."""
        row = self._row_of(candle.active_id)
        if self._counts[row]:
            step = candle.id - self._last_ids[row]
            if step != 1:
                return Appended.REPEATED if step <= 0 else Appended.GAP
        self._prices[:, row, :-1] = self._prices[:, row, 1:]
        self._ends[row, :-1] = self._ends[row, 1:]
        self._put(row, -1, candle)
        self._counts[row] = min(self._counts[row] + 1, self.depth)
        self._last_ids[row] = candle.id
        return Appended.ADDED

    def load(self, active_id: int, history: Iterable[Candle]) -> None:
        """Replace an active's row by closed candles in ascending order; of a history with holes, what follows the
        last one."""
        row = self._row_of(active_id)
        self.clear(active_id)
        candles = _unbroken(history)[-self.depth :]
        for column, candle in enumerate(candles, start=self.depth - len(candles)):
            self._put(row, column, candle)
        self._counts[row] = len(candles)
        self._last_ids[row] = candles[-1].id if candles else 0

    def clear(self, active_id: int) -> None:
        """Forget an active's candles; the row stays for when they come again."""
        row = self._rows.get(active_id)
        if row is not None:
            self._prices[:, row] = np.nan
            self._ends[row] = 0
            self._counts[row] = 0

    def _put(self, row: int, column: int, candle: Candle) -> None:
        self._prices[:, row, column] = candle.open, candle.high, candle.low, candle.close
        self._ends[row, column] = candle.end

    def _row_of(self, active_id: int) -> int:
        row = self._rows.setdefault(active_id, len(self._rows))
        if row == len(self._counts):
            self._grow()
        return row

    def _grow(self) -> None:
        more = max(len(self._counts) // 4, _FIRST_CAPACITY)
        self._prices = np.pad(self._prices, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)
        self._ends = np.pad(self._ends, ((0, more), (0, 0)))
        self._counts = np.pad(self._counts, (0, more))
        self._last_ids = np.pad(self._last_ids, (0, more))


def _unbroken(history: Iterable[Candle]) -> list[Candle]:
    """The consecutive candles at the end of a history."""
    run: list[Candle] = []
    for candle in history:
        if run and candle.id != run[-1].id + 1:
            run.clear()
        run.append(candle)
    return run
