"""Logs: one JSON object per line on standard output, of our code and of the libraries alike.

Every line has `event`, `level`, `timestamp` (UTC), `service`, `instance`, and where they exist `request_id`, `user` and
`trace_id`.
"""

import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from libs.bus.context import request_id
from libs.bus.tracing import trace_id

user_id: ContextVar[str] = ContextVar("user_id", default="")
"""The user on whose behalf the current task works."""

REDACTED = "[redacted]"
_SECRET_KEYS = re.compile(r"passw|secret|token|ssid|authorization|cookie|api_?key|credential", re.IGNORECASE)
_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_CHATTY = ("aiohttp.access", "engineio", "httpcore", "httpx", "socketio")
"""Libraries that log every request at INFO."""


def configure(service: str, instance: str, level: str, stream: TextIO | None = None) -> None:
    structlog.configure(
        processors=[
            _Identity(service, instance),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stdout),
    )
    logging.basicConfig(handlers=[_ThroughStructlog()], level=level, force=True)
    logging.captureWarnings(True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Identity:
    """Says who logs, and on whose behalf."""

    def __init__(self, service: str, instance: str) -> None:
        self._process = {"service": service, "instance": instance}

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        for key, variable in (("request_id", request_id), ("user", user_id)):
            value = variable.get()
            if value:
                event.setdefault(key, value)
        if trace := trace_id():
            event.setdefault("trace_id", trace)
        event.update(self._process)
        return event


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hides values under keys that name a secret, and signed tokens wherever they stand in a text."""
    return {key: _redacted(key, value) for key, value in event.items()}


@lru_cache(maxsize=1024)
def _secret(key: str) -> bool:
    """Asked of every field of every line; there are few names."""
    return _SECRET_KEYS.search(key) is not None


def _redacted(key: str, value: Any) -> Any:
    if _secret(key):
        return REDACTED
    if isinstance(value, str):
        return _JWT.sub(REDACTED, value) if "eyJ" in value else value
    if isinstance(value, Mapping):
        return {inner: _redacted(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", item) for item in value]
    return value


class _ThroughStructlog(logging.Handler):
    """Hands the records of libraries to the same pipe."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger().bind(logger=record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)
