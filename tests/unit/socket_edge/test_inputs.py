"""What clients may send, of every route that is declared: only fields that are named, and no more than a page."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from libs.contracts import rpc
from libs.contracts.money import TimeOfDay
from libs.contracts.pattern import END
from services.socket_edge import routes
from services.socket_edge.route import Route
from tests.messages import USER

WRITES = [route for route in routes.ALL if route.changes]
LONGEST = 200


def structs(type_: Any) -> Iterator[type]:
    """Every struct that a value of this type can contain."""
    seen: set[type] = set()
    waiting = [msgspec.inspect.type_info(type_)]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, msgspec.inspect.StructType):
            if kind.cls in seen:
                continue
            seen.add(kind.cls)
            yield kind.cls
            waiting += [field.type for field in kind.fields]
        for name in ("types", "item_types"):
            waiting += getattr(kind, name, ())
        waiting += [getattr(kind, name) for name in ("item_type", "key_type", "value_type") if hasattr(kind, name)]


@pytest.mark.parametrize("route", WRITES, ids=lambda route: f"{route.method} {route.path}")
def test_a_body_takes_no_field_that_is_not_declared_at_any_depth(route: Route[Any, Any]) -> None:
    for struct in structs(route.body):
        assert struct.__struct_config__.forbid_unknown_fields, struct  # type: ignore[attr-defined]  # msgspec's own


def texts(type_: Any) -> Iterator[msgspec.inspect.StrType]:
    for struct in structs(type_):
        for field in msgspec.structs.fields(struct):
            kind = msgspec.inspect.type_info(field.type)
            for each in getattr(kind, "types", (kind,)):
                if isinstance(each, msgspec.inspect.StrType) and each.pattern is not None:
                    yield each


@pytest.mark.parametrize("route", routes.ALL, ids=lambda route: f"{route.method} {route.path}")
def test_no_line_break_slips_in_behind_a_pattern(route: Route[Any, Any]) -> None:
    for part in (route.query, route.body):
        for text in texts(part):
            assert text.pattern is not None
            assert text.pattern.endswith(END) or re.fullmatch(text.pattern, "any\ntext\n"), text


@pytest.mark.parametrize(("type_", "value"), [(rpc.UserId, USER), (rpc.BrokerUserId, "42"), (TimeOfDay, "10:00")])
def test_nor_behind_an_id(type_: Any, value: str) -> None:
    assert msgspec.convert(value, type_) == value
    for wrong in (value + "\n", "\n" + value, value + " ", value + "\r\n", value + ".", value + "*", value + ">"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, type_)


@pytest.mark.parametrize("route", routes.ALL, ids=lambda route: f"{route.method} {route.path}")
def test_nobody_can_ask_for_more_than_a_page(route: Route[Any, Any]) -> None:
    """But for candles, of which as many are sent as there are asked for, up to the broker's thousand."""
    for field in msgspec.structs.fields(route.query):
        if field.encode_name in ("limit", "pageSize", "maxRecords") and route is not routes.CANDLES:
            kind = msgspec.inspect.type_info(field.type)
            assert isinstance(kind, msgspec.inspect.IntType)
            assert kind.le is not None
            assert kind.le <= LONGEST or "export" in route.path
