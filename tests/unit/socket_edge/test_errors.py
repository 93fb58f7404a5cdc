import json

import pytest

from libs.contracts.rpc import ErrorCode, RpcError
from services.socket_edge import wire
from services.socket_edge.errors import ApiError, invalid, of_rpc


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_of_a_service_becomes_an_answer(code: ErrorCode) -> None:
    error = of_rpc(RpcError(code, "words of the service"))
    assert error.code == code
    assert 400 <= error.status <= 504
    assert error.message


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ErrorCode.INVALID_REQUEST, 400),
        (ErrorCode.ASSET_NOT_FOUND, 404),
        (ErrorCode.NOT_CONNECTED, 400),
        (ErrorCode.BROKER_REFUSED, 422),
        (ErrorCode.BROKER_UNREACHABLE, 502),
        (ErrorCode.UNAVAILABLE, 503),
        (ErrorCode.TIMEOUT, 504),
        (ErrorCode.INTERNAL, 500),
    ],
)
def test_the_status_says_who_must_act(code: ErrorCode, status: int) -> None:
    assert of_rpc(RpcError(code, "")).status == status


@pytest.mark.parametrize("code", [ErrorCode.UNAVAILABLE, ErrorCode.TIMEOUT, ErrorCode.INTERNAL])
def test_the_inside_is_not_told(code: ErrorCode) -> None:
    assert "rpc.gateway" not in of_rpc(RpcError(code, "no answer from rpc.gateway.connect in time")).message


def test_only_unavailable_says_when_to_come_back() -> None:
    assert "Retry-After" in of_rpc(RpcError(ErrorCode.UNAVAILABLE, "")).headers
    assert "Retry-After" not in of_rpc(RpcError(ErrorCode.TIMEOUT, "")).headers


def body(error: ApiError) -> object:
    return json.loads(wire.encode(error.body("req-1")))


def test_the_body_has_the_words_where_clients_look_for_them() -> None:
    assert body(invalid("amount: too much", "amount")) == {
        "success": False,
        "error": "amount: too much",
        "code": "INVALID_REQUEST",
        "message": "amount: too much",
        "requestId": "req-1",
        "field": "amount",
    }


def test_what_does_not_apply_is_left_out() -> None:
    assert body(ApiError(400, "ALREADY_RUNNING", "Bot is already running", pid=3)) == {
        "success": False,
        "error": "Bot is already running",
        "code": "ALREADY_RUNNING",
        "message": "Bot is already running",
        "requestId": "req-1",
        "pid": 3,
    }
