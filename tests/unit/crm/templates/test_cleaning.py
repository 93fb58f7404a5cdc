"""Of what editors and attackers write, what mails may be made of."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.templates.cleaning import CONDITION, OPENINGS, TAGS, clean, css_fault, normalised
from services.crm.templates.mjml import BadMjml, html_of

DANGEROUS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)></svg>",
    '<a href="javascript:alert(1)">x</a>', '<a href="JaVa\tscript:alert(1)">x</a>',
    '<a href="data:text/html,x">x</a>', "<iframe src=https://evil.test></iframe>",
    "<form action=https://evil.test><input name=password></form>", "<object data=x></object>", "<embed src=x>",
    "<base href=https://evil.test>", '<meta http-equiv="refresh" content="0;url=https://evil.test">',
    "<link rel=stylesheet href=https://evil.test>", "<style>@import url(https://evil.test)</style>",
    "<style>a{background:url(javascript:alert(1))}</style>", '<p style="width:expression(alert(1))">x</p>',
    '<p style="width:e\\78pression(alert(1))">x</p>', "<style></style><script>alert(1)</script>",
    "<!--[if mso]><script>alert(1)</script><![endif]-->", '<!--[if mso]><img src=x onerror="alert(1)"><![endif]-->',
    '<!--[if mso]><a href="javascript:alert(1)">x</a><![endif]-->',
    "<!--[if mso]><style>@import 'x'</style><![endif]-->",
    "<!--><script>alert(1)</script>-->", "<!-- <script>alert(1)</script> -->",
    "<math><mtext><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<style><!--</style><script>alert(1)</script>-->",
    "<div background='javascript:alert(1)'>x</div>", "<textarea><script>alert(1)</script></textarea>",
    "<!--[if <script>]>x<![endif]-->", "<xmp><script>alert(1)</script></xmp>", "<p onclick=alert(1)>x</p>",
)  # fmt: skip


class Found(HTMLParser):
    """Everything in a page that could do something, also for Outlook."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.css = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None:
            self.css += data

    def handle_comment(self, data: str) -> None:
        if OPENINGS.fullmatch(data):
            return
        condition = CONDITION.fullmatch(data)
        assert condition is not None, data
        inside = Found(condition[2])
        self.tags |= inside.tags
        self.attributes += inside.attributes
        self.css += inside.css


@pytest.mark.parametrize("page", DANGEROUS)
def test_nothing_dangerous_is_kept(page: str) -> None:
    kept = clean(f"<p>a</p>{page}<p>b</p>")
    assert kept.startswith("<p>a</p>")
    found = Found(kept)
    assert found.tags <= TAGS
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert not [value for name, value in found.attributes if name in ("href", "src", "background") and ":" in value]
    assert not css_fault(found.css)
    assert not [value for name, value in found.attributes if name == "style" and css_fault(value)]


@given(st.lists(st.one_of(st.sampled_from(DANGEROUS), st.text("<>/!-[]{}='\" abpstyle", max_size=30)), max_size=6))
def test_cleaning_twice_changes_nothing(parts: list[str]) -> None:
    once = clean("".join(parts))
    assert clean(once) == once


def test_what_mails_are_made_of_is_kept() -> None:
    page = (
        '<style>@media (max-width:600px){.a>b{width:100%!important}}</style><!--[if mso]><table><tr><td width="600">'
        '<![endif]--><table role="presentation"><tbody><tr><td style="padding:1px" bgcolor="#fff" align="center">'
        '<a href="https://a.test/?a=1&amp;b=2" target="_blank">a &amp; b</a><img src="https://a.test/b.png" alt="b">'
        "</td></tr></tbody></table><!--[if mso]></td></tr></table><![endif]-->"
        "<!--[if !mso]><!--><p>x</p><!--<![endif]-->"
    )
    assert clean(page) == page
    whole = f'<!doctype html><html><head><title>t</title></head><body class="c">{page}</body></html>'
    assert clean(whole) == f'<div class="c">{page}</div>'


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{{ <span>contact.first_name</span> }}", "{{ contact.first_name }}"),
        ("{{&nbsp;contact.first_name&nbsp;}}", "{{ contact.first_name }}"),
        ("{{contact.first_name | default:\u201cyou\u201d}}", "{{contact.first_name | default:&quot;you&quot;}}"),
        ('<a href="https://a.test/?x=%7B%7Bcontact.first_name%7D%7D">', '<a href="https://a.test/?x={{contact.first_name}}">'),
        ("{{con<b>tact.first</b>_name}}", "{{contact.first_name}}"),
    ],
)  # fmt: skip
def test_tags_that_an_editor_decorated(written: str, meant: str) -> None:
    assert normalised(written) == meant


@pytest.mark.parametrize("css", ["color:red", "width:calc(100% - 1px)", "background:url(https://a.test/b.png)"])
def test_styles_that_only_say_how_something_looks(css: str) -> None:
    assert not css_fault(css)


async def test_mjml() -> None:
    page = await html_of(
        "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{contact.first_name}}</mj-text>"
        '<mj-button href="https://a.test/">go</mj-button></mj-column></mj-section></mj-body></mjml>'
    )
    kept = clean(page)
    assert "Hi {{contact.first_name}}" in kept
    assert 'href="https://a.test/"' in kept
    assert "[if mso" in kept
    assert clean(kept) == kept


@pytest.mark.parametrize(
    "source",
    [
        "no mjml", "<mjml><mj-body>",
        '<mjml><mj-body><mj-include path="/etc/passwd" /></mj-body></mjml>',
        "<mjml><mj-body>" + "<mj-wrapper>" * 20_000 + "</mj-wrapper>" * 20_000 + "</mj-body></mjml>",
    ],
)  # fmt: skip
async def test_what_is_no_mjml(source: str) -> None:
    with pytest.raises(BadMjml):
        await html_of(source)
