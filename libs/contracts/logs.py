"""What administrators find in the log of the platform: who did what, and what went wrong."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from libs.contracts.codec import Message


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    CRITICAL = "critical"


class LogOrigin(StrEnum):
    API = "api"
    BOT = "bot"
    WORKER = "worker"
    FRONTEND = "frontend"


class LogRecorded(Message, frozen=True, kw_only=True):
    """For who looks on: `operators.log`."""

    id: str
    at: datetime
    """When it happened."""
    number: int
    """`admin_logs.id`."""
    level: LogLevel
    origin: LogOrigin
    message: str
    metadata: dict[str, Any]
