import gzip
from pathlib import Path

import pytest

from services.paper_broker.bars import Bar
from services.paper_broker.candle_file import BadCandleFile, read
from tests.unit.paper_broker.candles_strategy import columns, equal

HEADER = "timestamp,open,high,low,close\n"
TWO = HEADER + "2012-02-01 00:00:00+00:00,1.57,1.58,1.56,1.575\n2012-02-01 00:01:00+00:00,1.575,1.6,1.575,1.59\n"


def a_file(directory: Path, text: str) -> Path:
    path = directory / "candles.csv"
    path.write_text(text)
    return path


def test_prices_become_points_of_the_most_precise_one(tmp_path: Path) -> None:
    file = read(a_file(tmp_path, TWO))
    assert file.precision == 3
    assert equal(file.bars, columns([Bar(1570, 1580, 1560, 1575), Bar(1575, 1600, 1575, 1590)]))


def test_more_decimals_can_be_asked_for(tmp_path: Path) -> None:
    file = read(a_file(tmp_path, TWO), precision=5)
    assert file.precision == 5
    assert file.bars.open.tolist() == [157000, 157500]


def test_gzip_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv.gz"
    path.write_bytes(gzip.compress(TWO.encode()))
    assert equal(read(path).bars, read(a_file(tmp_path, TWO)).bars)


def test_times_without_a_zone_are_utc_and_other_columns_do_not_matter(tmp_path: Path) -> None:
    text = (
        "timestamp,open,high,low,close,volume\n2021-12-31 23:01:00.000000,1,2,1,2,17.5\n2021-12-31 23:02:00,2,2,1,1,0\n"
    )
    assert read(a_file(tmp_path, text)).starts == (1640991660, 1640991720)


def test_the_period_is_the_most_frequent_distance(tmp_path: Path) -> None:
    rows = [f"2012-02-0{day} 00:0{minute}:00+00:00,1,1,1,1\n" for day in (3, 6) for minute in range(3)]
    assert read(a_file(tmp_path, HEADER + "".join(rows))).period == 60


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no column timestamp, open, high, low, close"),
        ("timestamp,open,high,close\n", "no column low"),
        (HEADER + "2012-02-01,1,1,1,1\n", "fewer than two candles"),
        (TWO + "2012-02-01 00:02:00+00:00,1,2,1,\n", "line 4: "),
        (TWO + "2012-02-01 00:02:00+00:00,1,2\n", "line 4: "),
        (TWO + "2012-02-01 00:02:00+00:00,1,1e400,1,2\n", "prices with 3 decimals have more than 15 digits"),
        (TWO + "2012-02-01 00:02:00+00:00,1,Infinity,1,2\n", "line 4: "),
        (TWO + "yesterday,1,2,1,2\n", "line 4: "),
        (TWO + "2012-02-01 00:02:00+00:00,1,NaN,1,2\n", "line 4: "),
        (TWO + "2012-02-01 00:02:00+00:00,3,2,1,2\n", "line 4: open, high, low and close contradict each other"),
        (TWO + "2012-02-01 00:02:00+00:00,1,2,0,2\n", "line 4: open, high, low and close contradict each other"),
        (TWO + "2012-02-01 00:01:00+00:00,1,2,1,2\n", "line 4: not later than the candle before it"),
    ],
)
def test_a_bad_file_is_refused_with_the_line(tmp_path: Path, text: str, problem: str) -> None:
    path = a_file(tmp_path, text)
    with pytest.raises(BadCandleFile) as error:
        read(path)
    assert str(path) in str(error.value)
    assert problem in str(error.value)


def test_a_file_that_is_not_there_or_is_no_gzip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCandleFile, match=r"missing\.csv"):
        read(tmp_path / "missing.csv")
    broken = tmp_path / "broken.csv.gz"
    broken.write_text(TWO)
    with pytest.raises(BadCandleFile, match=r"broken\.csv\.gz"):
        read(broken)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(TWO.encode())[:-12])
    with pytest.raises(BadCandleFile, match=r"cut\.csv\.gz"):
        read(cut)
