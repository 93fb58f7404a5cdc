"""Cleaned HTML, taken apart: what is the same for everybody, and in between tags and links."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

from services.crm.templates import cleaning
from services.crm.templates.places import Address, Place, address_of, in_attribute, in_text
from services.crm.templates.tags import BadTag, Tag, pieces

Part = str | Place | Address
Problem = Callable[[str, str], None]
"""Told a code and a message."""

_NO_TAGS = frozenset({"style", "class", "id", "width", "height", "dir", "lang", "type"})
"""Attributes that say how something looks."""


@dataclass(slots=True)
class Document:
    head: list[str] = field(default_factory=list)
    """Style sheets."""
    body: list[Part] = field(default_factory=list)
    links: list[Address] = field(default_factory=list)
    """Those that may be followed, by their number."""
    tags: list[Tag] = field(default_factory=list)


def document_of(cleaned: str, problem: Problem) -> Document:
    made = Document()
    _Reader(made, problem).read(cleaned)
    made.body = _joined(made.body)
    return made


class _Reader(HTMLParser):
    def __init__(self, made: Document, problem: Problem, *, outlook: bool = False) -> None:
        super().__init__(convert_charrefs=True)
        self._made = made
        self._problem = problem
        self._outlook = outlook
        """Inside a comment: style sheets stay where they are."""

    def read(self, text: str) -> None:
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start(tag, attrs, ">")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start(tag, attrs, " />")

    def handle_endtag(self, tag: str) -> None:
        if tag != "style" or self._outlook:
            self._made.body.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None:
            self._style(data)
            return
        for piece in self._pieces(data):
            self._made.body.append(in_text(piece) if isinstance(piece, str) else self._place(piece, in_text))

    def handle_comment(self, data: str) -> None:
        condition = cleaning.CONDITION.fullmatch(data)
        if condition is None:
            self._made.body.append(f"<!--{data}-->")
            return
        self._made.body.append(f"<!--[if {condition[1]}]>")
        _Reader(self._made, self._problem, outlook=True).read(condition[2])
        self._made.body.append("<![endif]-->")

    def _start(self, tag: str, attrs: list[tuple[str, str | None]], end: str) -> None:
        body = self._made.body
        if tag == "style" and not self._outlook:
            return
        body.append(f"<{tag}")
        for name, value in attrs:
            body.append(f' {name}="')
            self._attribute(tag, name, value or "")
            body.append('"')
        body.append(end)

    def _attribute(self, tag: str, name: str, value: str) -> None:
        body = self._made.body
        if name in _NO_TAGS and "{{" in value:
            code = "tag_in_css" if name == "style" else "tag_in_attribute"
            self._problem(code, f"a tag cannot be part of the attribute {name} of <{tag}>")
        elif name in ("href", "src", "background"):
            self._address(tag, name, value)
        else:
            for piece in self._pieces(value):
                body.append(in_attribute(piece) if isinstance(piece, str) else self._place(piece, in_attribute))

    def _address(self, tag: str, name: str, value: str) -> None:
        try:
            found = address_of(value)
        except BadTag as error:
            self._problem("tag_in_address", f"{name} of <{tag}>: {error}")
            return
        tags = [piece for piece in found if isinstance(piece, Tag)]
        self._made.tags += tags
        web = bool(found) and isinstance(found[0], str) and found[0].lower().startswith(("http://", "https://"))
        if name == "href":
            self._check_link(tag, value, web=web, tagged=bool(tags))
        elif value.lower().startswith("http://"):
            self._problem("insecure_image", f"{value[:100]} is not encrypted: some mailboxes do not show it")
        follows = web and name == "href"
        address = Address(found, len(self._made.links) if follows else None)
        if follows:
            self._made.links.append(address)
        self._made.body.append(address)

    def _check_link(self, tag: str, value: str, *, web: bool, tagged: bool) -> None:
        if not web and not tagged and not value.lower().startswith(("mailto:", "tel:", "#")):
            self._problem("broken_link", f"<{tag}> leads to `{value[:100]}`, which is nowhere from a mail")

    def _style(self, css: str) -> None:
        if "{{" in css:
            self._problem("tag_in_css", "a tag cannot be part of a style sheet")
        elif self._outlook:
            self._made.body.append(css)
        else:
            self._made.head.append(css)

    def _place(self, tag: Tag, write: Callable[[str], str]) -> Place:
        self._made.tags.append(tag)
        return Place(tag, write)

    def _pieces(self, text: str) -> list[str | Tag]:
        try:
            return list(pieces(text))
        except BadTag as error:
            self._problem("bad_tag", str(error))
            return []


def _joined(parts: list[Part]) -> list[Part]:
    """With as few parts as there can be."""
    made: list[Part] = []
    for part in parts:
        if isinstance(part, str) and made and isinstance(made[-1], str):
            made[-1] += part
        else:
            made.append(part)
    return made


_UNSAID = {ord("\n"): " ", 0xE000: None, 0xE001: None}
_HREF = re.compile("\ue000([0-9]+)\ue001")
"""Where an address stands in words, by its number; these characters mean nothing to anybody."""


class _Words(HTMLParser):
    """What of HTML is text, as it can be read without the rest; tags stay."""

    _BREAKS = frozenset({"p", "div", "br", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "hr", "pre"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.written: list[str] = []
        self.hrefs: list[str] = []
        self._href = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._BREAKS:
            self.written.append("\n")
        elif tag == "li":
            self.written.append("\n- ")
        elif tag == "a":
            self._href = dict(attrs).get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in self._BREAKS:
            self.written.append("\n")
        elif tag == "a" and self._href and not self._href.startswith("#"):
            self.written.append(f" ( \ue000{len(self.hrefs)}\ue001 )")
            self.hrefs.append(self._href)
            self._href = ""

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is None:
            self.written.append(data.translate(_UNSAID))


def words_of(cleaned: str) -> list[str | Address]:
    """The plain-text part of a mail that has only HTML; its addresses apart, in which tags are written as there."""
    reader = _Words()
    reader.feed(cleaned)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.written).split("\n")]
    kept = [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]
    pieces_of = _HREF.split("\n".join(kept).strip())
    return [_written_out(reader.hrefs[int(each)]) if at % 2 else each for at, each in enumerate(pieces_of)]


def _written_out(href: str) -> str | Address:
    try:
        return Address(address_of(href))
    except BadTag:
        return href  # which the page's own problems tell
