"""Rules about one contact, as their authors write them: the tree that segments are made of, about what is known of the
contact and of the event that began the run."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from libs.contracts.codec import Message
from libs.contracts.pattern import END
from services.crm.segments.comparisons import COMPARISONS, OF_TAGS
from services.crm.workflows.comparing import DAYS, Value, compares, moment

MAX_DEPTH = 5
MAX_LEAVES = 50

_BY_TYPE = {
    "text": ("email", "phone", "first_name", "last_name", "name", "locale", "timezone", "source", "status",
             "account_type", "balance_band"),
    "number": ("score", "balance", "real_balance", "trades", "real_trades", "losses_in_a_row"),
    "time": ("created_at", "last_seen_at", "last_trade_at", "last_real_trade_at", "first_deposit_at"),
    "boolean": ("is_user", "bot_running"),
    "set": ("tags", "segments"),
}  # fmt: skip
TYPES: Mapping[str, str] = {name: type_ for type_, names in _BY_TYPE.items() for name in names}
"""Of fields: its own, and of who trades. Of a `set` what is said of one holds when it holds for any of them."""
CUSTOM, EVENT = "custom.", "event."
"""Prefixes of fields that the deployment has added, and of what came with the event."""
_SETS = (*OF_TAGS, "eq", "ne")
_LISTS = ("in", "not_in", "between")
_SHAPE = '{"op": "and" | "or" | "not", "children": […]} or {"field", "cmp", "value"}'

S = TypeVar("S", bound=msgspec.Struct)
Scalar = bool | int | float | Annotated[str, Meta(max_length=500)]
Comparison = Literal[
    "eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "not_in", "contains", "not_contains", "starts_with",
    "ends_with", "within_days", "older_than_days", "empty", "not_empty",
]  # fmt: skip


class BadRule(ValueError):
    """It is none; the message begins with where."""


class Leaf(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    field: Annotated[str, Meta(max_length=120, pattern=r"^(custom\.|event\.)?[a-z][a-z0-9_]*" + END)]
    cmp: Comparison
    value: Scalar | Annotated[tuple[Scalar, ...], Meta(min_length=1, max_length=100)] | None = None


class Group(Message, frozen=True, kw_only=True):
    op: Literal["and", "or", "not"]
    children: tuple["Leaf | Group", ...]
    """Of `not` one."""


class _Group(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As it is written."""

    op: Literal["and", "or", "not"]
    children: Annotated[tuple[Any, ...], Meta(min_length=1, max_length=MAX_LEAVES)]


Rule = Leaf | Group


def parse(raw: object) -> Rule:
    """Raises BadRule."""
    rule = _parse(raw, "rule", 1)
    if sum(1 for _ in leaves(rule)) > MAX_LEAVES:
        raise BadRule(f"rule: more than {MAX_LEAVES} comparisons")
    return rule


def leaves(rule: Rule) -> Iterator[Leaf]:
    if isinstance(rule, Leaf):
        yield rule
    else:
        for child in rule.children:
            yield from leaves(child)


def holds(rule: Rule, facts: Mapping[str, Any], now: datetime) -> bool:
    """`facts`: a value per field; what is missing is empty."""
    if isinstance(rule, Leaf):
        return compares(rule.cmp, facts.get(rule.field), rule.value, now)
    if rule.op == "not":
        return not holds(rule.children[0], facts, now)
    return (all if rule.op == "and" else any)(holds(child, facts, now) for child in rule.children)


def _parse(raw: object, path: str, depth: int) -> Rule:
    if not isinstance(raw, Mapping) or not {"op", "field"} & raw.keys():
        raise BadRule(f"{path}: Expected {_SHAPE}")
    if "op" not in raw:
        leaf = _shape(raw, Leaf, path)
        _check(leaf, path)
        return leaf
    if depth > MAX_DEPTH:
        raise BadRule(f"{path}: nested deeper than {MAX_DEPTH} levels")
    group = _shape(raw, _Group, path)
    if group.op == "not" and len(group.children) != 1:
        raise BadRule(f"{path}.children: `not` has one")
    children = (_parse(child, f"{path}.children.{index}", depth + 1) for index, child in enumerate(group.children))
    return Group(op=group.op, children=tuple(children))


def _shape(raw: object, type_: type[S], path: str) -> S:
    try:
        return msgspec.convert(raw, type_)
    except msgspec.ValidationError as error:
        raise BadRule(f"{path}: {error}") from None


def _check(leaf: Leaf, path: str) -> None:
    type_ = TYPES.get(leaf.field, "")
    if not type_ and not leaf.field.startswith((CUSTOM, EVENT)):
        raise BadRule(f"{path}.field: there is no field {leaf.field}")
    allowed = _SETS if type_ == "set" else COMPARISONS.get(type_)
    if allowed is not None and leaf.cmp not in allowed:
        raise BadRule(f"{path}.cmp: with {leaf.field} only {', '.join(allowed)} can be used")
    if (leaf.value is None) != (leaf.cmp in ("empty", "not_empty")):
        raise BadRule(f"{path}.value: `{leaf.cmp}` takes {'one' if leaf.value is None else 'none'}")
    if isinstance(leaf.value, tuple) != (leaf.cmp in _LISTS):
        raise BadRule(f"{path}.value: `{leaf.cmp}` takes {'a list' if leaf.cmp in _LISTS else 'one value'}")
    values = leaf.value if isinstance(leaf.value, tuple) else () if leaf.value is None else (leaf.value,)
    if leaf.cmp == "between" and len(values) != 2:
        raise BadRule(f"{path}.value: `between` takes two values")
    for value in values:
        if (wrong := _wrong_with("days" if leaf.cmp in DAYS else type_, value)) is not None:
            raise BadRule(f"{path}.value: {wrong}")


def _wrong_with(type_: str, value: Value) -> str | None:
    """Nothing is asked of what a field may be that the deployment has added."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match type_:
        case "text" | "set" if not isinstance(value, str):
            return "must be a text"
        case "number" if not number:
            return "must be a number"
        case "boolean" if not isinstance(value, bool):
            return "must be true or false"
        case "time" if moment(value) is None:
            return "must be a time such as 2026-11-27T12:00:00Z"
        case "days" if not (isinstance(value, int) and number and 1 <= value <= 9999):
            return "must be a number of days from 1 to 9999"
    return None
