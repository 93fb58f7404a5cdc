"""An asyncio client of the WebSocket API that Quadcode-platform brokers share. See README.md."""

from libs.quadcode.client import Client, ConnectionState
from libs.quadcode.errors import (
    AuthenticationFailed,
    ConnectionLost,
    FeatureDisabled,
    NotConnected,
    OrderError,
    OrderOutcomeUnknown,
    OrderRejected,
    QuadcodeError,
    RequestFailed,
    RequestRefused,
    RequestTimeout,
    TranslationsUnavailable,
    UnexpectedReply,
)
from libs.quadcode.session_ids import FixedSessionId, SessionIds

__all__ = [
    "AuthenticationFailed",
    "Client",
    "ConnectionLost",
    "ConnectionState",
    "FeatureDisabled",
    "FixedSessionId",
    "NotConnected",
    "OrderError",
    "OrderOutcomeUnknown",
    "OrderRejected",
    "QuadcodeError",
    "RequestFailed",
    "RequestRefused",
    "RequestTimeout",
    "SessionIds",
    "TranslationsUnavailable",
    "UnexpectedReply",
]
