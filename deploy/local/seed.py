"""The demo user, whose bot trades, and the administrator: made at the first start, found again at the next."""

import asyncio
from collections.abc import Mapping

import aiohttp
import msgspec

from deploy.local.facts import Login
from deploy.local.parts import Parts
from deploy.local.secrets import Secrets
from libs.service import CannotStart
from libs.store import Database, StoreError
from libs.store.people import People

DEMO_BOT = {"mode": "auto", "strategy": "aggressive", "amount": 10, "accountType": "demo"}

_TIMEOUT = aiohttp.ClientTimeout(total=20.0)
_PATIENCE = 15.0
"""Seconds in which an answer that says "not now" (502, 503, 504) is asked for again."""


class _User(msgspec.Struct):
    id: str


class _Session(msgspec.Struct):
    access_token: str
    user: _User


class Account(msgspec.Struct, frozen=True):
    """Somebody who has logged in."""

    login: Login
    token: str


class Auth:
    """Supabase Auth, used as a browser does."""

    def __init__(self, http: aiohttp.ClientSession, url: str, publishable_key: str) -> None:
        self._http = http
        self._url = f"{url}/auth/v1"
        self._headers = {"apikey": publishable_key}

    async def log_in(self, email: str, password: str) -> Account:
        """Raises CannotStart."""
        session = await self._post("/token?grant_type=password", {"email": email, "password": password})
        return _account(email, password, session)

    async def enter(self, email: str, password: str, broker_user_id: str, full_name: str) -> Account:
        """Log in; sign up when there is no such account. Raises CannotStart when neither is possible."""
        who = {"email": email, "password": password}
        profile = {"full_name": full_name, "avalon_user_id": broker_user_id}
        session = await self._post("/token?grant_type=password", who)
        if isinstance(session, str):
            session = await self._post("/signup", {**who, "data": profile})
        return _account(email, password, session)

    async def _post(self, path: str, body: Mapping[str, object]) -> _Session | str:
        """The session, or why there is none."""
        async with self._http.post(self._url + path, json=body, headers=self._headers) as response:
            content = await response.read()
            if response.status != 200:
                return f"Supabase Auth answers {response.status} {content[:200].decode(errors='replace')}"
            return msgspec.json.decode(content, type=_Session)


def _account(email: str, password: str, session: _Session | str) -> Account:
    if isinstance(session, str):
        raise CannotStart(f"{email} cannot log in: {session}")
    return Account(Login(email=email, password=password, user_id=session.user.id), session.access_token)


class Residents(msgspec.Struct, frozen=True):
    """Who is there without having signed up."""

    demo: Login
    admin: Login


async def seed(parts: Parts, secrets: Secrets) -> Residents:
    """Both accounts, the administrator's role, and the demo user's bot trading. Raises CannotStart."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
        auth = Auth(http, parts.supabase.url, secrets.supabase_publishable_key)
        demo, admin = await asyncio.gather(
            auth.enter("demo@pregao.test", secrets.demo_password, "2000001", "Demo User"),
            auth.enter("admin@pregao.test", secrets.admin_password, "2000002", "Administrator"),
        )
        await _appoint(admin.login, parts.supabase.url, secrets.supabase_secret_key)
        await keep_trading(http, parts.edge_url, demo)
    return Residents(demo.login, admin.login)


async def _appoint(admin: Login, supabase_url: str, secret_key: str) -> None:
    try:
        async with await Database.connect(supabase_url, secret_key) as database:
            people = People(database)
            if await people.role(admin.user_id) is None:
                await people.appoint(admin.user_id, admin.email, "super_admin")
    except StoreError as error:
        raise CannotStart(f"{admin.email} cannot be made an administrator: {error}") from error


class _Answer(msgspec.Struct, rename="camel"):
    """Of the REST API, whatever the endpoint."""

    success: bool = False
    error: str = ""
    is_running: bool = False


async def keep_trading(http: aiohttp.ClientSession, edge_url: str, account: Account) -> None:
    """Connect the user and start the bot, unless it runs. Raises CannotStart with the answer that says no."""
    api = _Api(http, f"{edge_url}/api/bot", account)
    await api.call("POST", "/connect", {"userId": account.login.user_id})
    status = await api.call("GET", "/runtime-status", None)
    if not status.is_running:
        await api.call("POST", "/start-runtime", {"userId": account.login.user_id, "config": DEMO_BOT})


class _Api:
    def __init__(self, http: aiohttp.ClientSession, url: str, account: Account) -> None:
        self._http = http
        self._url = url
        self._headers = {"Authorization": f"Bearer {account.token}"}

    async def call(self, method: str, path: str, body: Mapping[str, object] | None) -> _Answer:
        async with asyncio.timeout(_PATIENCE):
            while True:
                async with self._http.request(method, self._url + path, json=body, headers=self._headers) as response:
                    content = await response.read()
                if response.status == 200:
                    return msgspec.json.decode(content, type=_Answer)
                if response.status not in (502, 503, 504):
                    break
                await asyncio.sleep(0.5)
        raise CannotStart(f"{method} {path} answers {response.status} {content[:200].decode(errors='replace')}")
