"""Rules hold for one contact as they read."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.segments.comparisons import COMPARISONS, OF_TAGS
from services.crm.workflows.rules import BadRule, Group, Leaf, Rule, holds, parse
from tests.integration.crm.naive_rules import picks

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
FACTS = {
    "email": "Ana@Example.test", "score": 40, "status": "lead", "tags": ["vip", "early bird"], "segments": [],
    "last_trade_at": "2026-11-26T12:00:00+00:00", "first_deposit_at": None, "custom.day": "2026-11-01",
    "custom.city": "Recife", "custom.member": True, "event.amount": 12.5, "name": "",
}  # fmt: skip

HOLDS: list[tuple[str, str, Any, bool]] = [
    ("email", "eq", "ana@example.test", True),
    ("email", "ends_with", "@EXAMPLE.test", True),
    ("email", "starts_with", "bob", False),
    ("score", "gte", 40, True),
    ("score", "gt", 40, False),
    ("score", "lt", 41.5, True),
    ("score", "eq", 40.0, True),
    ("score", "between", [40, 41], True),
    ("score", "between", [41, 42], False),
    ("score", "in", [1, 40], True),
    ("status", "not_in", ["customer", "churned"], True),
    ("tags", "eq", "VIP", True),
    ("tags", "ne", "vip", False),
    ("tags", "contains", " VIP ", True),
    ("tags", "contains", "bird", False),
    ("tags", "not_contains", "bird", True),
    ("last_trade_at", "gte", "2026-11-26T09:00:00-03:00", True),
    ("last_trade_at", "gt", "2026-11-26T09:00:00-03:00", False),
    ("last_trade_at", "lt", "2026-11-26T13:00:00+02:00", False),
    ("last_trade_at", "within_days", 2, True),
    ("last_trade_at", "older_than_days", 2, False),
    ("first_deposit_at", "older_than_days", 2, False),
    ("custom.day", "eq", "2026-11-01T00:00:00Z", True),
    ("segments", "empty", None, True),
    ("segments", "in", ["a"], False),
    ("custom.city", "ne", "Olinda", True),
    ("custom.member", "eq", True, True),
    ("custom.member", "eq", 1, False),
    ("custom.nothing", "empty", None, True),
    ("custom.nothing", "lt", 5, False),
    ("event.amount", "lte", 12.5, True),
    ("name", "not_empty", None, False),
]


@pytest.mark.parametrize(("field", "cmp", "value", "expected"), HOLDS)
def test_one_comparison(field: str, cmp: str, value: Any, expected: bool) -> None:
    written = {"field": field, "cmp": cmp} | ({} if value is None else {"value": value})
    assert holds(parse(written), FACTS, NOW) is expected
    assert holds(parse({"op": "not", "children": [written]}), FACTS, NOW) is not expected


KINDS = {
    "text": ("name", "status"), "number": ("score", "trades"), "time": ("last_trade_at", "created_at"),
    "boolean": ("bot_running", "is_user"),
}  # fmt: skip
TIMES = [NOW - timedelta(days=days, hours=12) for days in (0, 1, 5, 20)]
VALUES: dict[str, tuple[Any, ...]] = {
    "text": ("a", "A", "ab", "Ba", "2026"), "number": (0, 1, 5.5, -3), "boolean": (True, False),
    "time": (*(time.isoformat() for time in TIMES), TIMES[1].astimezone(timezone(timedelta(hours=-3))).isoformat()),
}  # fmt: skip


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from((*KINDS, "tags")))
    cmp = draw(st.sampled_from(OF_TAGS if kind == "tags" else COMPARISONS[kind]))
    field = "tags" if kind == "tags" else draw(st.sampled_from(KINDS[kind]))
    if cmp in ("empty", "not_empty"):
        return {"field": field, "cmp": cmp}
    one = st.sampled_from((1, 2, 10) if "days" in cmp else ("a", " B ", "none") if kind == "tags" else VALUES[kind])
    many = st.lists(one, min_size=2, max_size=2 if cmp == "between" else 3)
    return {"field": field, "cmp": cmp, "value": draw(many if cmp in ("in", "not_in", "between") else one)}


@st.composite
def contacts(draw: st.DrawFn) -> dict[str, Any]:
    known = {
        field: draw(st.sampled_from((None, *(TIMES if kind == "time" else VALUES[kind]))))
        for kind, fields in KINDS.items()
        for field in fields
    }
    return known | {"tags": draw(st.sets(st.sampled_from(("a", "b", "ab"))))}


@given(comparisons(), contacts())
def test_a_rule_means_what_it_means_to_segments(written: dict[str, Any], contact: dict[str, Any]) -> None:
    """Which are tried against the same plain words (tests/integration/crm/test_rules.py)."""
    facts = {
        name: value.isoformat() if isinstance(value, datetime) else sorted(value) if isinstance(value, set) else value
        for name, value in contact.items()
    }
    assert holds(parse(written), facts, NOW) is picks(written, contact, NOW)


_LEAVES = st.sampled_from([parse({"field": "score", "cmp": cmp, "value": 40}) for cmp in ("eq", "gt")])
_RULES: st.SearchStrategy[Rule] = st.recursive(
    _LEAVES,
    lambda inner: st.builds(
        lambda op, children: Group(op=op, children=tuple(children[:1] if op == "not" else children)),
        st.sampled_from(["and", "or", "not"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


@given(_RULES, st.integers(38, 42))
def test_trees_are_read_from_the_inside(rule: Rule, score: int) -> None:
    def written(part: Rule) -> str:
        if isinstance(part, Leaf):
            return f"({score} {'==' if part.cmp == 'eq' else '>'} {part.value})"
        if part.op == "not":
            return f"(not {written(part.children[0])})"
        return "(" + f" {part.op} ".join(map(written, part.children)) + ")"

    assert holds(rule, {"score": score}, NOW) is eval(written(rule))  # noqa: S307 - made here


@pytest.mark.parametrize(
    "written",
    [
        None,
        [],
        {},
        {"op": "xor", "children": []},
        {"op": "and", "children": []},
        {"op": "not", "children": [{"field": "score", "cmp": "empty"}] * 2},
        {"field": "score", "cmp": "eq"},
        {"field": "score", "cmp": "eq", "value": [1]},
        {"field": "score", "cmp": "in", "value": 1},
        {"field": "score", "cmp": "empty", "value": 1},
        {"field": "score; drop table", "cmp": "empty"},
        {"field": "deleted_at", "cmp": "empty"},
        {"field": "score", "cmp": "regexp", "value": ".*"},
        {"field": "score", "cmp": "gt", "value": "3"},
        {"field": "score", "cmp": "contains", "value": 3},
        {"field": "score", "cmp": "between", "value": [1]},
        {"field": "tags", "cmp": "gt", "value": "a"},
        {"field": "bot_running", "cmp": "eq", "value": "true"},
        {"field": "last_trade_at", "cmp": "gt", "value": "yesterday"},
        {"field": "last_trade_at", "cmp": "within_days", "value": 0},
        {"all": [{"field": "score", "cmp": "empty"}]},
        {"op": "or", "children": [{"op": "or", "children": [{"field": "score", "cmp": "empty"}] * 30}] * 2},
    ],
)
def test_what_is_none_is_refused(written: Any) -> None:
    with pytest.raises(BadRule):
        parse(written)


def test_the_right_shape_is_named() -> None:
    with pytest.raises(BadRule, match=r'rule.children.0: Expected \{"op": "and"'):
        parse({"op": "and", "children": [{"all": []}]})
    with pytest.raises(BadRule, match=r"rule.cmp: with score only eq, ne, gt"):
        parse({"field": "score", "cmp": "contains", "value": 1})
