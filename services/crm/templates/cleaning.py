"""HTML as an editor made it, reduced to what mails may be made of: a list of tags and attributes, no scripts, no
foreign style sheets. What browsers read is cleaned as browsers read it (nh3); what is inside conditional comments is
for Outlook alone, begins and ends where it likes, and is cleaned word by word."""

import html
import re
from html.parser import HTMLParser

import nh3

from services.crm.templates.tags import LONGEST

_TEXT_TAGS = (
    "a abbr b big blockquote br center code dd del div dl dt em font h1 h2 h3 h4 h5 h6 hr i img ins li ol p pre q s "
    "small span strike strong sub sup u ul"
)
_TABLE_TAGS = "caption col colgroup table tbody td tfoot th thead tr"
TAGS = frozenset((*_TEXT_TAGS.split(), *_TABLE_TAGS.split(), "style"))
_OUTLOOK_TAGS = TAGS | {
    "xml", "noscript", "o:officedocumentsettings", "o:allowpng", "o:pixelsperinch", "v:roundrect", "v:rect", "v:oval",
    "v:shape", "v:fill", "v:stroke", "v:image", "v:imagedata", "v:textbox", "v:background", "w:anchorlock",
}  # fmt: skip
_ATTRIBUTES = {
    "abbr", "align", "alt", "aria-hidden", "aria-label", "aria-roledescription", "background", "bgcolor", "border",
    "cellpadding", "cellspacing", "class", "color", "colspan", "dir", "face", "height", "href", "hspace", "id", "lang",
    "nowrap", "role", "rowspan", "scope", "size", "src", "srcset", "start", "style", "summary", "target", "title",
    "type", "valign", "vspace", "width",
}  # fmt: skip
_OUTLOOK_ATTRIBUTES = _ATTRIBUTES | {
    "arcsize", "aspect", "fill", "fillcolor", "inset", "o:title", "stroke", "strokecolor", "strokeweight",
    "xmlns:v", "xmlns:w", "xmlns:o", "stroked", "filled", "coordsize", "path", "opacity", "focus", "angle", "media",
}  # fmt: skip
_DROPPED_WHOLE = {"script", "iframe", "object", "embed", "form", "title", "template", "svg", "math", "noembed", "xmp"}
SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_ADDRESSES = frozenset({"href", "src", "background"})

CONDITION = re.compile(r"\[if ([^\[\]<>]{1,80})\]>(.*)<!\[endif\]", re.DOTALL)
"""A comment whose content only Outlook reads…"""
OPENINGS = re.compile(r"\[if [^\[\]<>]{1,80}\]><!|<!\[endif\]")
"""…and those around what everybody else reads."""
_SET_APART = re.compile(r"<style[^>]*>(?P<css>.*?)</style>|<!--(?P<comment>.*?)-->", re.DOTALL)
"""What is not made of tags and text; nh3 closes all of it."""
_BODY = re.compile(r"<(/?)body\b", re.IGNORECASE)

_IMPORT = re.compile(r"@import\b[^;}]*;?", re.IGNORECASE)
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|$)", re.DOTALL)
_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})\s?|\\(.)", re.DOTALL)
_CSS_DANGER = re.compile(
    r"expression\s*\(|javascript\s*:|vbscript\s*:|behaviou?r\s*:|-moz-binding|@import|@charset|</|<!--|"
    r"url\(\s*[\"']?\s*(?!https?:)",
    re.IGNORECASE,
)

_TAG_AS_WRITTEN = re.compile(rf"\{{\{{(?P<inside>.{{0,{3 * LONGEST}}}?)\}}\}}", re.DOTALL)
_TAG_IN_ADDRESS = re.compile(r"%7B%7B(?P<inside>[^\"'<>\s]{1,300}?)%7D%7D", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]*>")
_QUOTES = str.maketrans({**dict.fromkeys("\u201c\u201d\u201e\u2033", '"'), "\xa0": " ", "\u200b": "", "\ufeff": ""})
_ENCODED = re.compile(r"%([0-7][0-9a-fA-F])")


