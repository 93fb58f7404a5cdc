"""Links that only we can have made: each is good for one mail and for one purpose, and says nothing else."""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from services.crm.keys import Keys

_SHORT = 18
"""Bytes of what names a mail and a link."""
_MAC = 16
"""Bytes of a signature that are kept."""
_TOKEN = re.compile(r"v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]{24}|[A-Za-z0-9_-]{46})\.([A-Za-z0-9_-]{22})")
_BOUNCE = re.compile(r"b-([0-9a-f]{32})-([0-9a-f]{24})", re.IGNORECASE)


class Purpose(StrEnum):
    OPEN = "open"
    CLICK = "click"
    LEAVE = "leave"
    """One-click unsubscribing, of the mail's topic."""
    PREFERENCES = "preferences"
    BOUNCE = "bounce"
    """An address (VERP)."""


_PATHS = {Purpose.OPEN: "o", Purpose.CLICK: "c", Purpose.LEAVE: "u", Purpose.PREFERENCES: "p"}


class BadToken(Exception):
    """Not ours, not for this, or changed on its way."""


@dataclass(frozen=True, slots=True)
class Signed:
    mail: UUID
    number: int
    """Of the link that was clicked; otherwise 0."""
    version: UUID | None = None
    """Of the template it is a link of: where it leads is known without looking for the mail."""


class Links:
    def __init__(self, keys: Keys, public_url: str, bounce_domain: str = "") -> None:
        """`public_url`: of the edge, as recipients reach it."""
        self._keys = {purpose: {_id(key): key for key in keys.of(f"link {purpose}")} for purpose in Purpose}
        self._public_url = public_url.rstrip("/")
        self._bounce_domain = bounce_domain

    def url(self, purpose: Purpose, mail: UUID, number: int = 0, version: UUID | None = None) -> str:
        ending = ".gif" if purpose is Purpose.OPEN else ""
        return f"{self._public_url}/m/{_PATHS[purpose]}/{self.token(purpose, mail, number, version)}{ending}"

    def token(self, purpose: Purpose, mail: UUID, number: int = 0, version: UUID | None = None) -> str:
        kid, key = next(iter(self._keys[purpose].items()))
        head = f"v1.{kid}.{_base64(mail.bytes + number.to_bytes(2, 'big') + (version.bytes if version else b''))}"
        return f"{head}.{_base64(_mac(key, head))}"

    def read(self, purpose: Purpose, token: str) -> Signed:
        """Raises BadToken."""
        found = _TOKEN.fullmatch(token)
        key = self._keys[purpose].get(found[1]) if found else None
        if found is None or key is None:
            raise BadToken(purpose)
        head = token.rpartition(".")[0]
        if not hmac.compare_digest(_base64(_mac(key, head)), found[3]):
            raise BadToken(purpose)
        payload = urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4))
        version = UUID(bytes=payload[18:]) if len(payload) > _SHORT else None
        return Signed(UUID(bytes=payload[:16]), int.from_bytes(payload[16:18], "big"), version)

    def return_path(self, mail: UUID) -> str:
        """Where a failure to deliver it is told; empty if nobody listens there."""
        if not self._bounce_domain:
            return ""
        key = next(iter(self._keys[Purpose.BOUNCE].values()))
        return f"b-{mail.hex}-{_mac(key, mail.hex).hex()[:24]}@{self._bounce_domain}"

    def bounced(self, address: str) -> UUID:
        """The mail whose return path an address is. Raises BadToken."""
        local, _, domain = address.rpartition("@")
        found = _BOUNCE.fullmatch(local)
        if found is None or domain.lower() != self._bounce_domain.lower():
            raise BadToken(Purpose.BOUNCE)
        for key in self._keys[Purpose.BOUNCE].values():
            if hmac.compare_digest(_mac(key, found[1].lower()).hex()[:24], found[2].lower()):
                return UUID(hex=found[1])
        raise BadToken(Purpose.BOUNCE)


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), sha256).digest()[:_MAC]


def _id(key: bytes) -> str:
    """Of a key, so that the right one is found."""
    return sha256(b"id " + key).hexdigest()[:8]


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
