"""Where session ids come from."""

from typing import Protocol

from libs.quadcode.errors import AuthenticationFailed


class SessionIds(Protocol):
    async def session_id(self, refused: str | None) -> str:
        """An id to log in with. `refused` is the one the broker has just refused: it is no good any more.

        Raises AuthenticationFailed when there will be none for this user, any other QuadcodeError when there is none
        now.
        """
        ...


class FixedSessionId:
    """One id, and no way to get another."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id

    async def session_id(self, refused: str | None) -> str:
        if refused == self._session_id:
            raise AuthenticationFailed("the broker refuses the session id")
        return self._session_id