def clean(given: str) -> str:
    """What is kept of it; the same again if it is cleaned again."""
    fragment = _BODY.sub(r"<\1div", normalised(given).replace("\x00", ""))
    kept = nh3.clean(
        fragment,
        tags=set(TAGS),
        clean_content_tags=_DROPPED_WHOLE,
        attributes={"*": set(_ATTRIBUTES - {"srcset"})},
        attribute_filter=lambda _tag, name, value: _attribute(name, value),
        strip_comments=False,
        link_rel=None,
        url_schemes=set(SCHEMES),
    )
    return _SET_APART.sub(_set_apart, kept)


def normalised(given: str) -> str:
    """Editors split and decorate tags; this is how they were meant."""
    unquoted = _TAG_IN_ADDRESS.sub(lambda found: f"{{{{{_decoded(found['inside'])}}}}}", given)
    return _TAG_AS_WRITTEN.sub(lambda found: f"{{{{{_undecorated(found['inside'])}}}}}", unquoted)


def css_fault(css: str) -> bool:
    """Whether it does more than to say how something looks."""
    plain = _CSS_ESCAPE.sub(_unescaped, _CSS_COMMENT.sub("", css))
    return _CSS_DANGER.search(plain) is not None


def _undecorated(inside: str) -> str:
    if "{{" in inside:
        return inside  # two beginnings: it will be told that this is no tag
    plain = html.unescape(_MARKUP.sub("", inside)).translate(_QUOTES)
    return html.escape(plain)


def _decoded(inside: str) -> str:
    return _ENCODED.sub(lambda found: chr(int(found[1], 16)), inside)


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else 0
    return chr(code) if 0 < code < 0x110000 else (found[2] or "")


def _attribute(name: str, value: str) -> str | None:
    if name == "style":
        return None if css_fault(value) else value
    if name in _ADDRESSES and not safe_address(value):
        return None
    return value


def safe_address(value: str) -> bool:
    """Whether it leads to where mails may, as far as it is written out."""
    compact = re.sub(r"[\x00-\x20]+", "", value)
    scheme, colon, _ = compact.partition(":")
    if not colon or re.search(r"[/?#{]", scheme):
        return True  # of no scheme
    return scheme.lower() in SCHEMES


def _set_apart(found: re.Match[str]) -> str:
    return _comment(found["comment"]) if found["css"] is None else _style(found["css"])


def _style(css: str) -> str:
    kept = _IMPORT.sub("", css.replace("<!--", "").replace("-->", "")).strip()
    return f"<style>{kept}</style>" if kept and not css_fault(kept) else ""


def _comment(inside: str) -> str:
    if OPENINGS.fullmatch(inside):
        return f"<!--{inside}-->"
    condition = CONDITION.fullmatch(inside)
    if condition is None:
        return ""
    cleaner = _Outlook()
    cleaner.feed(condition[2])
    cleaner.close()
    return f"<!--[if {condition[1]}]>{''.join(cleaner.kept)}<![endif]-->"


class _Outlook(HTMLParser):
    """Of what Outlook reads, what is on the list; closed where it was closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.kept: list[str] = []
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start(tag, attrs, ">")
        self._skipped += tag in _DROPPED_WHOLE

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start(tag, attrs, " />")

    def handle_endtag(self, tag: str) -> None:
        if tag in _DROPPED_WHOLE:
            self._skipped = max(0, self._skipped - 1)
        elif tag in _OUTLOOK_TAGS and not self._skipped:
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._skipped:
            return
        if self.cdata_elem is None:
            self.kept.append(html.escape(data, quote=False))
        elif not css_fault(css := _IMPORT.sub("", data)):
            self.kept.append(css.replace("-->", ""))

    def _start(self, tag: str, attrs: list[tuple[str, str | None]], end: str) -> None:
        if tag not in _OUTLOOK_TAGS or self._skipped:
            return
        kept = (
            f' {name}="{html.escape(value or "")}"'
            for name, value in attrs
            if name in _OUTLOOK_ATTRIBUTES and _attribute(name, value or "") is not None
        )
        self.kept.append(f"<{tag}{''.join(kept)}{end}")
