"""A file of CSV, read row by row, and what of it is a contact."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import msgspec

from libs.contracts.crm.contacts import CustomField, KnownContact, NewContact
from libs.contracts.crm.imports import RowError
from libs.store.crm.imports import GivenRow

_PLAIN = (
    "email", "external_id", "name", "first_name", "last_name", "phone", "locale", "timezone", "status", "tags",
    "unsubscribed",
)  # fmt: skip
_ALIASES = {
    "e_mail": "email", "mail": "email", "email_address": "email", "telephone": "phone", "mobile": "phone",
    "firstname": "first_name", "lastname": "last_name", "surname": "last_name", "full_name": "name", "tag": "tags",
}  # fmt: skip
_YES = frozenset({"1", "true", "yes", "y", "x", "sim"})
_NO = frozenset({"", "0", "false", "no", "n", "não"})
_LONGEST = 65_536
"""Characters of a line."""
_SEPARATORS = re.compile(r"[;,|]")
_NOT_OF_A_NUMBER = re.compile(r"[\s().-]")

csv.field_size_limit(_LONGEST)


class BadFile(ValueError):
    """It is no table of contacts."""


@dataclass(frozen=True, slots=True)
class Header:
    fields: tuple[str, ...]
    """By column; empty: the column is left out."""
    columns: tuple[str, ...]

    @property
    def mapped(self) -> dict[str, str]:
        return {column: field for column, field in zip(self.columns, self.fields, strict=True) if field}

    @property
    def ignored(self) -> tuple[str, ...]:
        return tuple(column for column, field in zip(self.columns, self.fields, strict=True) if not field)


def header_of(columns: list[str], mapping: Mapping[str, str], custom: Iterable[CustomField]) -> Header:
    """Raises BadFile."""
    known = {*_PLAIN, *(f"custom.{field.key}" for field in custom)}
    fields = tuple(_field_of(column, mapping, known) for column in columns)
    named = [field for field in fields if field]
    if "email" not in named and "external_id" not in named:
        raise BadFile("There is no column `email` or `external_id`")
    twice = sorted({field for field in named if named.count(field) > 1})
    if twice:
        raise BadFile(f"Two columns are `{twice[0]}`")
    return Header(fields, tuple(columns))


def _field_of(column: str, mapping: Mapping[str, str], known: set[str]) -> str:
    if column in mapping:
        if mapping[column] and mapping[column] not in known:
            raise BadFile(f"`{mapping[column]}` is no field of contacts")
        return mapping[column]
    name = re.sub(r"\W+", "_", column.strip().lower()).strip("_")
    name = _ALIASES.get(name, name)
    return name if name in known else f"custom.{name}" if f"custom.{name}" in known else ""


class Table:
    """Rows of a file whose pieces are fetched as they are needed. Its methods block: they are for a thread."""

    def __init__(self, fetch: Callable[[int], str | None]) -> None:
        """`fetch`: the pieces by number; None behind the last."""
        lines = self._lines(fetch)
        first = next(lines, "").removeprefix("\ufeff")
        delimiter = ";" if first.count(";") > first.count(",") else ","
        self._reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)

    def batch(self, many: int) -> list[tuple[int, list[str]]]:
        """The next rows, each with the line on which it begins; empty at the end. Empty rows are left out.
        Raises BadFile."""
        rows: list[tuple[int, list[str]]] = []
        while len(rows) < many:
            begin = self._reader.line_num + 1
            try:
                row = next(self._reader, None)
            except csv.Error as error:
                raise BadFile(f"Line {self._reader.line_num}: {error}") from error
            if row is None:
                break
            if any(cell.strip() for cell in row):
                rows.append((begin, row))
        return rows

    @staticmethod
    def _lines(fetch: Callable[[int], str | None]) -> Iterator[str]:
        rest = ""
        for number in count():
            piece = fetch(number)
            if piece is None:
                break
            *whole, rest = (rest + piece).split("\n")
            yield from (f"{line}\n" for line in whole)
            if len(rest) > _LONGEST:
                raise BadFile(f"A line is longer than {_LONGEST} characters")
        if rest:
            yield rest


class Reading:
    """Rows as contacts, or as what is wrong with them."""

    def __init__(self, header: Header, custom: Iterable[CustomField]) -> None:
        self._header = header
        self._types = {field.key: field.type for field in custom}

    def read(self, rows: Iterable[tuple[int, list[str]]]) -> tuple[list[GivenRow], list[RowError]]:
        good, bad = [], []
        for line, row in rows:
            try:
                good.append(GivenRow(line, self._given(row)))
            except (ValueError, msgspec.ValidationError) as error:
                bad.append(RowError(line=line, message=_said(error)))
        return good, bad

    def _given(self, row: list[str]) -> dict[str, Any]:
        if len(row) != len(self._header.fields):
            raise ValueError(f"has {len(row)} cells instead of {len(self._header.fields)}")
        given: dict[str, Any] = {}
        custom: dict[str, Any] = {}
        unsubscribed = False
        for field, cell in zip(self._header.fields, row, strict=True):
            text = cell.strip()
            if not field or not text:
                continue
            if field == "unsubscribed":
                unsubscribed = _truth(field, text)
            elif field.startswith("custom."):
                custom[field[7:]] = self._custom(field[7:], text)
            elif field == "tags":
                given["tags"] = [tag.strip() for tag in _SEPARATORS.split(text) if tag.strip()]
            elif field == "phone":
                given["phone"] = _NOT_OF_A_NUMBER.sub("", text)
            else:
                given[field] = text.lower() if field == "status" else text
        # Who is known by another system's id needs no address.
        msgspec.convert(given | {"custom_fields": custom}, KnownContact if "external_id" in given else NewContact)
        return given | ({"custom_fields": custom} if custom else {}) | ({"unsubscribed": True} if unsubscribed else {})

    def _custom(self, key: str, text: str) -> Any:
        """As its type has it; whether it is a value of the field, the database says."""
        match self._types.get(key):
            case "number":
                number = (
                    float(text.replace(",", ".")) if re.fullmatch(r"-?[0-9]{1,15}([.,][0-9]{1,9})?", text) else None
                )
                if number is None:
                    raise ValueError(f"`custom_fields.{key}` must be a number")
                return int(number) if number.is_integer() else number
            case "boolean":
                return _truth(f"custom_fields.{key}", text)
        return text


def _truth(field: str, text: str) -> bool:
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    raise ValueError(f"`{field}` must be yes or no")


def _said(error: Exception) -> str:
    """msgspec's words, with the field before them."""
    message, _, path = str(error).partition(" - at `$.")
    return f"`{path.rstrip('`')}` {message}" if path else message
