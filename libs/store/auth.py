"""The Auth server, as far as services need it: who signs in and how is between browsers and it."""

import httpx

from libs.store.database import Database
from libs.store.errors import StoreRefused, StoreUnavailable

_TOO_MANY = 429


class Auth:
    def __init__(self, database: Database) -> None:
        self._http = database.http
        self._url = str(database.client.auth_url)
        self._headers = {"apikey": database.client.supabase_key}

    async def reachable(self) -> bool:
        try:
            return (await self._http.get(f"{self._url}/health", headers=self._headers)).is_success
        except httpx.HTTPError:
            return False

    async def send_recovery(self, email: str) -> None:
        """Have it send a recovery e-mail, which alone holds the token. Raises StoreUnavailable, StoreRefused.

        Not by the client's own call: that makes the token one that only whoever asked for it can use (PKCE).
        """
        try:
            response = await self._http.post(f"{self._url}/recover", json={"email": email}, headers=self._headers)
        except httpx.HTTPError as error:
            raise StoreUnavailable(f"recover: {type(error).__name__}") from error
        if response.status_code == _TOO_MANY or response.is_server_error:
            raise StoreUnavailable(f"recover: {response.status_code}")
        if not response.is_success:
            raise StoreRefused(f"recover: {response.status_code}")
