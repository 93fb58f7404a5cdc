"""How values are written in mails."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_LONGEST = 10_000
"""Characters of a value."""
_MOST_DECIMALS = 8
_LARGEST = Decimal(10) ** 15
_SEPARATORS = {"pt": (".", ","), "es": (".", ","), "de": (".", ","), "it": (".", ","), "fr": ("\u202f", ",")}
"""Of thousands and decimals, by language; elsewhere as in English."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_DATE_WORDS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "mm": "%M"}
_DATE_WORD = re.compile("|".join(_DATE_WORDS))
_DATE = re.compile(r"(?:YYYY|MM|DD|HH|mm|[-/. :,])+")
_CURRENCY = re.compile(r"[A-Z]{3}")


class BadFormat(Exception):
    """What a filter is told makes no sense."""


class Unwritable(Exception):
    """A value that is not of the kind that a filter writes."""


def check(name: str, told: str) -> None:
    """Raises BadFormat."""
    match name:
        case "date" if not (_DATE.fullmatch(told or "DD/MM/YYYY") and len(told) <= 40):
            raise BadFormat("is written with YYYY, MM, DD, HH and mm, such as DD/MM/YYYY")
        case "number" if told and not (told.isdecimal() and told.isascii() and int(told) <= _MOST_DECIMALS):
            raise BadFormat(f"takes the number of decimals, at most {_MOST_DECIMALS}")
        case "money" if told and not _CURRENCY.fullmatch(told):
            raise BadFormat("takes a currency such as BRL")
        case "upper" | "lower" | "title" if told:
            raise BadFormat("takes nothing")


def written(value: Any, filters: Sequence[tuple[str, str]], locale: str) -> str:
    """One line, whatever the value is. Raises Unwritable."""
    for name, told in filters:
        value = _FILTERS[name](value, told, locale) if value not in (None, "") else value
    return one_line(_text(value))


def one_line(text: str) -> str:
    return _CONTROL.sub(" ", text[:_LONGEST])


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str() | int() | Decimal():
            return str(value)
        case float():
            return f"{value:g}" if abs(value) < 1e15 else str(value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d")
    raise Unwritable(type(value).__name__)


def _date(value: Any, told: str, _locale: str) -> str:
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Unwritable("no time") from error
    pattern = _DATE_WORD.sub(lambda word: _DATE_WORDS[word[0]], told or "DD/MM/YYYY")
    return at.strftime(pattern)


def _number(value: Any, told: str, locale: str) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise Unwritable("no number") from error
    if isinstance(value, bool) or not number.is_finite() or abs(number) >= _LARGEST:
        raise Unwritable("no number that can be written")
    text = f"{number:,.{int(told)}f}" if told else f"{number:,f}"
    thousands, decimals = _SEPARATORS.get(locale[:2].lower(), (",", "."))
    return text.translate({ord(","): thousands, ord("."): decimals})


def _money(value: Any, told: str, locale: str) -> str:
    amount = _number(value, "2", locale)
    return f"{told} {amount}" if told else amount


_FILTERS: Mapping[str, Callable[[Any, str, str], str]] = {
    "upper": lambda value, _told, _locale: _text(value).upper(),
    "lower": lambda value, _told, _locale: _text(value).lower(),
    "title": lambda value, _told, _locale: _text(value).title(),
    "date": _date,
    "number": _number,
    "money": _money,
}
FILTERS = frozenset(_FILTERS)
