"""Access tokens as session ids, refreshed when the broker refuses them (quadcode-protocol §4.4)."""

import asyncio

import structlog

from libs.quadcode.errors import AuthenticationFailed, NotConnected, OAuthRefused, TokensNotStored
from libs.quadcode.oauth import OAuth
from libs.quadcode.token_storage import Tokens, TokenStorage

log = structlog.get_logger()

_TRIES = 3
"""Failures in a row that are final (§4.4); the client waits between them as between connections."""


class OAuthSessionIds:
    """A SessionIds. Fresh tokens that are refused as well are bounded by the client's own limit of refusals."""

    def __init__(self, oauth: OAuth, storage: TokenStorage) -> None:
        self._oauth = oauth
        self._storage = storage
        self._unsaved: Tokens | None = None
        """Good, but the storage did not take them."""
        self._failures = 0
        self._one_at_a_time = asyncio.Lock()

    async def session_id(self, refused: str | None) -> str:
        """Raises AuthenticationFailed when it is final, else NotConnected or TokensNotStored."""
        async with self._one_at_a_time:
            try:
                token = await self._token(refused)
            except OAuthRefused as refusal:
                self._failures += 1
                if self._failures >= _TRIES:
                    raise AuthenticationFailed(str(refusal)) from refusal
                raise NotConnected(str(refusal)) from refusal
            self._failures = 0
            return token

    async def _token(self, refused: str | None) -> str:
        tokens = self._unsaved or await self._storage.load()
        if tokens is None or not tokens.access_token:
            raise OAuthRefused(0, "access_token", "there is no access token")
        if tokens.access_token != refused:
            return tokens.access_token
        if not tokens.refresh_token or not self._oauth.can_refresh:
            raise OAuthRefused(0, "refresh_token", "the access token is refused and cannot be refreshed")
        fresh = await self._refreshed(tokens.refresh_token, refused)
        return fresh.access_token

    async def _refreshed(self, refresh_token: str, refused: str) -> Tokens:
        try:
            fresh = await self._oauth.refresh(refresh_token)
        except OAuthRefused:
            # Another process with the same storage may have been faster, and used the refresh token up.
            stored = await self._storage.load()
            if stored is None or stored.access_token in ("", refused):
                raise
            self._unsaved = None
            return stored
        try:
            await self._storage.save(fresh)
            self._unsaved = None
        except TokensNotStored as problem:
            self._unsaved = fresh
            log.error("tokens_not_stored", problem=str(problem))
        return fresh
