"""Whatever a contact says of itself, it stays what it is: text where there is text, and a part of an address."""

import html
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.templates.cleaning import clean
from services.crm.templates.compiled import Compiled, Source, compile_template
from services.crm.templates.tags import Missing

PAGE = """<!doctype html><html><head><style>p > b {color: red}</style></head><body style="margin:0">
<p>Hi {{contact.first_name}}, <b title="for {{contact.first_name}}">you</b></p>
<a href="https://shop.example.test/a?name={{contact.first_name}}&amp;b=1">look</a>
<a href="mailto:{{contact.email}}?subject={{contact.first_name}}">write</a>
<img src="https://shop.example.test/{{contact.first_name}}.png" alt="{{contact.first_name}}">
<!--[if mso]><v:roundrect href="https://shop.example.test/?n={{contact.first_name}}"><center>{{contact.first_name}}\
</center></v:roundrect><![endif]-->
<a href="{{links.unsubscribe}}">leave</a></body></html>"""
SUBJECT = "For {{contact.first_name}}, today"
TEXT = "Hello {{contact.first_name}}. Leave: {{links.unsubscribe}}"

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='x", "javascript:alert(1)",
    "{{contact.email}}", "{{links.unsubscribe}}", "{% raw %}${7*7}#{7*7}", "\r\nBcc: victim@example.test",
    "-->", "<![endif]-->", "--!>", "</style><script>", "&lt;b&gt;", "\u202egnp.exe", "😀" * 50, "x" * 10_000,
    "a\x00b\x1b[31m", "\u2028\u2029", "../../etc/passwd", "//evil.example.test", "@evil.example.test",
    "%0d%0aBcc:", "{{ contact.__class__.__init__.__globals__ }}", "{0.__class__}", "&#x22;",
)  # fmt: skip
names = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=200), st.text("<>\"'&{}|%/\\:;-! \r\n", max_size=60))


def compiled_of(page: str = PAGE, **more: Any) -> Compiled:
    compiled, problems = compile_template(Source(SUBJECT, "", clean(page), TEXT, **more), custom_fields=("plan",))
    assert not [problem for problem in problems if problem.severity == "error"], problems
    return compiled


COMPILED = compiled_of()


