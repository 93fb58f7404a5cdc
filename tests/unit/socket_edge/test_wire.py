"""How deep JSON may be."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.socket_edge.errors import ApiError
from services.socket_edge.reading import from_json
from services.socket_edge.wire import MAX_DEPTH, loads, too_deep

VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}"\\a', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"\\', max_size=2), inner, max_size=3),
    max_leaves=20,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(VALUES, st.integers(0, MAX_DEPTH + 3))
def test_too_deep_is_what_is_nested_deeper_than_the_limit(value: Any, more: int) -> None:
    for _ in range(more):
        value = [value, "]" * 40]
    assert too_deep(json.dumps(value).encode()) is (depth_of(value) > MAX_DEPTH)


def nested(levels: int) -> bytes:
    return b'{"a":[' * (levels // 2) + b"]}" * (levels // 2)


def test_bodies_and_events_stop_at_the_limit() -> None:
    assert from_json(nested(MAX_DEPTH), object)
    assert loads(nested(MAX_DEPTH).decode())
    with pytest.raises(ApiError) as refused:
        from_json(nested(MAX_DEPTH + 2), object)
    assert (refused.value.status, refused.value.code) == (400, "INVALID_REQUEST")
    assert "32" in refused.value.message
    with pytest.raises(ValueError, match="deeper"):
        loads(nested(MAX_DEPTH + 2).decode())


@pytest.mark.parametrize("data", [b'"' * 1_000_000, b'"' + b'\\"' * 500_000, b"[]" * 500_000, b'["' + b"\\" * 999_998])
def test_whatever_comes_it_is_seen_at_once(data: bytes) -> None:
    started = time.process_time()
    too_deep(b"[]" * (MAX_DEPTH + 1) + data)
    assert time.process_time() - started < 2, "linear: the square would take hours"
