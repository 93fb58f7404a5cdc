import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from libs.bus import request_id
from libs.service.logging import REDACTED, configure, user_id


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("edge", "edge-1", "INFO", stream)
    yield stream
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def only_line(output: io.StringIO) -> dict[str, Any]:
    (line,) = output.getvalue().splitlines()
    event: dict[str, Any] = json.loads(line)
    return event


def test_an_event_is_one_line_of_json_that_says_who_and_when(output: io.StringIO) -> None:
    structlog.get_logger().info("order_sent", stake="1.00")
    event = only_line(output)
    timestamp = datetime.fromisoformat(event.pop("timestamp"))
    assert timestamp.tzinfo == UTC
    assert event == {
        "event": "order_sent",
        "stake": "1.00",
        "level": "info",
        "service": "edge",
        "instance": "edge-1",
    }


def test_request_and_user_come_from_the_context(output: io.StringIO) -> None:
    request_id.set("req-1")
    user_id.set("user-1")
    try:
        structlog.get_logger().info("asked")
        assert only_line(output).items() >= {"request_id": "req-1", "user": "user-1"}.items()
    finally:
        request_id.set("")
        user_id.set("")


def test_what_the_caller_says_about_the_user_wins(output: io.StringIO) -> None:
    structlog.get_logger().info("asked", user="user-2")
    assert only_line(output)["user"] == "user-2"


@pytest.mark.parametrize("key", ["password", "nats_password", "ssid", "Authorization", "access_token", "api_key"])
def test_values_under_secret_keys_are_hidden_at_any_depth(output: io.StringIO, key: str) -> None:
    structlog.get_logger().info("sent", **{key: "s3cr3t"}, headers={"deep": [{key: "s3cr3t"}]})
    event = only_line(output)
    assert event[key] == REDACTED
    assert "s3cr3t" not in output.getvalue()


def test_a_signed_token_inside_a_text_is_hidden(output: io.StringIO) -> None:
    structlog.get_logger().info("failed", error="GET /?t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln was refused")
    assert only_line(output)["error"] == f"GET /?t={REDACTED} was refused"


def test_an_exception_keeps_to_one_line(output: io.StringIO) -> None:
    try:
        raise ValueError("what happened")
    except ValueError:
        structlog.get_logger().exception("it_failed")
    assert "ValueError: what happened" in only_line(output)["exception"]


def test_libraries_log_through_the_same_pipe(output: io.StringIO) -> None:
    logging.getLogger("some.library").warning("lost %s", "contact")
    assert (
        only_line(output).items()
        >= {
            "event": "lost contact",
            "level": "warning",
            "logger": "some.library",
            "service": "edge",
        }.items()
    )


def test_what_is_below_the_level_is_not_written(output: io.StringIO) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("some.library").debug("detail")
    logging.getLogger("httpx").info("HTTP Request: GET")
    assert output.getvalue() == ""
