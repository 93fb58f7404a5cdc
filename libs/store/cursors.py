"""Where a page begins, as text that clients hand back: behind which row, in the list's order."""

import base64
import re
from datetime import datetime
from typing import TypeVar

import msgspec

P = TypeVar("P", bound=msgspec.Struct)

_AMOUNT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


class BadCursor(ValueError):
    """It is none of ours."""


def write_cursor(position: msgspec.Struct) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def read_cursor(cursor: str, type_: type[P]) -> P:
    """Raises BadCursor. Values in it are still to be checked, before the database stumbles over them."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=type_)
    except (ValueError, msgspec.DecodeError) as error:
        raise BadCursor(cursor) from error


def time_in(value: str) -> str:
    """As the database reads it; Python reads more. Raises BadCursor."""
    try:
        return datetime.fromisoformat(value).isoformat()
    except ValueError as error:
        raise BadCursor(value) from error


def amount_in(value: str) -> str:
    """Raises BadCursor."""
    if not _AMOUNT.fullmatch(value):
        raise BadCursor(value)
    return value
