"""Session ids for an e-mail address and a password (quadcode-protocol §4.2)."""

import msgspec
from msgspec import Struct

from libs.quadcode.errors import AuthenticationFailed, NotConnected
from libs.quadcode.frames import MALFORMED
from libs.quadcode.json_post import post

_OK = 200


class Credentials(Struct, frozen=True):
    identifier: str
    """An e-mail address."""
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.identifier!r})"


class LoginReply(Struct, frozen=True):
    code: str = ""
    """`success`, or why not."""
    ssid: str = ""


class PasswordLogin:
    """Logs in anew for every connection. A SessionIds."""

    def __init__(self, api_url: str, identifier: str, password: str, *, timeout: float = 10.0) -> None:
        """`api_url` with its scheme; `timeout` in seconds."""
        self._url = f"{api_url.rstrip('/')}/v2/login"
        self._credentials = Credentials(identifier, password)
        self._timeout = timeout

    async def session_id(self, refused: str | None) -> str:
        """Raises AuthenticationFailed when the broker says no, NotConnected when it does not say."""
        del refused  # a new one is made in any case
        status, content = await post(self._url, self._credentials, self._timeout)
        try:
            reply = msgspec.json.decode(content, type=LoginReply)
        except MALFORMED as error:
            if status != _OK:
                raise AuthenticationFailed(f"the log-in is refused with status {status}") from error
            raise NotConnected(f"the answer to the log-in is not understood: {error}") from error
        if status != _OK or reply.code != "success" or not reply.ssid:
            raise AuthenticationFailed(f"the log-in is refused with status {status}: {reply.code}")
        return reply.ssid
