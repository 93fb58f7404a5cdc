"""Rules about one contact, and whether they hold: the tree that segments are made of, evaluated here on what is known
of the contact and of the event that began the run."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from libs.contracts.codec import Message
from libs.contracts.pattern import END

MAX_DEPTH = 5
MAX_LEAVES = 50

CONTACT_FIELDS = frozenset((
    "email", "phone", "first_name", "last_name", "name", "locale", "timezone", "source", "status", "score", "is_user",
    "created_at", "last_seen_at", "account_type", "bot_running", "balance", "real_balance", "balance_band", "trades",
    "real_trades", "losses_in_a_row", "last_trade_at", "last_real_trade_at", "first_deposit_at",
))  # fmt: skip
"""Its own, and of who trades. Times are ISO 8601, and compare as text."""
SET_FIELDS = frozenset(("tags", "segments"))
"""Of several values: what is said of one holds when it holds for any of them."""
CUSTOM, EVENT = "custom.", "event."
"""Prefixes of fields that the deployment has added, and of what came with the event."""

S = TypeVar("S", bound=msgspec.Struct)
Scalar = bool | int | float | Annotated[str, Meta(max_length=500)]
Comparison = Literal[
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "starts_with", "ends_with", "empty", "not_empty"
]


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


def holds(rule: Rule, facts: Mapping[str, Any]) -> bool:
    """`facts`: a value per field; what is missing is empty."""
    if isinstance(rule, Leaf):
        return _compare(rule, facts.get(rule.field))
    if rule.op == "not":
        return not holds(rule.children[0], facts)
    return (all if rule.op == "and" else any)(holds(child, facts) for child in rule.children)


def _parse(raw: object, path: str, depth: int) -> Rule:
    if depth > MAX_DEPTH:
        raise BadRule(f"{path}: nested deeper than {MAX_DEPTH} levels")
    if not isinstance(raw, Mapping) or "op" not in raw:
        leaf = _shape(raw, Leaf, path)
        _check(leaf, path)
        return leaf
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
    known = CONTACT_FIELDS | SET_FIELDS
    if not leaf.field.startswith((CUSTOM, EVENT)) and leaf.field not in known:
        raise BadRule(f"{path}.field: there is no field {leaf.field}")
    several, none = isinstance(leaf.value, tuple), leaf.value is None
    if leaf.cmp in ("empty", "not_empty"):
        if not none:
            raise BadRule(f"{path}.value: `{leaf.cmp}` takes none")
    elif none or several != (leaf.cmp in ("in", "not_in")):
        raise BadRule(f"{path}.value: `{leaf.cmp}` takes {'a list' if leaf.cmp in ('in', 'not_in') else 'one value'}")


def _compare(leaf: Leaf, known: Any) -> bool:
    if leaf.cmp in ("ne", "not_in", "not_empty"):
        positive: dict[str, Comparison] = {"ne": "eq", "not_in": "in", "not_empty": "empty"}
        return not _compare(msgspec.structs.replace(leaf, cmp=positive[leaf.cmp]), known)
    if leaf.cmp == "empty":
        return known is None or known == "" or (isinstance(known, list | tuple | set | frozenset) and not known)
    values = known if isinstance(known, list | tuple | set | frozenset) else (known,)
    if leaf.cmp == "in":
        wanted = leaf.value if isinstance(leaf.value, tuple) else ()
        return any(_equal(value, each) for value in values for each in wanted)
    return any(_OPERATORS[leaf.cmp](value, leaf.value) for value in values)


def _equal(known: Any, wanted: Any) -> bool:
    """Text without regard to case; a number is not a truth value."""
    if isinstance(known, str) and isinstance(wanted, str):
        return known.casefold() == wanted.casefold()
    return isinstance(known, bool) == isinstance(wanted, bool) and bool(known == wanted)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Numbers with numbers, texts with texts (as dates in ISO 8601 compare, too); anything else does not hold."""

    def operator(known: Any, wanted: Any) -> bool:
        numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (known, wanted))
        texts = isinstance(known, str) and isinstance(wanted, str)
        return (numbers or texts) and compare(known, wanted)

    return operator


def _textual(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def operator(known: Any, wanted: Any) -> bool:
        return known is not None and compare(str(known).casefold(), str(wanted).casefold())

    return operator


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "gt": _ordered(lambda known, wanted: known > wanted),
    "gte": _ordered(lambda known, wanted: known >= wanted),
    "lt": _ordered(lambda known, wanted: known < wanted),
    "lte": _ordered(lambda known, wanted: known <= wanted),
    "contains": _textual(lambda known, wanted: wanted in known),
    "starts_with": _textual(lambda known, wanted: known.startswith(wanted)),
    "ends_with": _textual(lambda known, wanted: known.endswith(wanted)),
}