class Shape(HTMLParser):
    """What of a page is no text: tags, and of each its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str]] = []
        self.comments: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.attributes if known == name]


def data_of(name: str) -> dict[str, Any]:
    return {
        "contact": {"first_name": name, "email": "somebody@example.test"},
        "links": {"unsubscribe": "https://mail.example.test/u/token"},
    }


PLAIN = Shape(COMPILED.write(data_of("Ana")).html)


@given(names)
def test_a_page_has_the_same_shape_for_everybody(name: str) -> None:
    written = COMPILED.write(data_of(name))
    shape = Shape(written.html)
    assert shape.tags == PLAIN.tags
    assert len(shape.comments) == len(PLAIN.comments)
    [condition] = shape.comments
    inside = Shape(condition.removeprefix("[if mso]>").removesuffix("<![endif]"))
    assert [tag for tag, _ in inside.tags] == ["v:roundrect", "center"]
    link, mail, leave = shape.values("href")
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "shop.example.test", "/a")
    assert set(parse_qs(parts.query)) <= {"name", "b"}
    assert mail.startswith("mailto:somebody@example.test?subject=")
    assert mail.count("&") == mail.count("?") - 1 == 0
    assert leave == "https://mail.example.test/u/token"
    assert urlsplit(shape.values("src")[0]).netloc == "shop.example.test"


@given(names)
def test_lines_are_one_line_and_text_is_what_it_says(name: str) -> None:
    written = COMPILED.write(data_of(name))
    assert not re.search(r"[\x00-\x1f\x7f\u2028\u2029]", written.subject)
    assert len(written.subject) <= 500
    assert written.text.startswith("Hello ")
    assert written.text.endswith("Leave: https://mail.example.test/u/token")
    assert "\n" not in written.text


@given(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=100))
def test_what_is_shown_is_the_value(name: str) -> None:
    written = COMPILED.write(data_of(name))
    shape = Shape(written.html)
    assert f"Hi {name}," in shape.text
    assert shape.values("alt") == [name]
    assert written.text.startswith(f"Hello {name}.")


@given(names, names)
def test_a_value_is_never_read_as_a_tag(name: str, email: str) -> None:
    page = "<p>{{contact.first_name}}|{{contact.last_name}}</p>"
    compiled, _ = compile_template(Source("", "", clean(page)))
    data = {"contact": {"first_name": "{{contact.last_name}}", "last_name": name, "email": email}}
    assert "{{contact.last_name}}|" in html.unescape(compiled.write(data).html)


@pytest.mark.parametrize(
    "path",
    ["contact.__class__", "contact.first_name.upper", "contact", "data.a.b.c", "self.x", "contact.first_name()"],
)
def test_only_what_is_known_is_a_tag(path: str) -> None:
    _, problems = compile_template(Source("", "", clean(f"<p>{{{{{path}}}}}</p>")), custom_fields=())
    assert {problem.code for problem in problems} & {"bad_tag", "unknown_tag"}


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ("<style>p {color: {{contact.first_name}}}</style><p>a</p>", "tag_in_css"),
        ('<p style="color:{{contact.first_name}}">a</p>', "tag_in_css"),
        ('<p class="{{contact.first_name}}">a</p>', "tag_in_attribute"),
        ('<a href="{{contact.first_name}}">a</a>', "tag_in_address"),
        ('<a href="{{custom.plan}}://x/">a</a>', "tag_in_address"),
        ('<a href="https://{{contact.first_name}}/">a</a>', "tag_in_address"),
        ('<a href="https://a.test{{contact.first_name}}">a</a>', "tag_in_address"),
        ('<a href="https://a.test/{{links.unsubscribe}}">a</a>', "tag_in_address"),
        ('<img src="{{contact.first_name}}">', "tag_in_address"),
        ("<!--[if mso]><style>a{ {{contact.email}} }</style><![endif]-->", "tag_in_css"),
        ("<p>{{contact.first_name</p>", "bad_tag"),
        ("<p>{{contact.first_name | eval}}</p>", "bad_tag"),
        ('<p>{{contact.first_name | date:"%9999d"}}</p>', "bad_tag"),
        ("<p>{{contact.nothing}}</p>", "unknown_tag"),
        ("<p>{{custom.nothing}}</p>", "unknown_tag"),
        ("<p>" + "{{contact.email}}" * 201 + "</p>", "too_many_tags"),
    ],
)
def test_what_cannot_be_rendered_safely_is_refused(page: str, code: str) -> None:
    _, problems = compile_template(Source("", "", clean(page)), custom_fields=("plan",))
    assert code in {problem.code for problem in problems if problem.severity == "error"}


def test_missing_values() -> None:
    page = '<p>{{contact.first_name | default:"you & me"}}-{{contact.last_name}}-</p>'
    compiled, problems = compile_template(Source("", "", clean(page)), custom_fields=())
    assert "you &amp; me--" in compiled.write({}).html
    assert [problem.message for problem in problems if problem.code == "no_default"] != []
    strict, _ = compile_template(Source("", "", clean(page), policy="strict"))
    with pytest.raises(Missing, match=r"contact\.last_name"):
        strict.write({"contact": {"last_name": ""}})


@pytest.mark.parametrize(
    ("tag", "value", "locale", "text"),
    [
        ("upper", "ana", "", "ANA"),
        ("lower | title", "ANA SOUZA", "", "Ana Souza"),
        ('number:"2"', "1234.5", "", "1,234.50"),
        ('number:"2"', 1234.5, "pt-BR", "1.234,50"),
        ("number", 1234, "", "1,234"),
        ('money:"BRL"', "1234.5", "pt", "BRL 1.234,50"),
        ('date:"DD/MM/YYYY HH:mm"', "2026-11-27T09:05:00+00:00", "", "27/11/2026 09:05"),
        ('date | default:"-"', "tomorrow", "", "-"),
        ('number:"2" | default:"none"', "1e400", "", "none"),
        ('number:"2" | default:"none"', "NaN", "", "none"),
        ('default:"none"', {"a": 1}, "", "none"),
        ('default:"none"', None, "", "none"),
        ('default:"none"', 0, "", "0"),
        ('default:"none"', False, "", "no"),
    ],
)
def test_formats(tag: str, value: object, locale: str, text: str) -> None:
    compiled, problems = compile_template(Source(f"{{{{custom.plan | {tag}}}}}"), custom_fields=("plan",))
    assert {problem.code for problem in problems} <= {"no_default"}
    assert compiled.write({"custom": {"plan": value}, "contact": {"locale": locale}}).subject == text


def test_links_are_numbered_and_followed_where_they_may_be() -> None:
    followed: list[tuple[int, str]] = []

    def follow(number: int, target: str) -> str:
        followed.append((number, target))
        return f"https://t.example.test/{number}"

    shape = Shape(COMPILED.write(data_of("A & B"), follow, end="<i>end</i>").html)
    assert followed == [
        (0, "https://shop.example.test/a?name=A%20%26%20B&b=1"),
        (1, "https://shop.example.test/?n=A%20%26%20B"),
    ]
    assert shape.values("href")[0] == "https://t.example.test/0"
    assert shape.values("href")[-1] == "https://mail.example.test/u/token"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.test", "", "https://a b", "ftp://a", 7])
def test_links_that_were_queued_are_of_the_web(address: object) -> None:
    compiled, _ = compile_template(Source("", "", clean('<a href="{{links.confirm}}">x</a>')))
    assert Shape(compiled.write({"links": {"confirm": address}}).html).values("href") == ["#"]


def test_the_plain_text_part_is_made_of_the_page() -> None:
    compiled, _ = compile_template(Source("", "", clean(PAGE)))
    forged, _ = compile_template(Source("", "", clean("<p>a&#xe000;7&#xe001;b\ue0000\ue001</p>")))
    assert forged.write(data_of("Ana")).text == "a7b0"
    hostile = compiled.write(data_of("A & b\ue0000\ue001")).text
    assert "look ( https://shop.example.test/a?name=A%20%26%20b%EE%80%800%EE%80%81&b=1 )" in hostile
    text = compiled.write(data_of("Ana")).text
    assert text.splitlines() == [
        "Hi Ana, you",
        "look ( https://shop.example.test/a?name=Ana&b=1 ) write ( somebody@example.test?subject=Ana ) leave "
        "( https://mail.example.test/u/token )",
    ]  # fmt: skip
