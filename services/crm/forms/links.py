"""Links by which the owner of an address confirms it: signed, for this alone, and good until a time."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from uuid import UUID

from libs.contracts.clock import Clock
from services.crm.keys import Keys

_MAC = 24
"""Bytes of a signature that are kept."""


class BadLink(Exception):
    """It was not made here, not for this, or is no longer good."""


class Confirmations:
    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys = {sha256(b"id " + key).hexdigest()[:8]: key for key in keys.of("link confirm")}
        self._clock = clock

    def token(self, submission: UUID, lifetime: float) -> str:
        """`lifetime` in seconds."""
        kid, key = next(iter(self._keys.items()))
        expires = int(self._clock.now().timestamp() + lifetime)
        head = f"v1.{kid}.{submission.hex}.{expires}"
        return f"{head}.{_mac(key, head)}"

    def read(self, token: str) -> UUID:
        """Raises BadLink."""
        head, _, mac = token.rpartition(".")
        parts = head.split(".")
        key = self._keys.get(parts[1]) if len(parts) == 4 else None
        if key is None or not token.isascii() or not hmac.compare_digest(_mac(key, head), mac):
            raise BadLink("it was not made for this")
        if int(parts[3]) <= self._clock.now().timestamp():
            raise BadLink("it is no longer good")
        return UUID(hex=parts[2])


def _mac(key: bytes, head: str) -> str:
    return urlsafe_b64encode(hmac.new(key, head.encode(), sha256).digest()[:_MAC]).decode()
