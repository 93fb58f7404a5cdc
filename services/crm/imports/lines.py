"""Contacts as lines of CSV (RFC 4180), safe to open in a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

from libs.contracts.crm.contacts import Contact

COLUMNS = (
    "id", "email", "external_id", "name", "first_name", "last_name", "phone", "locale", "timezone", "source", "status",
    "score", "tags", "created_at", "updated_at",
)  # fmt: skip

_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What begins a formula, also by the wide characters of East Asian input (OWASP, "CSV Injection")."""
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def line_of(contact: Contact, custom: Iterable[str]) -> list[Any]:
    """Its columns, and its custom fields by key."""
    return [
        contact.id, contact.email, contact.external_id, contact.name, contact.first_name, contact.last_name,
        contact.phone, contact.locale, contact.timezone, contact.source, contact.status, contact.score,
        ", ".join(contact.tags), contact.created_at.isoformat(), contact.updated_at.isoformat(),
        *(contact.custom_fields.get(key) for key in custom),
    ]  # fmt: skip


def csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    """Ends with CRLF, unless there are no rows."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
