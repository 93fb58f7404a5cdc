"""CSV that every reader reads alike, and no spreadsheet runs."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.orders import TradeResult
from services.analytics.csv_text import csv_lines


def test_values_as_they_are_written() -> None:
    at = datetime(2026, 11, 27, 12, 0, 0, 1500, tzinfo=UTC)
    row = ["a", 'say "x", y', "two\nlines", None, TradeResult.WIN, at, date(2026, 1, 2), Decimal("1E+2"), -1.5, True]
    assert csv_lines([row]) == (
        'a,"say ""x"", y","two\nlines",,WIN,2026-11-27T12:00:00.001500Z,2026-01-02,100,-1.5,True\r\n'
    )
    assert csv_lines([]) == ""


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@SUM(A1)", "\t=1", "\r=1", "＝1", "+", "-1-1", "=", "--1"])
def test_a_formula_is_text(text: str) -> None:
    [[cell]] = csv.reader(io.StringIO(csv_lines([[text]]), newline=""))
    assert cell == f"'{text}"


@pytest.mark.parametrize("text", ["-10", "+5511999990000", "-0.5", "EUR/USD", "a=b", ""])
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert list(csv.reader(io.StringIO(csv_lines([[text, "x"]]), newline=""))) == [[text, "x"]]


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\x00")), min_size=2, max_size=4), max_size=5))
def test_what_is_read_is_what_was_written(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_lines(rows), newline="")))
    assert [[cell.removeprefix("'") for cell in row] for row in read] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]
    assert all(cell[:1] not in tuple("=@\t\r") for row in read for cell in row if cell)
