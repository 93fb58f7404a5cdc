"""Merge tags: `{{contact.first_name | upper | default:"you"}}`. They are looked up and written, and nothing else: no
loops, no calls, no arithmetic, and what they stand for is never read as a tag again."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.crm.templates.formats import FILTERS, BadFormat, Unwritable, check, written

LONGEST = 400
"""Characters between the braces."""

_TAG = re.compile(rf"\{{\{{(?P<inside>[^{{}}]{{0,{LONGEST}}})\}}\}}")
_PATH = re.compile(r"\s*(?P<path>[a-z]{1,20}(?:\.[A-Za-z0-9_]{1,60}){1,2})\s*(?=\||$)")
_FILTER = re.compile(r'\|\s*(?P<name>[a-z]{1,20})\s*(?::\s*"(?P<told>[^"]*)"\s*)?(?=\||$)')


class BadTag(Exception):
    """The message says what is wrong with it."""


class Missing(Exception):
    """Nothing is known where something must be. The argument is the path."""


@dataclass(frozen=True, slots=True)
class Tag:
    path: tuple[str, ...]
    filters: tuple[tuple[str, str], ...] = ()
    """Name and argument."""
    default: str | None = None

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def is_link(self) -> bool:
        return self.path[0] == "links"


Piece = str | Tag


def pieces(text: str) -> Iterator[Piece]:
    """Raises BadTag for what has two braces and is none."""
    at = 0
    for found in _TAG.finditer(text):
        yield from _plain(text[at : found.start()])
        yield parse(found["inside"])
        at = found.end()
    yield from _plain(text[at:])


def parse(inside: str) -> Tag:
    """What stands between the braces. Raises BadTag."""
    path = _PATH.match(inside)
    if path is None:
        raise BadTag(f"`{_short(inside)}` is no tag such as contact.first_name")
    at, filters, default = path.end(), [], None
    while at < len(inside):
        found = _FILTER.match(inside, at)
        if found is None:
            raise BadTag(f'`{_short(inside[at:])}` is no filter such as | upper or | default:"text"')
        name, told = found["name"], found["told"]
        if name == "default":
            if told is None:
                raise BadTag('default needs a text: default:"text"')
            default = told
        elif name in FILTERS:
            try:
                check(name, told or "")
            except BadFormat as error:
                raise BadTag(f"{name}: {error}") from None
            filters.append((name, told or ""))
        else:
            raise BadTag(f"there is no filter `{_short(name)}`")
        at = found.end()
    return Tag(tuple(path["path"].split(".")), tuple(filters), default)


def value_of(tag: Tag, data: Mapping[str, Any], *, strict: bool) -> str:
    """As text, without control characters. Raises Missing: nothing is known, there is no default, and `strict` asks for
    one; otherwise it is empty then."""
    found: Any = data
    for key in tag.path:
        found = found.get(key) if isinstance(found, Mapping) else None
    locale = data.get("contact", {}).get("locale") if isinstance(data.get("contact"), Mapping) else None
    try:
        text = written(found, tag.filters, str(locale or ""))
    except Unwritable:
        text = ""
    if text:
        return text
    if tag.default is not None:
        return tag.default
    if strict:
        raise Missing(tag.name)
    return ""


def _plain(text: str) -> Iterator[str]:
    if "{{" in text or "}}" in text:
        at = text.index("{{") if "{{" in text else text.index("}}")
        raise BadTag(f"`{_short(text[at:])}` has two braces and is no tag")
    if text:
        yield text


def _short(text: str) -> str:
    return text.strip()[:40]
