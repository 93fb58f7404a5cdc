"""Secrets of the CRM: what links are signed with, and what is sealed that is stored. Each purpose has keys of its own,
so that nothing that was made for one is good for another."""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class BadSeal(Exception):
    """No key opens it."""


class Keys:
    def __init__(self, secrets: Sequence[str]) -> None:
        """The first one signs and seals, all of them verify and open."""
        self._secrets = tuple(secrets)

    def of(self, purpose: str) -> tuple[bytes, ...]:
        return tuple(hmac.new(secret.encode(), f"crm {purpose}".encode(), sha256).digest() for secret in self._secrets)

    def seal(self, purpose: str, text: str) -> str:
        """`purpose` names what it belongs to as well: sealed for one row it opens in no other."""
        nonce = secrets.token_bytes(_NONCE)
        return urlsafe_b64encode(
            nonce + AESGCM(self.of("seal")[0]).encrypt(nonce, text.encode(), purpose.encode())
        ).decode()

    def open(self, purpose: str, sealed: str) -> str:
        """Raises BadSeal."""
        try:
            data = urlsafe_b64decode(sealed)
        except ValueError as error:
            raise BadSeal(purpose) from error
        for key in self.of("seal"):
            try:
                return AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], purpose.encode()).decode()
            except (InvalidTag, ValueError):
                continue
        raise BadSeal(purpose)

    def renewed(self, purpose: str, sealed: str) -> str | None:
        """Sealed with the first key; None: it is. Raises BadSeal."""
        try:
            Keys(self._secrets[:1]).open(purpose, sealed)
        except BadSeal:
            return self.seal(purpose, self.open(purpose, sealed))
        return None
