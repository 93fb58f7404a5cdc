"""The outer frames, as the protocol writes them."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.quadcode.frames import (
    MALFORMED,
    Authenticate,
    Envelope,
    Message,
    Outer,
    Routing,
    SetOptions,
    Subscribe,
    decode_envelope,
    encode,
    words,
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("outer", "msg", "wire"),
    [
        (
            Outer.AUTHENTICATE,
            Authenticate("sim"),
            {"ssid": "sim", "protocol": 3, "session_id": "", "client_session_id": ""},
        ),
        (Outer.SET_OPTIONS, SetOptions(), {"sendResults": True}),
        (
            Outer.SEND_MESSAGE,
            Message("core.get-profile", "1.0", {}),
            {"name": "core.get-profile", "version": "1.0", "body": {}},
        ),
        (
            Outer.SUBSCRIBE,
            Subscribe("candle-generated", "1.0", Routing({"active_id": 76, "size": 60})),
            {"name": "candle-generated", "version": "1.0", "params": {"routingFilters": {"active_id": 76, "size": 60}}},
        ),
        (Outer.UNSUBSCRIBE, Subscribe("positions-state", "1.0"), {"name": "positions-state", "version": "1.0"}),
    ],
)
def test_what_is_sent_reads_as_the_protocol_says(outer: Outer, msg: object, wire: dict[str, Any]) -> None:
    assert json.loads(encode(outer, "17", msg)) == {"name": str(outer), "request_id": "17", "msg": wire}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=0, max_value=10**12))
def test_money_goes_out_as_a_number_without_losing_a_digit(amount: Decimal) -> None:
    frame = json.loads(encode(Outer.SEND_MESSAGE, "1", Message("a", "1.0", {"price": amount})), parse_float=Decimal)
    assert Decimal(frame["msg"]["body"]["price"]) == amount


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "request_id": st.none() | st.text() | st.integers(0, 10**9),
            "name": st.none() | st.text(),
            "microserviceName": st.none() | st.text(),
            "status": st.none() | st.integers(0, 9999),
            "msg": json_values,
            "session_id": json_values,
        },
    )
)
def test_every_frame_a_server_may_send_is_read(frame: dict[str, Any]) -> None:
    envelope = decode_envelope(json.dumps(frame).encode())
    assert envelope.request_id == frame.get("request_id")
    assert envelope.name == frame.get("name")
    assert envelope.service == frame.get("microserviceName")
    assert envelope.status == frame.get("status")
    assert msgspec.json.decode(envelope.msg) == frame.get("msg")


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        envelope = decode_envelope(data)
    except MALFORMED:
        return
    assert isinstance(envelope, Envelope)


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({"message": "Insufficient funds for this transaction."}, "Insufficient funds for this transaction."),
        ({"message": ["one", "two"]}, '["one","two"]'),
        ({"to": "b", "from": ["from must not be in the future"]}, 'from: ["from must not be in the future"]; to: b'),
        ("busy", "busy"),
        (None, "null"),
        (7, "7"),
    ],
)
def test_a_refusal_is_worded_as_the_official_client_does(details: object, text: str) -> None:
    assert words(details) == text
