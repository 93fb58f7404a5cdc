"""OAuth 2 with PKCE: asking a user, exchanging the code, refreshing tokens (quadcode-protocol §4.3; RFC 7636)."""

import secrets
import string
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from libs.quadcode.errors import NotConnected, OAuthRefused
from libs.quadcode.frames import MALFORMED
from libs.quadcode.json_post import post
from libs.quadcode.token_storage import Tokens

_ALPHABET = string.ascii_letters + string.digits + "-._~"
_VERIFIER = 96
"""Characters."""
_STATE = 16
"""Bytes."""
_OK = 200


class Authorization(Struct, frozen=True):
    """To be kept until the user comes back: `state` must be the one that comes with the code."""

    url: str
    state: str
    verifier: str

    def __repr__(self) -> str:
        return "Authorization()"


class CodeGrant(Struct, frozen=True, kw_only=True):
    code: str
    redirect_uri: str
    client_id: int
    code_verifier: str
    grant_type: Literal["authorization_code"] = "authorization_code"


class RefreshGrant(Struct, frozen=True, kw_only=True):
    refresh_token: str
    client_id: int
    client_secret: str
    grant_type: Literal["refresh_token"] = "refresh_token"


class Refusal(Struct, frozen=True):
    code: str = ""
    message: str = ""


class OAuth:
    """An application that is registered with the broker."""

    def __init__(
        self,
        api_url: str,
        client_id: int,
        redirect_uri: str,
        *,
        client_secret: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        """`api_url` may lack its scheme, https; without a secret, which no browser may have, nothing is refreshed."""
        base = api_url if "://" in api_url else f"https://{api_url}"
        self._base = f"{base.rstrip('/')}/auth/oauth.v5"
        self._client_id = client_id
        self._redirect_uri = redirect_uri
        self._client_secret = client_secret
        self._timeout = timeout

    @property
    def can_refresh(self) -> bool:
        return bool(self._client_secret)

    def authorization(
        self, scope: str = "full offline_access", affiliate: Mapping[str, str] | None = None
    ) -> Authorization:
        """Where to send a user. `affiliate`: any of `aff`, `afftrack`, `aff_model`."""
        verifier = "".join(secrets.choice(_ALPHABET) for _ in range(_VERIFIER))
        state = secrets.token_urlsafe(_STATE)
        query = {
            "response_type": "code",
            "redirect_uri": self._redirect_uri,
            "client_id": str(self._client_id),
            "scope": scope,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
            "state": state,
            **(affiliate or {}),
        }
        return Authorization(f"{self._base}/authorize?{urlencode(query)}", state, verifier)

    async def exchange(self, code: str, authorization: Authorization, state: str) -> Tokens:
        """A code is good once. Raises OAuthRefused, also for a state of somebody else, or NotConnected."""
        if not secrets.compare_digest(state.encode(), authorization.state.encode()):
            raise OAuthRefused(0, "state", "state: is not the one the user was sent with")
        grant = CodeGrant(
            code=code,
            redirect_uri=self._redirect_uri,
            client_id=self._client_id,
            code_verifier=authorization.verifier,
        )
        return await self._tokens(grant)

    async def refresh(self, refresh_token: str) -> Tokens:
        """A pair in place of the old one, which may be void even when no answer comes.

        Raises OAuthRefused or NotConnected.
        """
        if not self._client_secret:
            raise OAuthRefused(0, "client_secret", "client_secret: is needed to refresh tokens")
        grant = RefreshGrant(refresh_token=refresh_token, client_id=self._client_id, client_secret=self._client_secret)
        tokens = await self._tokens(grant)
        # RFC 6749 §6: without a new refresh token the old one stays good.
        return tokens if tokens.refresh_token else msgspec.structs.replace(tokens, refresh_token=refresh_token)

    async def _tokens(self, grant: CodeGrant | RefreshGrant) -> Tokens:
        status, content = await post(f"{self._base}/token", grant, self._timeout)
        if status != _OK:
            refusal = _refusal(content)
            raise OAuthRefused(status, refusal.code, refusal.message or f"refused with status {status}")
        try:
            tokens = msgspec.json.decode(content, type=Tokens)
        except MALFORMED as error:
            raise NotConnected(f"the answer to {grant.grant_type} is not understood: {error}") from error
        if not tokens.access_token:
            raise OAuthRefused(status, "access_token", "access_token: is empty")
        return tokens


def challenge(verifier: str) -> str:
    """S256 of RFC 7636 §4.2."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refusal(content: bytes) -> Refusal:
    try:
        return msgspec.json.decode(content, type=Refusal)
    except MALFORMED:
        return Refusal()
