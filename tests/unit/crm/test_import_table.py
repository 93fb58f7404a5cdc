"""Files of CSV as contacts, or as what is wrong with them, line by line."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.crm.contacts import CustomField
from services.crm.imports.lines import csv_lines
from services.crm.imports.table import BadFile, Reading, Table, header_of

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def a_field(key: str, type_: str) -> CustomField:
    return CustomField(key=key, label=key, type=type_, options=(), required=False, pii=False, created_at=NOW)


CUSTOM = [a_field("age", "number"), a_field("vip", "boolean"), a_field("city", "text")]


def table(text: str, size: int = 7) -> Table:
    """Of a file that comes in pieces of that size."""
    pieces = [text[begin : begin + size] for begin in range(0, len(text), size)]
    return Table(lambda number: pieces[number] if number < len(pieces) else None)


def read(text: str) -> tuple[list[tuple[int, dict[str, Any]]], list[tuple[int, str]]]:
    rows = table(text)
    [(_, columns)] = rows.batch(1)
    good, bad = Reading(header_of(columns, {}, CUSTOM), CUSTOM).read(rows.batch(1000))
    return [(row.line, dict(row.given)) for row in good], [(error.line, error.message) for error in bad]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12)


@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8), size=st.integers(1, 40))
def test_a_file_is_the_same_however_it_is_cut(rows: list[list[str]], size: int) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["email", "name", "city"], *rows])
    read_back = table(text.getvalue(), size).batch(100)
    wanted = [["email", "name", "city"], *rows]
    assert [row for _, row in read_back] == [row for row in wanted if any(cell.strip() for cell in row)]


def test_rows_become_contacts() -> None:
    good, bad = read(
        "\ufeffE-Mail,Name,Phone,tags,AGE,Vip,City,Unsubscribed,Other\r\n"
        'a@x.test,"Ada, the first",+55 (11) 99999-0000,"vip; Fair",36.5,yes,"São\nPaulo",,z\r\n'
        "\r\n"
        "b@x.test,,,,,no,,x,\r\n"
    )
    assert bad == []
    assert good == [
        (2, {"email": "a@x.test", "name": "Ada, the first", "phone": "+5511999990000", "tags": ["vip", "Fair"],
             "custom_fields": {"age": 36.5, "vip": True, "city": "São\nPaulo"}}),
        (5, {"email": "b@x.test", "custom_fields": {"vip": False}, "unsubscribed": True}),
    ]  # fmt: skip


def test_what_is_wrong_is_told_with_its_line() -> None:
    good, bad = read(
        "email;status;phone;age;vip\n"
        "a@x.test;LEAD;;;\n"
        "nobody;;;;\n"
        "b@x.test;boss;;;\n"
        "c@x.test;;0800;;\n"
        "d@x.test;;;many;\n"
        "e@x.test;;;;maybe\n"
        "f@x.test;;\n"
        ";lead;;;\n"
    )
    assert good == [(2, {"email": "a@x.test", "status": "lead"})]
    assert [line for line, _ in bad] == [3, 4, 5, 6, 7, 8, 9]
    for (_, said), named in zip(bad, ("email", "status", "phone", "age", "vip", "3 cells", "email"), strict=True):
        assert named in said


def test_who_has_another_systems_id_needs_no_address() -> None:
    good, bad = read("External-ID,email,name\n A-7 ,,Ada\n,,Bob\na-8,nobody,\n" + "x" * 201 + ",,\n")
    assert good == [(2, {"external_id": "A-7", "name": "Ada"})]
    assert [line for line, _ in bad] == [3, 4, 5]
    for (_, said), named in zip(bad, ("email", "`email`", "`external_id`"), strict=True):
        assert named in said


@pytest.mark.parametrize(
    ("columns", "mapping", "said"),
    [
        (["name"], {}, "no column `email` or `external_id`"),
        (["email", "mail"], {}, "Two columns are `email`"),
        (["address"], {"address": "score"}, "`score` is no field"),
        (["address"], {"address": "consent"}, "`consent` is no field"),
    ],
)
def test_a_header_that_says_too_little(columns: list[str], mapping: dict[str, str], said: str) -> None:
    with pytest.raises(BadFile, match=said):
        header_of(columns, mapping, CUSTOM)


def test_columns_may_be_called_otherwise() -> None:
    header = header_of(["Adresse", "email", "Age", "x"], {"Adresse": "email", "email": ""}, CUSTOM)
    assert header.mapped == {"Adresse": "email", "Age": "custom.age"}
    assert header.ignored == ("email", "x")


@pytest.mark.parametrize("text", ['email\n"a@x.test', 'email\n"a"b@x.test\n', "email\n" + "x" * 70_000])
def test_what_is_no_csv_is_refused(text: str) -> None:
    rows = table(text, 30_000)
    with pytest.raises(BadFile):
        rows.batch(10)


def test_no_formula_leaves() -> None:
    cells = ["=1+1", "+cmd", "-x", "@sum", "\tx", "\uff1dx", "+5511999990000", "-3.5", "plain", None, 7]
    [row] = csv.reader(io.StringIO(csv_lines([cells])))
    assert row == ["'=1+1", "'+cmd", "'-x", "'@sum", "'\tx", "'\uff1dx", "+5511999990000", "-3.5", "plain", "", "7"]
