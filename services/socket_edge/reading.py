"""From what a client sent to a struct, or to an error that names the field."""

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from services.socket_edge.errors import ApiError, invalid
from services.socket_edge.wire import MAX_DEPTH, too_deep

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

_PATH = re.compile(r"(?P<message>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", re.DOTALL)
_NAMED = re.compile(r"(?:in|field|Expected) `(?P<name>[A-Za-z]\w*)`(?: in \w+ mode)?$")


def from_json(data: bytes, type_: type[T]) -> T:
    """An empty body is an empty object."""
    if too_deep(data):
        raise invalid(f"The body is nested deeper than {MAX_DEPTH} levels")
    try:
        return msgspec.json.decode(data or b"{}", type=type_)
    except msgspec.ValidationError as error:
        raise explain(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("The body is not valid JSON") from None


def from_query(query: Mapping[str, str], type_: type[S]) -> S:
    """What the type does not know is left aside: clients add numbers to get past caches."""
    known = {name: query[name] for name in type_.__struct_encode_fields__ if name in query}
    for name, text in known.items():
        if text.lower() == "null":  # which msgspec takes for None
            raise invalid(f"{name}: Expected a value, got `{text}`", name)
    return from_builtins(known, type_, strict=False)


def from_builtins(value: object, type_: type[T], *, strict: bool = True) -> T:
    try:
        return msgspec.convert(value, type_, strict=strict)
    except msgspec.ValidationError as error:
        raise explain(error) from None


def explain(error: msgspec.ValidationError) -> ApiError:
    """The field is where msgspec points to, and in it the one it names as missing, unknown or out of bounds."""
    found = _PATH.fullmatch(str(error))
    message = found["message"] if found else str(error)
    path = (found["path"] or "") if found else ""
    named = _NAMED.search(message)
    if named and named["name"] not in ("object", "array", "str", "int", "float", "bool", "null", "decimal"):
        path = f"{path}.{named['name']}".strip(".")
    return invalid(f"{path}: {message}" if path else message, path)
