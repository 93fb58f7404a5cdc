"""What happened to a user, by an administrator's hand (stream OPERATORS)."""

from datetime import datetime
from enum import StrEnum

from libs.contracts.codec import Message


class UserAction(StrEnum):
    """As in `user_activity_log`."""

    ACTIVATED = "activated"
    SUSPENDED = "suspended"
    ROLE = "role"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - the name of an action


class UserActed(Message, frozen=True, kw_only=True):
    """Told when it is committed (`operators.user`)."""

    id: str
    at: datetime
    user: str
    by: str
    """The administrator's user id."""
    action: UserAction
    reason: str = ""
    """Why somebody was suspended."""
    role: str | None = None
    """The new one; None: dismissed."""
