"""Links to files: signed, so that a link tells who may follow it and until when, on every edge and after a restart."""

import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from libs.contracts.clock import Clock
from services.socket_edge.errors import forbidden

LIFE = timedelta(minutes=5)


class ExportLinks:
    def __init__(self, secret: str, clock: Clock) -> None:
        """`secret`: of all edges; links are signed with a key that is made of it for them alone."""
        self._key = hmac.new(secret.encode(), b"links to exports", sha256).digest()
        self._clock = clock

    def make(self, export: str, user: str) -> tuple[str, datetime]:
        """The path, and when it is no longer good."""
        expires_at, signature = self.sign(export, user)
        expires = int(expires_at.timestamp())
        return f"/api/admin/exports/{export}/file?expires={expires}&signature={signature}", expires_at

    def sign(self, export: str, user: str) -> tuple[datetime, str]:
        """Of a link that is put together elsewhere: until when it is good, and its signature."""
        expires_at = (self._clock.now() + LIFE).replace(microsecond=0)
        return expires_at, self._sign(export, user, int(expires_at.timestamp()))

    def check(self, export: str, user: str, expires: int, signature: str) -> None:
        """Raises ApiError 403 for a link that was not made for this user, or not for this file, or too long ago."""
        if not hmac.compare_digest(self._sign(export, user, expires), signature):
            raise forbidden("This link is not yours")
        if self._clock.now().timestamp() >= expires:
            raise forbidden("This link is no longer good; ask for another one")

    def _sign(self, export: str, user: str, expires: int) -> str:
        return hmac.new(self._key, f"{export}\n{user}\n{expires}".encode(), sha256).hexdigest()
