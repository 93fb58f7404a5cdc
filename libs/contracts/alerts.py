"""What an operator must see."""

from datetime import datetime
from enum import StrEnum

import msgspec

from libs.contracts.codec import Message


class Severity(StrEnum):
    INFO = "info"
    """Nothing has to be done: something is over."""
    WARNING = "warning"
    CRITICAL = "critical"


class AlertType(StrEnum):
    """The administrators' client tells these apart (api-contract §4.7)."""

    ERROR = "error"
    DISCONNECT = "disconnect"
    DRAWDOWN = "drawdown"
    CUSTOM = "custom"


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
    ends: str = ""
    """The id of the alert that is over with this."""

    @property
    def type(self) -> AlertType:
        """Of many alarms of one kind, which are told as one, that kind's."""
        return _TYPES.get(self.kind.removesuffix("_many"), AlertType.CUSTOM)


class AlertRecorded(Message, frozen=True, kw_only=True):
    """For who looks on: `operators.alert`."""

    id: str
    at: datetime
    number: int
    """By which administrators call it; 0 while the database is away."""
    alert: Alert


_TYPES = {
    "database_away": AlertType.DISCONNECT,
    "dead_letters": AlertType.ERROR,
    "drawdown_platform": AlertType.DRAWDOWN,
    "drawdown_user": AlertType.DRAWDOWN,
    "feed_lag": AlertType.DISCONNECT,
    "ledger_row_altered": AlertType.ERROR,
    "ledger_row_missing": AlertType.ERROR,
    "ledger_row_unknown": AlertType.ERROR,
    "loss_streak": AlertType.DRAWDOWN,
    "market_not_available": AlertType.DISCONNECT,
    "nats_stores_nothing": AlertType.DISCONNECT,
    "order_overdue": AlertType.ERROR,
    "order_unknown": AlertType.ERROR,
    "orders_rejected": AlertType.ERROR,
    "orders_rejected_user": AlertType.ERROR,
    "position_not_in_books": AlertType.ERROR,
    "service_missing": AlertType.DISCONNECT,
    "session_lost": AlertType.DISCONNECT,
    "session_not_renewed": AlertType.DISCONNECT,
    "session_refused": AlertType.DISCONNECT,
    "stream_nearly_full": AlertType.ERROR,
    "strategy_disabled": AlertType.ERROR,
    "strategy_not_loaded": AlertType.ERROR,
}
