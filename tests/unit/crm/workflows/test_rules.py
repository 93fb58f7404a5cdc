"""Rules hold for one contact as they read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.workflows.rules import BadRule, Group, Leaf, Rule, holds, parse

FACTS = {
    "email": "Ana@Example.test", "score": 40, "status": "lead", "tags": ["vip", "early bird"], "segments": [],
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
    ("score", "gt", "3", False),
    ("score", "in", [1, 40], True),
    ("status", "not_in", ["customer", "churned"], True),
    ("tags", "eq", "VIP", True),
    ("tags", "ne", "vip", False),
    ("tags", "contains", "bird", True),
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
    assert holds(parse(written), FACTS) is expected
    assert holds(parse({"op": "not", "children": [written]}), FACTS) is not expected


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

    assert holds(rule, {"score": score}) is eval(written(rule))  # noqa: S307 - made here


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
        {"op": "or", "children": [{"op": "or", "children": [{"field": "score", "cmp": "empty"}] * 30}] * 2},
    ],
)
def test_what_is_none_is_refused(written: Any) -> None:
    with pytest.raises(BadRule):
        parse(written)
