"""An asyncio client of the WebSocket API that Quadcode-platform brokers share. See README.md."""

from libs.quadcode.client import Client, ConnectionState
from libs.quadcode.errors import (
    AuthenticationFailed,
    ConnectionLost,
    FeatureDisabled,
    NotConnected,
    OAuthRefused,
    OrderError,
    OrderOutcomeUnknown,
    OrderRejected,
    QuadcodeError,
    RequestFailed,
    RequestRefused,
    RequestTimeout,
    TokensNotStored,
    TranslationsUnavailable,
    UnexpectedReply,
)
from libs.quadcode.oauth import OAuth
from libs.quadcode.oauth_session_ids import OAuthSessionIds
from libs.quadcode.password import PasswordLogin
from libs.quadcode.session_ids import FixedSessionId, SessionIds
from libs.quadcode.token_storage import FileTokens, MemoryTokens, Tokens, TokenStorage

__all__ = [
    "AuthenticationFailed",
    "Client",
    "ConnectionLost",
    "ConnectionState",
    "FeatureDisabled",
    "FileTokens",
    "FixedSessionId",
    "MemoryTokens",
    "NotConnected",
    "OAuth",
    "OAuthRefused",
    "OAuthSessionIds",
    "OrderError",
    "OrderOutcomeUnknown",
    "OrderRejected",
    "PasswordLogin",
    "QuadcodeError",
    "RequestFailed",
    "RequestRefused",
    "RequestTimeout",
    "SessionIds",
    "TokenStorage",
    "Tokens",
    "TokensNotStored",
    "TranslationsUnavailable",
    "UnexpectedReply",
]
