"""A connection to Supabase with the service role. For services only: it passes row-level security."""

from types import TracebackType
from typing import Any, Self

import httpx
from postgrest import AsyncQueryRequestBuilder, AsyncRPCFilterRequestBuilder
from postgrest.exceptions import APIError
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from libs.store.errors import StoreError, StoreRefused, StoreTooSlow, StoreUnavailable
from libs.store.traffic import Traffic

CONNECT_TIMEOUT = 3.0
"""Seconds."""
MOST_CONNECTIONS = 20
_TIMEOUT = httpx.Timeout(10.0, connect=CONNECT_TIMEOUT)
_CONNECTIONS = httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=10, keepalive_expiry=4.0)
"""Given up before the other side does: servers on Node close an idle connection after 5 seconds, and a request that is
on its way at that moment fails."""

_OUR_FAULT = ("22", "23", "54", "P0")
"""SQLSTATE classes that speak of what was sent: data, constraints, limits, exceptions raised by our own functions."""
_TIMED_OUT = "57014"
"""SQLSTATE of a statement that was cancelled because of its timeout."""
_BAD_REQUEST = "PGRST1"
"""PostgREST's errors about the request itself; its others are about its database, its schema cache and its keys."""
_UNRECOGNISED, _CONSTRAINT = "SUP", "violates"
"""The local server's word for errors of the database that it has no code for, and PostgreSQL's for a constraint."""


class Database:
    def __init__(self, client: AsyncClient, http: httpx.AsyncClient) -> None:
        self.client = client
        self.traffic = Traffic()
        self.http = http

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
        await self.http.aclose()

    async def call(self, function: str, **arguments: Any) -> object:
        """Call a database function. Raises StoreUnavailable, StoreRefused."""
        with self.traffic.request():
            return await _answer(self.client.rpc(function, arguments), function)

    async def execute(self, query: AsyncQueryRequestBuilder, what: str) -> object:
        """Run a query; the rows it answers. Raises StoreUnavailable, StoreRefused."""
        with self.traffic.request():
            return await _answer(query, what)

    async def reachable(self) -> bool:
        """Whether a query comes back; for health checks."""
        try:
            await self.execute(self.client.table("system_config").select("key").limit(1), "system_config")
        except StoreError:
            return False
        return True


async def _answer(query: AsyncQueryRequestBuilder | AsyncRPCFilterRequestBuilder, what: str) -> object:
    """Our errors for the client's. It does not retry: whoever asks knows better for how long."""
    query.request.retry_enabled = False
    try:
        data: object = (await query.execute()).data
    except httpx.HTTPError as error:
        raise StoreUnavailable(f"{what}: {type(error).__name__}") from error
    except APIError as error:
        raise _kind(error.code or "", error.message or "")(f"{what}: {error.code} {error.message}") from error
    if isinstance(data, str):
        raise StoreUnavailable(f"{what}: the answer is no JSON")
    return data


def _kind(code: str, message: str) -> type[StoreError]:
    if code == _TIMED_OUT:
        return StoreTooSlow
    return StoreRefused if _is_refusal(code, message) else StoreUnavailable


def _is_refusal(code: str, message: str) -> bool:
    """Whether a retry of the same cannot help. Everything else can be repaired by others while we wait: a proxy without
    a server behind it, a key that was changed, a migration that is not there yet."""
    if len(code) == 5:
        return code.startswith(_OUR_FAULT)
    if code == _UNRECOGNISED:
        return _CONSTRAINT in message
    return code.startswith(_BAD_REQUEST)
