"""OAuth 2 with PKCE: codes for those who logged in, and tokens for codes (quadcode-protocol §4.3; RFC 6749, RFC 7636).

Codes live in memory for a minute and are good for one try. Access tokens are session ids of another lifetime. A refresh
token is good for a month and replaced when it is used; one that the file of accounts names stays good as long as it is
there.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest
from secrets import token_hex
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from libs.contracts.clock import Clock
from services.paper_broker.epoch import DAY, milliseconds
from services.paper_broker.sessions import NEVER, Sessions
from services.paper_broker.storage import Storage

OFFLINE = "offline_access"
"""The scope that asks for a refresh token."""
CODE_SECONDS = 60
REFRESH_SECONDS = 30 * DAY
"""How long a refresh token waits to be used."""
MAX_CODES = 10_000
"""Waiting to be redeemed; beyond that the oldest is forgotten."""

Text = Annotated[str, Meta(min_length=1, max_length=2000)]
ClientId = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class OAuthError(Exception):
    """Answered as 400 `{code, message}`, with the codes of RFC 6749 §5.2."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An application that is registered in the file of accounts."""

    id: ClientId
    secret: Text
    redirect_uris: tuple[Text, ...]


class Authorization(NamedTuple):
    """What an application asks a user for."""

    client_id: int
    redirect_uri: str
    challenge: str
    """base64url of the verifier's SHA-256, without padding."""
    scope: str


class CodeGrant(msgspec.Struct, frozen=True, tag_field="grant_type", tag="authorization_code"):
    code: Text
    redirect_uri: Text
    client_id: ClientId
    code_verifier: Annotated[str, Meta(pattern=r"^[A-Za-z0-9\-._~]{43,128}$")]


class RefreshGrant(msgspec.Struct, frozen=True, tag_field="grant_type", tag="refresh_token"):
    refresh_token: Text
    client_id: ClientId
    client_secret: Text


class Tokens(msgspec.Struct, frozen=True, omit_defaults=True):
    access_token: str
    expires_in: int
    """Seconds."""
    scope: str
    token_type: str
    refresh_token: str | None = None


class _Code(NamedTuple):
    user_id: int
    authorization: Authorization
    expires_at: int
    """Epoch milliseconds."""


class OAuth:
    def __init__(
        self, storage: Storage, sessions: Sessions, clients: Iterable[Client], lifetime: int, clock: Clock
    ) -> None:
        """`lifetime` of access tokens in seconds. Without registered clients, all ids and secrets are accepted."""
        self._storage = storage
        self._sessions = sessions
        self._clients = {client.id: client for client in clients}
        self._lifetime = lifetime
        self._clock = clock
        self._codes: dict[bytes, _Code] = {}

    def check(self, authorization: Authorization) -> None:
        """Raises OAuthError unless that client may ask, and be answered there."""
        client = self._client(authorization.client_id)
        if client is not None and authorization.redirect_uri not in client.redirect_uris:
            raise OAuthError("invalid_request", "redirect_uri: is not registered for this client")

    def code(self, user_id: int, authorization: Authorization) -> str:
        """For a user who has logged in and thereby agreed."""
        self.check(authorization)
        code, expires_at = token_hex(32), milliseconds(self._clock) + CODE_SECONDS * 1000
        while len(self._codes) >= MAX_CODES:
            del self._codes[next(iter(self._codes))]
        self._codes[_digest(code)] = _Code(user_id, authorization, expires_at)
        return code

    def redeem(self, grant: CodeGrant) -> Tokens:
        """Raises OAuthError; either way the code is used up."""
        code = self._codes.pop(_digest(grant.code), None)
        if code is None or code.expires_at <= milliseconds(self._clock):
            raise OAuthError("invalid_grant", "code: is unknown, used or expired")
        asked = code.authorization
        if (grant.client_id, grant.redirect_uri) != (asked.client_id, asked.redirect_uri):
            raise OAuthError("invalid_grant", "code: was given to another client_id or redirect_uri")
        if not compare_digest(challenge(grant.code_verifier), asked.challenge):
            raise OAuthError("invalid_grant", "code_verifier: does not match the code_challenge")
        with self._storage.transaction():
            refresh = self._refresh_token(code.user_id, asked) if OFFLINE in asked.scope.split() else None
        return self._tokens(code.user_id, asked.scope, refresh)

    def refresh(self, grant: RefreshGrant) -> Tokens:
        """Raises OAuthError."""
        client = self._client(grant.client_id)
        if client is not None and not compare_digest(client.secret.encode(), grant.client_secret.encode()):
            raise OAuthError("invalid_client", "client_secret: is wrong")
        digest = _digest(grant.refresh_token)
        row = self._storage.row(
            "SELECT * FROM refresh_tokens WHERE digest = ? AND expires_at > ?", digest, milliseconds(self._clock)
        )
        if row is None or row["client_id"] not in (None, grant.client_id):
            raise OAuthError("invalid_grant", "refresh_token: is unknown, used, expired or another client's")
        with self._storage.transaction():
            self._storage.change("DELETE FROM refresh_tokens WHERE digest = ? AND seeded = 0", digest)
            refresh = self._refresh_token(row["user_id"], Authorization(grant.client_id, "", "", row["scope"]))
        return self._tokens(row["user_id"], row["scope"], refresh)

    def seed(self, tokens: Iterable[tuple[str, int]]) -> None:
        """Refresh tokens with the user of each, for any client, in place of all that were seeded before."""
        with self._storage.transaction():
            self._storage.change("DELETE FROM refresh_tokens WHERE seeded = 1")
            for token, user_id in tokens:
                self._storage.change(
                    "INSERT OR REPLACE INTO refresh_tokens (digest, user_id, client_id, scope, expires_at, seeded)"
                    " VALUES (?, ?, NULL, ?, ?, 1)",
                    *(_digest(token), user_id, f"full {OFFLINE}", NEVER),
                )

    def _client(self, client_id: int) -> Client | None:
        """None only when anybody is accepted."""
        client = self._clients.get(client_id)
        if self._clients and client is None:
            raise OAuthError("invalid_client", "client_id: is not registered")
        return client

    def _refresh_token(self, user_id: int, granted: Authorization) -> str:
        token, now = token_hex(32), milliseconds(self._clock)
        self._storage.change("DELETE FROM refresh_tokens WHERE expires_at <= ?", now)
        self._storage.change(
            "INSERT INTO refresh_tokens (digest, user_id, client_id, scope, expires_at, seeded)"
            " VALUES (?, ?, ?, ?, ?, 0)",
            *(_digest(token), user_id, granted.client_id, granted.scope, now + REFRESH_SECONDS * 1000),
        )
        return token

    def _tokens(self, user_id: int, scope: str, refresh_token: str | None) -> Tokens:
        access = self._sessions.create(user_id, self._lifetime)
        return Tokens(access, self._lifetime, scope, "Bearer", refresh_token)


def challenge(verifier: str) -> str:
    """S256 of RFC 7636 §4.2."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
