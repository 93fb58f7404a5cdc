"""What travels beside a message, in its headers."""

from contextvars import ContextVar

from libs.bus.tracing import carried

REQUEST_ID_HEADER = "X-Request-Id"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Joins the logs of everything one request causes."""


def headers() -> dict[str, str]:
    current = request_id.get()
    return {REQUEST_ID_HEADER: current, **carried()} if current else carried()
