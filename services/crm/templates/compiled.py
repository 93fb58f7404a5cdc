"""A version of a template, ready to be written for anybody; and what is wrong with it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from libs.contracts.crm.templates import Policy, Problem
from services.crm.templates.document import Document, Part, document_of, words_of
from services.crm.templates.formats import one_line
from services.crm.templates.places import Address, Follow, Place, in_attribute, in_text
from services.crm.templates.tags import BadTag, Piece, Tag, pieces, value_of
from services.crm.templates.traders import BOT, USER

MOST_TAGS = 200
_CLIPPED = 102_000
"""Bytes of HTML after which Gmail hides the rest."""
_LONGEST_LINE = 500
"""Characters of a subject."""
_KNOWN = {
    "contact": {
        "first_name", "last_name", "name", "email", "phone", "locale", "timezone", "status", "score", "id",
    },
    "links": {"unsubscribe", "preferences", "confirm"},
    "sender": {"name", "email", "address"},
    "campaign": {"id", "name"},
    "user": set(USER),
    "bot": set(BOT),
    "trading": {  # of before: what is written with it goes on
        "account_type", "balance", "real_balance", "bot_running", "last_trade_at", "last_real_trade_at", "trades",
        "real_trades",
    },
}  # fmt: skip
"""What tags may name; besides `custom.` and the registry's keys, and `data.` and whatever is queued with a mail."""
_ALWAYS = frozenset({"contact.email", "contact.status", "contact.score", "contact.id", "campaign.id"})
"""What is never empty; besides links and what is said of the sender."""
_ERRORS = frozenset({
    "bad_tag", "tag_in_css", "tag_in_attribute", "tag_in_address", "unknown_tag", "too_many_tags", "bad_mjml",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """What an administrator wrote; `html` is cleaned."""

    subject: str = ""
    preheader: str = ""
    html: str = ""
    text: str = ""
    """Of the plain-text part; if empty, that of `html`."""
    policy: Policy = "lenient"


@dataclass(frozen=True, slots=True)
class Written:
    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Compiled:
    subject: tuple[Piece, ...]
    preheader: tuple[Piece, ...]
    text: tuple[Piece | Address, ...]
    document: Document
    variables: tuple[str, ...]
    strict: bool

    @property
    def unsubscribes(self) -> bool:
        """Whether the mail says how."""
        return not {"links.unsubscribe", "links.preferences"}.isdisjoint(self.variables)

    def write(
        self, data: Mapping[str, Any], follow: Follow | None = None, *, subject: str = "", end: str = "", foot: str = ""
    ) -> Written:
        """`end`: HTML before the end of the body, and `foot`: text after the plain-text part. Raises Missing, and
        BadTag for another `subject` than its own that has such a one."""
        said = tuple(pieces(subject)) if subject else self.subject
        line = partial(_line, data=data, strict=self.strict)
        text = "".join(_word(piece, data, strict=self.strict) for piece in self.text)
        return Written(line(said), self._page(line(self.preheader), data, follow, end), text + foot)

    def _page(self, preheader: str, data: Mapping[str, Any], follow: Follow | None, end: str) -> str:
        styles = "".join(f"<style>{css}</style>" for css in self.document.head)
        body = "".join(_part(part, data, follow, strict=self.strict) for part in self.document.body)
        return (
            '<!doctype html><html><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"{styles}</head><body>{_hidden(preheader)}{body}{end}</body></html>"
        )


def target_of(address: Address, data: Mapping[str, Any]) -> str:
    """Where a link leads somebody; what is missing is left out."""
    return address.target(data, strict=False)


def compile_template(source: Source, custom_fields: Collection[str] | None = None) -> tuple[Compiled, list[Problem]]:
    """`custom_fields`: the keys that there are; None: of a version that was checked before."""
    problems: list[Problem] = []

    def problem(code: str, message: str) -> None:
        if len(problems) < 100:
            problems.append(Problem(code=code, message=message, severity="error" if code in _ERRORS else "warning"))

    def read(text: str, where: str) -> tuple[Piece, ...]:
        try:
            return tuple(pieces(text))
        except BadTag as error:
            problem("bad_tag", f"{where}: {error}")
            return ()

    document = document_of(source.html, problem)
    subject, preheader = read(source.subject, "subject"), read(source.preheader, "preheader")
    text: list[Piece | Address] = []
    for part in [source.text] if source.text else words_of(source.html):
        text += [part] if isinstance(part, Address) else read(part, "text")
    tags = [*document.tags, *(piece for piece in (*subject, *preheader, *text) if isinstance(piece, Tag))]
    compiled = Compiled(
        subject, preheader, tuple(text), document, tuple(sorted({tag.name for tag in tags})), source.policy == "strict"
    )
    if custom_fields is not None:
        for code, message in _faults(tags, custom_fields, strict=compiled.strict):
            problem(code, message)
        for code, message in _of_mail(source, compiled):
            problem(code, message)
    return compiled, problems


def _faults(tags: list[Tag], custom_fields: Collection[str], *, strict: bool) -> Iterable[tuple[str, str]]:
    if len(tags) > MOST_TAGS:
        yield "too_many_tags", f"there are {len(tags)} tags, and at most {MOST_TAGS} may be"
    seen = set()
    for tag in tags:
        if (tag.name, tag.default is None) in seen:
            continue
        seen.add((tag.name, tag.default is None))
        space, *keys = tag.path
        known = set(custom_fields) if space == "custom" else _KNOWN.get(space, set())
        if space != "data" and (len(keys) != 1 or keys[0] not in known):
            yield "unknown_tag", f"there is no {tag.name}"
        elif tag.default is None and tag.name not in _ALWAYS and space not in ("links", "sender"):
            consequence = "who has none is not written to" if strict else "it is left out where there is none"
            yield "no_default", f"{tag.name} may be empty and has no default: {consequence}"


def _of_mail(source: Source, compiled: Compiled) -> Iterable[tuple[str, str]]:
    if source.html and not compiled.unsubscribes:
        yield "no_unsubscribe", "there is no {{links.unsubscribe}}: marketing gets a line with one at its end"
    if len(source.html.encode()) > _CLIPPED:
        yield "long", f"Gmail shows the first {_CLIPPED // 1000} kB and hides the rest"
    if not source.subject:
        yield "no_subject", "there is no subject: who uses the template has to say one"


def _line(said: tuple[Piece, ...], data: Mapping[str, Any], *, strict: bool) -> str:
    text = "".join(piece if isinstance(piece, str) else value_of(piece, data, strict=strict) for piece in said)
    return " ".join(one_line(text).split())[:_LONGEST_LINE]


def _word(piece: Piece | Address, data: Mapping[str, Any], *, strict: bool) -> str:
    match piece:
        case Address():
            return piece.target(data, strict=strict).removeprefix("mailto:")
        case Tag():
            return value_of(piece, data, strict=strict)
    return piece


def _part(part: Part, data: Mapping[str, Any], follow: Follow | None, *, strict: bool) -> str:
    match part:
        case Place():
            return part.write(value_of(part.tag, data, strict=strict))
        case Address():
            target = part.target(data, strict=strict)
            if follow is not None and part.number is not None:
                target = follow(part.number, target)
            return in_attribute(target)
    return part


def _hidden(preheader: str) -> str:
    style = "display:none;max-height:0;overflow:hidden;opacity:0"
    return f'<div style="{style}">{in_text(preheader)}</div>' if preheader else ""
