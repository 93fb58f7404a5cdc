"""The public keys of the token issuer, fetched rarely and kept for a bounded time."""

import asyncio
from typing import Any

import aiohttp
import jwt
import msgspec
import structlog

from libs.contracts.clock import Clock
from services.socket_edge.errors import unavailable

log = structlog.get_logger()

_FRESH = 600.0
_COOL_DOWN = 30.0
_STALE = 3600.0
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_ALGORITHMS = {("EC", "P-256"): "ES256", ("RSA", None): "RS256"}
"""The one algorithm that each kind of key is good for."""


class KeySet:
    """Keys by `kid`. Fetched anew after 10 minutes and for an unknown `kid`, but never twice within 30 seconds;
    while the issuer does not answer, keys serve for up to an hour."""

    def __init__(self, http: aiohttp.ClientSession, url: str, clock: Clock) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """None when the issuer has no such key; ApiError 503 when that cannot be known."""
        if self._age() > _FRESH or kid not in self._keys:
            async with self._lock:
                if self._may_fetch() and (self._age() > _FRESH or kid not in self._keys):
                    await self._fetch()
        if self._age() > _STALE:
            raise unavailable()
        return self._keys.get(kid)

    def _age(self) -> float:
        return self._clock.monotonic() - self._fetched

    def _may_fetch(self) -> bool:
        return self._clock.monotonic() - self._tried >= _COOL_DOWN

    async def _fetch(self) -> None:
        self._tried = self._clock.monotonic()
        try:
            async with self._http.get(self._url, timeout=_TIMEOUT) as response:
                response.raise_for_status()
                self._keys = _keys(msgspec.json.decode(await response.read(), type=_Document))
        except (aiohttp.ClientError, TimeoutError, jwt.PyJWTError, msgspec.DecodeError) as error:
            log.warning("signing_keys_not_fetched", url=self._url, error=repr(error))
            return
        self._fetched = self._clock.monotonic()


class _Document(msgspec.Struct):
    keys: list[dict[str, Any]]


def _keys(document: _Document) -> dict[str, jwt.PyJWK]:
    """Only keys that sign as we accept it; keys of other kinds may stand beside them."""
    usable = [key for key in document.keys if (key.get("kty"), key.get("crv")) in _ALGORITHMS]
    return {str(key.get("kid")): jwt.PyJWK(key, _ALGORITHMS[key["kty"], key.get("crv")]) for key in usable}
