"""What an operator must see."""

from datetime import datetime
from enum import StrEnum

import msgspec

from libs.contracts.codec import Message


class Severity(StrEnum):
    WARNING = "warning"
    CRITICAL = "critical"


class Alert(Message, frozen=True, kw_only=True):
    id: str
    at: datetime
    severity: Severity
    service: str
    kind: str
    """Stable word, e.g. `order_unknown`."""
    message: str
    user: str = ""
    details: dict[str, str] = msgspec.field(default_factory=dict)
