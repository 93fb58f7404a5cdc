"""Whether what a rule says of a value holds: as in the rules of segments, which the database follows."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Value = bool | int | float | str
DAYS = ("within_days", "older_than_days")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def moment(text: object) -> datetime | None:
    """Of a time or a day in ISO 8601, in UTC where it says nothing else; None: it is neither."""
    if not isinstance(text, str) or _DATE.match(text) is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def compares(cmp: str, known: Any, value: Any, now: datetime) -> bool:
    """`known`: what is known of the contact; None where nothing is, and a list where there may be several: then it
    holds for any of them. `value`: what the rule says, a tuple where it says several."""
    if cmp in _NEGATED:
        return not compares(_NEGATED[cmp], known, value, now)
    several = isinstance(known, list | tuple | set | frozenset)
    if cmp == "empty":
        return known is None or known == "" or (several and not known)
    if several:  # of tags, which are kept without spaces around them; they contain what is one of them
        cmp = "eq" if cmp == "contains" else cmp
        value = tuple(map(_plain, value)) if isinstance(value, tuple) else _plain(value)
    compare = _OPERATORS.get(cmp) or _in_days(cmp, now)
    return any(compare(one, value) for one in (known if several else (known,)))


def _plain(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _equal(known: Any, wanted: Any) -> bool:
    """Text without regard to case; a number is not a truth value."""
    if isinstance(known, str) and isinstance(wanted, str):
        both = moment(known), moment(wanted)
        return known.casefold() == wanted.casefold() or (None not in both and both[0] == both[1])
    return isinstance(known, bool) == isinstance(wanted, bool) and bool(known == wanted)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Numbers with numbers, times with times, other texts with texts; anything else does not hold."""

    def operator(known: Any, wanted: Any) -> bool:
        if isinstance(known, str) and isinstance(wanted, str):
            one, other = moment(known), moment(wanted)
            return compare(known, wanted) if one is None or other is None else compare(one, other)
        numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (known, wanted))
        return numbers and compare(known, wanted)

    return operator


def _textual(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def operator(known: Any, wanted: Any) -> bool:
        return known is not None and compare(str(known).casefold(), str(wanted).casefold())

    return operator


def _in_days(cmp: str, now: datetime) -> Callable[[Any, Any], bool]:
    def operator(known: Any, days: Any) -> bool:
        time = moment(known)
        return time is not None and (time > now - timedelta(days=days)) is (cmp == "within_days")

    return operator


_NEGATED = {"ne": "eq", "not_in": "in", "not_contains": "contains", "not_empty": "empty"}
_at_least = _ordered(lambda known, wanted: known >= wanted)
_at_most = _ordered(lambda known, wanted: known <= wanted)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "in": lambda known, wanted: any(_equal(known, each) for each in wanted),
    "gt": _ordered(lambda known, wanted: known > wanted),
    "gte": _at_least,
    "lt": _ordered(lambda known, wanted: known < wanted),
    "lte": _at_most,
    "between": lambda known, wanted: _at_least(known, wanted[0]) and _at_most(known, wanted[1]),
    "contains": _textual(lambda known, wanted: wanted in known),
    "starts_with": _textual(lambda known, wanted: known.startswith(wanted)),
    "ends_with": _textual(lambda known, wanted: known.endswith(wanted)),
}
