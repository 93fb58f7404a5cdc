"""Candles of Parquet files are those of the CSV file with the same rows."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from services.paper_broker.bars import Bar
from services.paper_broker.candle_file import BadCandleFile, read
from tests.unit.paper_broker.candles_strategy import columns, equal

TIMES = [datetime(2012, 2, 1, 0, minute, tzinfo=UTC) for minute in (0, 1)]
PRICES = {"open": [1.57, 1.575], "high": [1.58, 1.6], "low": [1.56, 1.575], "close": [1.575, 1.59]}
ROWS = columns([Bar(1570, 1580, 1560, 1575), Bar(1575, 1600, 1575, 1590)])


def a_file(directory: Path, **changes: object) -> Path:
    path = directory / "candles.parquet"
    parquet.write_table(pyarrow.table({"volume": [0, 0], "timestamp": TIMES, **PRICES} | changes), path)
    return path


@pytest.mark.parametrize(
    "timestamps",
    [
        pyarrow.array(TIMES, pyarrow.timestamp("ns", "UTC")),
        pyarrow.array([time.replace(tzinfo=None) for time in TIMES], pyarrow.timestamp("s")),
        pyarrow.array(TIMES, pyarrow.timestamp("ms", "America/Sao_Paulo")),
        [time.isoformat() for time in TIMES],
    ],
    ids=["nanoseconds", "without a zone", "of another zone", "text"],
)
def test_times_may_be_of_any_type(tmp_path: Path, timestamps: object) -> None:
    file = read(a_file(tmp_path, timestamp=timestamps))
    assert file.starts == tuple(int(time.timestamp()) for time in TIMES)
    assert file.period == 60


@pytest.mark.parametrize(
    "type_", [pyarrow.float64(), pyarrow.float32(), pyarrow.decimal128(10, 3), pyarrow.string()], ids=str
)
def test_prices_may_be_of_any_type(tmp_path: Path, type_: pyarrow.DataType) -> None:
    prices = {name: pyarrow.array(map(str, each)).cast(type_) for name, each in PRICES.items()}
    file = read(a_file(tmp_path, **prices))
    assert file.precision == 3
    assert equal(file.bars, ROWS)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"low": [1.56, None]}, "row 2: "),
        ({"high": [1.5, 1.6]}, "row 1: open, high, low and close contradict each other"),
        ({"timestamp": TIMES[:1] * 2}, "row 2: not later than the candle before it"),
        ({"timestamp": [7, 8]}, "row 1: "),
    ],
)
def test_a_bad_row_is_refused_with_its_number(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    with pytest.raises(BadCandleFile, match=problem):
        read(a_file(tmp_path, **changes))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "candles.parquet"
    parquet.write_table(pyarrow.table({"timestamp": TIMES, "open": [1, 1], "close": [1, 1]}), path)
    with pytest.raises(BadCandleFile, match="no column high, low"):
        read(path)


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "candles.parquet"
    with pytest.raises(BadCandleFile, match=r"candles\.parquet"):
        read(path)
    path.write_text("timestamp,open,high,low,close")
    with pytest.raises(BadCandleFile, match=r"candles\.parquet"):
        read(path)


def test_without_pyarrow_the_error_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_file(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadCandleFile, match="pyarrow, which is not installed"):
        read(path)
