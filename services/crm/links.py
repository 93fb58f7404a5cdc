"""Links in mails: signed, each for one purpose and until a time, so that none can be made up, changed, or used for what
it was not made for."""

import base64
import hmac
from hashlib import sha256

from libs.contracts.clock import Clock

_VERSION = "v1"
_MAC = 24
"""Bytes."""


class BadLink(Exception):
    """It was not made here, not for this, or is no longer good."""


class Links:
    def __init__(self, secret: str, clock: Clock) -> None:
        """`secret`: of all processes; each purpose has a key that is made of it."""
        self._secret = secret.encode()
        self._clock = clock

    def make(self, purpose: str, what: str, lifetime: float) -> str:
        """`what`: ASCII without a full stop; `lifetime` in seconds."""
        key = self._key(purpose)
        expires = int(self._clock.now().timestamp() + lifetime)
        payload = ".".join((_VERSION, _key_id(key), what, str(expires)))
        return f"{payload}.{_mac(key, payload)}"

    def read(self, purpose: str, token: str) -> str:
        """What it was made of. Raises BadLink."""
        key = self._key(purpose)
        payload, _, mac = token.rpartition(".")
        if not token.isascii() or not hmac.compare_digest(_mac(key, payload), mac):
            raise BadLink("it was not made for this")
        _, _, what, expires = payload.split(".")
        if int(expires) <= self._clock.now().timestamp():
            raise BadLink("it is no longer good")
        return what

    def _key(self, purpose: str) -> bytes:
        return hmac.new(self._secret, f"links of mails: {purpose}".encode(), sha256).digest()


def _key_id(key: bytes) -> str:
    return sha256(key).hexdigest()[:8]


def _mac(key: bytes, payload: str) -> str:
    digest = hmac.new(key, payload.encode(), sha256).digest()[:_MAC]
    return base64.urlsafe_b64encode(digest).decode()
