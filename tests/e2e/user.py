"""A user with a browser: signs up over Supabase Auth, calls the REST API, listens on a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp
import socketio

from deploy.local.facts import Facts
from libs.contracts.ids import new_id

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: Any


class Socket:
    """Everything a socket has heard, in order."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.client = socketio.AsyncClient(reconnection=False)
        self._news = asyncio.Condition()
        self.client.on("*", self._hear)

    async def _hear(self, name: str, data: Any = None) -> None:
        async with self._news:
            self.heard.append(Event(name, data))
            self._news.notify_all()

    def all(self, name: str) -> list[Any]:
        return [event.data for event in self.heard if event.name == name]

    async def wait(self, name: str, *, where: Callable[[Any], bool] = lambda _: True, timeout: float = 45.0) -> Any:
        """The first event of that name, heard already or yet to come, whose data passes."""

        def found() -> list[Any]:
            return [data for data in self.all(name) if where(data)]

        try:
            async with asyncio.timeout(timeout), self._news:
                await self._news.wait_for(found)
                return found()[0]
        except TimeoutError:
            names = sorted({event.name for event in self.heard})
            raise AssertionError(f"no {name} in {timeout} s; heard {names}") from None


class User:
    def __init__(self, http: aiohttp.ClientSession, facts: Facts, id: str, token: str, broker_user_id: str) -> None:
        self.id = id
        self.token = token
        self.broker_user_id = broker_user_id
        self._http = http
        self._facts = facts

    async def get(self, path: str, **query: str | int) -> Answer:
        return await self.call("GET", path, params=query)

    async def post(self, path: str, body: Any = None) -> Answer:
        return await self.call("POST", path, json=body if body is not None else {"userId": self.id})

    async def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, **content: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        async with self._http.request(method, self._facts.edge_url + path, headers=headers, **content) as response:
            assert response.content_type == "application/json", await response.text()
            return Answer(response.status, await response.json())

    async def file(self, path: str) -> tuple[str, bytes]:
        """Content type, and what is in it."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._http.get(self._facts.edge_url + path, headers=headers) as response:
            assert response.status == 200, await response.text()
            return response.content_type, await response.read()

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[Socket]:
        socket = Socket()
        await socket.client.connect(self._facts.edge_url, auth={"token": self.token}, transports=["websocket"])
        try:
            yield socket
        finally:
            await socket.client.disconnect()

    async def rows(self, table: str, **filters: str) -> list[Json]:
        """What this user may read of a table, over PostgREST as a browser does."""
        headers = {"apikey": self._facts.supabase_publishable_key, "Authorization": f"Bearer {self.token}"}
        url = f"{self._facts.supabase_url}/rest/v1/{table}"
        async with self._http.get(url, params={"select": "*", **filters}, headers=headers) as response:
            rows: list[Json] = await response.json()
            assert response.status == 200, rows
            return rows


def money(value: object) -> Decimal:
    """The database server may answer with numbers or with strings."""
    return Decimal(str(value))


async def until(condition: Callable[[], Awaitable[bool]], timeout: float = 45.0) -> None:
    """Ask again until it is so; fails when the deadline passes."""
    async with asyncio.timeout(timeout):
        while not await condition():
            await asyncio.sleep(0.1)


async def sign_up(http: aiohttp.ClientSession, facts: Facts) -> User:
    """A new user, with a broker account of their own."""
    name = new_id()
    broker_user_id = str(int(name.replace("-", ""), 16) % 10**12)
    body = {
        "email": f"{name}@example.test",
        "password": f"{name}-Password",
        "data": {"full_name": "Ana Lima", "avalon_user_id": broker_user_id},
    }
    headers = {"apikey": facts.supabase_publishable_key}
    async with http.post(f"{facts.supabase_url}/auth/v1/signup", json=body, headers=headers) as response:
        session = await response.json()
        assert response.status == 200, session
    return User(http, facts, session["user"]["id"], session["access_token"], broker_user_id)


async def log_in(http: aiohttp.ClientSession, facts: Facts, email: str, password: str) -> User:
    body, headers = {"email": email, "password": password}, {"apikey": facts.supabase_publishable_key}
    url = f"{facts.supabase_url}/auth/v1/token"
    async with http.post(url, params={"grant_type": "password"}, json=body, headers=headers) as response:
        session = await response.json()
        assert response.status == 200, session
    return User(http, facts, session["user"]["id"], session["access_token"], "")
