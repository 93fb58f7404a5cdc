"""Reading rows. Hosted Supabase writes numerics as JSON numbers and times as ISO 8601; the local server writes numerics
as strings and times as PostgreSQL prints them (`2026-11-23 13:03:35.86+00`). Both are read here, and nowhere else."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from libs.store.errors import StoreError

T = TypeVar("T", bound=msgspec.Struct)
V = TypeVar("V")


def read_rows(rows: object, type_: type[T]) -> list[T]:
    """Raises StoreError when they are not such rows."""
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise StoreError(f"expected rows of {type_.__name__}, got {type(rows).__name__}")
    return [read_row(row, type_) for row in rows]


def read_row(row: object, type_: type[T]) -> T:
    if not isinstance(row, Mapping):
        raise StoreError(f"expected a row of {type_.__name__}, got {type(row).__name__}")
    times = _time_fields(type_)
    try:
        # msgspec reads RFC 3339 only; Python's own parser reads what PostgreSQL prints, too.
        plain = {
            name: _time(value) if name in times and isinstance(value, str) else value for name, value in row.items()
        }
        return msgspec.convert(plain, type_, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise StoreError(f"not a row of {type_.__name__}: {error}") from error


def read_value(data: object, type_: type[V]) -> V:
    """What a function of the database answers as JSON. Raises StoreError when it is something else."""
    try:
        return msgspec.convert(data, type_, strict=False)
    except msgspec.ValidationError as error:
        raise StoreError(f"not {type_}: {error}") from error


def read_optional(data: object, type_: type[V]) -> V | None:
    """As `read_value`; null is None."""
    return None if data is None else read_value(data, type_)


def plain(text: str) -> str:
    """As the database can take it: every character but one."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"a time without its zone: {text}")
    return time.astimezone(UTC)


@cache
def _time_fields(type_: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(name for name, hint in get_type_hints(type_).items() if datetime in _alternatives(hint))


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint, NoneType)
