"""Reading candle files, CSV (plain or gzip) or Parquet, with the columns timestamp, open, high, low and close."""

import csv
import gzip
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from statistics import mode
from typing import NamedTuple, TextIO

import numpy as np

from services.paper_broker import parquet_file
from services.paper_broker.bars import Bars

COLUMNS = ("timestamp", "open", "high", "low", "close")
_HIGH = 1
_MOST_POINTS = 10**15
"""So that a price is exact as a float, too."""


class BadCandleFile(Exception):
    """It cannot be replayed; the text names the file, the place in it and what is wrong."""


class CandleFile(NamedTuple):
    bars: Bars
    precision: int
    """Decimals of its prices; a point of `bars` is 10 ** -precision."""
    period: int
    """Seconds of one candle: the most frequent distance between two."""
    starts: tuple[int, ...]
    """Epoch seconds of each candle, ascending; distances vary where the market was closed or silent."""


class _Row(NamedTuple):
    start: int
    prices: tuple[Decimal, Decimal, Decimal, Decimal]
    where: str
    """Path and line, for errors."""


def read(path: Path, precision: int = 0) -> CandleFile:
    """The file's candles, with at least `precision` decimals. Raises BadCandleFile."""
    rows = list(_rows(path))
    if len(rows) < 2:
        raise BadCandleFile(f"{path}: fewer than two candles")
    distances = [after.start - before.start for before, after in pairwise(rows)]
    if min(distances) <= 0:
        where = rows[distances.index(min(distances)) + 1].where
        raise BadCandleFile(f"{where}: not later than the candle before it")
    precision = max(precision, *(-int(price.as_tuple().exponent) for row in rows for price in row.prices))
    scale = 10**precision
    if max(row.prices[_HIGH] for row in rows) * scale > _MOST_POINTS:
        raise BadCandleFile(f"{path}: prices with {precision} decimals have more than 15 digits")
    points = np.array([[int(price * scale) for price in row.prices] for row in rows], dtype=np.int64)
    return CandleFile(Bars(*points.T), precision, mode(distances), tuple(row.start for row in rows))


def _rows(path: Path) -> Iterator[_Row]:
    if path.suffix == ".parquet":
        return _rows_of_parquet(path)
    return _rows_of_csv(path)


def _rows_of_parquet(path: Path) -> Iterator[_Row]:
    try:
        rows = parquet_file.rows(path, COLUMNS)
    except parquet_file.Unreadable as error:
        raise BadCandleFile(f"{path}: {error}") from error
    for number, row in enumerate(rows, 1):
        _complete(path, row)
        yield _row(row, f"{path}: row {number}")


def _rows_of_csv(path: Path) -> Iterator[_Row]:
    try:
        with _opened(path) as file:
            reader = csv.DictReader(file)
            _complete(path, reader.fieldnames or ())
            for row in reader:
                yield _row(row, f"{path}: line {reader.line_num}")
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise BadCandleFile(f"{path}: {error}") from error


def _complete(path: Path, columns: Collection[str]) -> None:
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise BadCandleFile(f"{path}: no column {', '.join(missing)}")


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _row(row: dict[str, str], where: str) -> _Row:
    try:
        time = datetime.fromisoformat(row["timestamp"])
        opens, high, low, close = (Decimal(row[column]) for column in COLUMNS[1:])
        consistent = 0 < low <= min(opens, close) <= max(opens, close) <= high < Decimal("Infinity")
    except (ValueError, TypeError, InvalidOperation) as error:
        raise BadCandleFile(f"{where}: {error!r}") from error
    if not consistent:
        raise BadCandleFile(f"{where}: open, high, low and close contradict each other")
    return _Row(int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()), (opens, high, low, close), where)
