"""Where in a mail a tag stands, and how what it stands for is written there."""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from services.crm.templates.tags import BadTag, Piece, Tag, pieces, value_of

Write = Callable[[str], str]
Follow = Callable[[int, str], str]
"""From the number of a link and where it leads to the address that is written instead."""

_ORIGIN = re.compile(r"(https?://[^/?#\s{}\\]+[/?#]|mailto:|tel:)", re.IGNORECASE)
_MAIL_ADDRESS = re.compile(r"[^\s<>\"'@]{1,64}@[^\s<>\"'@]{1,190}")
_NOWHERE = "#"


def in_text(value: str) -> str:
    return html.escape(value, quote=False)


def in_attribute(value: str) -> str:
    return html.escape(value, quote=True)


def in_plain_text(value: str) -> str:
    return value


@dataclass(frozen=True, slots=True)
class Place:
    tag: Tag
    write: Write


@dataclass(frozen=True, slots=True)
class Address:
    """Where something leads to or comes from. What is said of a contact only ever fills in parts of it."""

    pieces: tuple[Piece, ...]
    number: int | None = None
    """Of a link that may be followed: through the address that `Follow` makes."""

    def target(self, data: Mapping[str, Any], *, strict: bool) -> str:
        """Raises Missing."""
        if len(self.pieces) == 1 and isinstance(self.pieces[0], Tag):
            return link_of(value_of(self.pieces[0], data, strict=strict))
        mail = isinstance(self.pieces[0], str) and self.pieces[0].lower().startswith("mailto:")
        return "".join(
            piece if isinstance(piece, str) else _part(value_of(piece, data, strict=strict), mail=mail)
            for piece in self.pieces
        )


def address_of(value: str) -> tuple[Piece, ...]:
    """Of an attribute. Raises BadTag where a tag could say which server, or which kind of address it is."""
    found = tuple(pieces(value.strip()))
    tags = [piece for piece in found if isinstance(piece, Tag)]
    if not tags:
        return found
    if len(found) == 1 and tags[0].is_link:
        return found
    if any(tag.is_link for tag in tags):
        raise BadTag("a tag of links.* must be the whole address")
    if not isinstance(found[0], str) or not _ORIGIN.match(found[0]):
        raise BadTag("an address with tags must begin with https://, a server and a /, or with mailto: or tel:")
    return found


def link_of(value: str) -> str:
    """An address that was made elsewhere, if it is one of the web."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return _NOWHERE
    return (
        value if parts.scheme in ("http", "https") and parts.netloc and not re.search(r"[\s\"<>]", value) else _NOWHERE
    )


def _part(value: str, *, mail: bool) -> str:
    return quote(value, safe="@+" if mail and _MAIL_ADDRESS.fullmatch(value) else "")
