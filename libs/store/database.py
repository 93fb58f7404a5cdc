"""A connection to Supabase with the service role. For services only: it passes row-level security."""

from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from postgrest.exceptions import APIError
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from libs.store.errors import StoreError, StoreRefused, StoreUnavailable

T = TypeVar("T")

_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
_CONNECTIONS = httpx.Limits(max_connections=20, max_keepalive_connections=10)

_AWAY_CLASSES = ("08", "40", "53", "55", "57", "58")
"""SQLSTATE classes that pass: connection, rollback, resources, not in state, operator intervention, system error."""
_AWAY_CODES = ("PGRST000", "PGRST001", "PGRST002", "PGRST003")
"""PostgREST cannot reach its database, or has no connection left."""


class Database:
    def __init__(self, client: AsyncClient, http: httpx.AsyncClient) -> None:
        self.client = client
        self._http = http

    @classmethod
    async def connect(cls, url: str, secret_key: str) -> Self:
        """Opens nothing yet: a database that is away is noticed by the first request."""
        http = httpx.AsyncClient(timeout=_TIMEOUT, limits=_CONNECTIONS)
        options = AsyncClientOptions(
            httpx_client=http, auto_refresh_token=False, persist_session=False, postgrest_client_timeout=_TIMEOUT
        )
        return cls(await create_async_client(url, secret_key, options), http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def call(self, function: str, **arguments: Any) -> object:
        """Call a database function. Raises StoreUnavailable, StoreRefused."""
        response = await attempt(self.client.rpc(function, arguments).execute(), function)
        return response.data

    async def reachable(self) -> bool:
        """Whether a query comes back; for health checks."""
        try:
            await attempt(self.client.table("system_config").select("key").limit(1).execute(), "system_config")
        except StoreError:
            return False
        return True


async def attempt(request: Awaitable[T], what: str) -> T:
    """Await a request of the client, with our errors for its."""
    try:
        return await request
    except httpx.HTTPError as error:
        raise StoreUnavailable(f"{what}: {type(error).__name__}") from error
    except APIError as error:
        code = str(error.code or "")
        if code in _AWAY_CODES or _is_away(code):
            raise StoreUnavailable(f"{what}: {code} {error.message}") from error
        raise StoreRefused(f"{what}: {code} {error.message}") from error


def _is_away(code: str) -> bool:
    """`code` is a SQLSTATE of five characters, or the HTTP status of an answer that was not PostgREST's."""
    if len(code) == 5:
        return code[:2] in _AWAY_CLASSES
    return code == "429" or (len(code) == 3 and code.startswith("5"))
