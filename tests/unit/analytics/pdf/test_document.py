"""Reports as files: what is on which page."""

import base64
import re
import zlib
from typing import Any

import msgspec
import pytest

from services.analytics.pdf.document import typeset
from services.analytics.pdf.report import Table
from tests.unit.analytics.pdf.reports import a_report, some_figures


def pages(file: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", file))


def words(file: bytes) -> list[str]:
    """What is written on each page."""
    streams = re.findall(rb"/ASCII85Decode.*?stream\r?\n(.*?)~>endstream", file, re.DOTALL)
    drawn = [zlib.decompress(base64.a85decode(stream)) for stream in streams]
    return [b"\n".join(re.findall(rb"\((.*?)\) Tj", page)).decode("latin-1") for page in drawn if b" Tj" in page]


def test_each_page_says_which_it_is_and_the_charts_are_there() -> None:
    first, charts, *tables = words(typeset(a_report(200)))
    many = 2 + len(tables)
    for number, page in enumerate((first, charts, *tables), 1):
        assert f"{number} of {many}" in page
    for title in ("Equity", "Drawdown", "Win rate by asset", "By weekday and hour"):
        assert title in charts.splitlines(), title


def test_a_report_is_a_file_with_a_title() -> None:
    file = typeset(a_report(10))
    assert file.startswith(b"%PDF-1.")
    assert file.rstrip().endswith(b"%%EOF")
    assert b"/Title (Trades)" in file
    assert pages(file) == 3


def test_a_long_table_has_its_head_on_every_page() -> None:
    short, long = typeset(a_report(10)), typeset(a_report(500))
    assert pages(long) > pages(short) + 5


@pytest.mark.parametrize(
    "changes",
    [
        {"figures": some_figures(days=1), "assets": ()},
        {"table": Table(title="Trades", columns=("a",), rows=())},
        {"table": Table(title="<b>&", about="<i>", columns=("x_y",), rows=(("<script>&amp;",),), left_out=True)},
        {"table": Table(title="Wide", columns=tuple("abcdefghijklmn"), rows=(("word " * 60,) * 14,))},
        {"table": Table(title="中文 ελ", columns=("名",), rows=(("Ж" * 300,),))},
    ],
)
def test_whatever_is_in_it_can_be_typeset(changes: dict[str, Any]) -> None:
    assert pages(typeset(a_report(**changes))) >= 3


def test_what_is_not_defined_is_a_dash() -> None:
    bare = msgspec.structs.replace(
        some_figures(), expectancy=None, return_on_stakes=None, profit_factor=None, sharpe_ratio=None,
        sortino_ratio=None, max_drawdown=None, by_weekday=(),
    )  # fmt: skip
    assert pages(typeset(a_report(figures=bare))) >= 3
