"""Logging in by password and by OAuth, at the paper broker and at a broker that refuses."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from libs.contracts.clock import SystemClock
from libs.quadcode import (
    AuthenticationFailed,
    Client,
    FileTokens,
    MemoryTokens,
    NotConnected,
    OAuth,
    OAuthRefused,
    OAuthSessionIds,
    PasswordLogin,
    SessionIds,
    Tokens,
    TokensNotStored,
)
from tests.integration.nats_server import eventually
from tests.integration.paper_broker import PaperBroker, StartPaperBroker

ADA = {"id": 5150, "email": "ada@sim.invalid", "password": "correct horse", "first_name": "Ada", "last_name": "Trader"}
CALLBACK = "https://app.sim.invalid/callback"
STORED = Tokens(access_token="access-1", refresh_token="refresh-1")


@pytest.fixture
async def ada(start_paper_broker: StartPaperBroker, tmp_path: Path) -> PaperBroker:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"accounts": [ADA]}))
    return await start_paper_broker(PREGAO_PAPER_ACCOUNTS=str(path))


def client_of(broker: PaperBroker, session_ids: SessionIds) -> Client:
    return Client(broker.ws_url, session_ids, clock=SystemClock(), jitter=lambda: 0.0)


async def test_a_password_is_enough(ada: PaperBroker) -> None:
    async with client_of(ada, PasswordLogin(ada.api_url, "ada@sim.invalid", "correct horse")) as client:
        assert client.user_id == 5150
        await ada.fault("expire-session", 5150)
        await eventually(lambda: client.connections == 2)


async def test_a_wrong_password_is_final(ada: PaperBroker) -> None:
    with pytest.raises(AuthenticationFailed, match="invalid_credentials"):
        async with client_of(ada, PasswordLogin(ada.api_url, "ada@sim.invalid", "wrong")):
            pass


async def test_a_user_agrees_once_and_tokens_are_refreshed_from_then_on(ada: PaperBroker, tmp_path: Path) -> None:
    oauth = OAuth(ada.api_url, 82, CALLBACK, client_secret="a secret")
    asked = oauth.authorization()
    form = {"email": "ada@sim.invalid", "password": "correct horse"}
    async with (
        aiohttp.ClientSession() as browser,
        browser.post(URL(asked.url, encoded=True), data=form, allow_redirects=False) as answer,
    ):
        query = URL(answer.headers["Location"]).query
    given = await oauth.exchange(query["code"], asked, query["state"])
    with pytest.raises(OAuthRefused, match="code"):
        await oauth.exchange(query["code"], asked, query["state"])

    storage = FileTokens(tmp_path / "tokens.json")
    await storage.save(given)
    async with client_of(ada, OAuthSessionIds(oauth, storage)) as client:
        assert client.user_id == 5150
        await ada.fault("expire-session", 5150)
        await eventually(lambda: client.connections == 2)
    renewed = await storage.load()
    assert renewed is not None
    assert renewed.access_token != given.access_token
    assert renewed.refresh_token != given.refresh_token


class Authority:
    """An HTTP API that answers with `status` and `content`."""

    def __init__(self) -> None:
        self.status = 200
        self.content: object = {"access_token": "access-2", "refresh_token": "refresh-2"}
        self.asked: list[Any] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        elsewhere = {"Location": "/elsewhere"} if self.status == 307 else {}
        return web.json_response(self.content, status=self.status, headers=elsewhere)


@pytest.fixture
async def authority() -> AsyncIterator[Authority]:
    authority, application = Authority(), web.Application()
    application.router.add_post("/{path:.*}", authority.answer)
    async with TestServer(application) as server:
        authority.url = str(server.make_url("")).rstrip("/")
        yield authority


@pytest.fixture
def oauth(authority: Authority) -> OAuth:
    return OAuth(authority.url, 82, CALLBACK, client_secret="a secret")


async def test_a_token_is_used_until_it_is_refused(oauth: OAuth, authority: Authority) -> None:
    session_ids = OAuthSessionIds(oauth, MemoryTokens(STORED))
    assert await session_ids.session_id(None) == "access-1"
    assert authority.asked == []
    assert await session_ids.session_id("access-1") == "access-2"
    assert await session_ids.session_id("access-1") == "access-2"
    assert authority.asked == [
        {"grant_type": "refresh_token", "refresh_token": "refresh-1", "client_id": 82, "client_secret": "a secret"}
    ]


async def test_a_refresh_without_a_new_refresh_token_keeps_the_old_one(oauth: OAuth, authority: Authority) -> None:
    authority.content = {"access_token": "access-2"}
    assert (await oauth.refresh("refresh-1")).refresh_token == "refresh-1"


async def test_the_third_refusal_in_a_row_is_final(oauth: OAuth, authority: Authority) -> None:
    authority.status, authority.content = 400, {"code": "invalid_grant", "message": "used"}
    session_ids = OAuthSessionIds(oauth, MemoryTokens(STORED))
    for _ in range(2):
        with pytest.raises(NotConnected) as refused:
            await session_ids.session_id("access-1")
        assert not isinstance(refused.value, AuthenticationFailed)
    with pytest.raises(AuthenticationFailed, match="used"):
        await session_ids.session_id("access-1")


async def test_a_broker_that_is_out_of_order_is_never_final(oauth: OAuth, authority: Authority) -> None:
    authority.status = 503
    session_ids = OAuthSessionIds(oauth, MemoryTokens(STORED))
    for _ in range(5):
        with pytest.raises(NotConnected) as problem:
            await session_ids.session_id("access-1")
        assert not isinstance(problem.value, AuthenticationFailed)
    password = PasswordLogin(authority.url, "ada@sim.invalid", "correct horse")
    with pytest.raises(NotConnected) as problem:
        await password.session_id(None)
    assert not isinstance(problem.value, AuthenticationFailed)


async def test_without_tokens_the_third_look_is_final(oauth: OAuth) -> None:
    session_ids = OAuthSessionIds(oauth, MemoryTokens())
    problems = []
    for _ in range(3):
        with pytest.raises(NotConnected) as problem:
            await session_ids.session_id(None)
        problems.append(problem.type)
    assert problems == [NotConnected, NotConnected, AuthenticationFailed]


class Contested(MemoryTokens):
    """Another process writes fresh tokens just after they were read."""

    async def load(self) -> Tokens | None:
        tokens = await super().load()
        await self.save(Tokens(access_token="access-of-the-other"))
        return tokens


async def test_tokens_another_process_has_refreshed_are_used(oauth: OAuth, authority: Authority) -> None:
    authority.status, authority.content = 400, {"code": "invalid_grant", "message": "used"}
    session_ids = OAuthSessionIds(oauth, Contested(STORED))
    assert await session_ids.session_id("access-1") == "access-of-the-other"


class Full(MemoryTokens):
    async def save(self, tokens: Tokens) -> None:
        raise TokensNotStored(f"no space for {tokens}")


async def test_fresh_tokens_that_cannot_be_stored_are_used_all_the_same(oauth: OAuth, authority: Authority) -> None:
    session_ids = OAuthSessionIds(oauth, Full(STORED))
    assert await session_ids.session_id("access-1") == "access-2"
    authority.content = {"access_token": "access-3", "refresh_token": "refresh-3"}
    assert await session_ids.session_id("access-2") == "access-3"
    assert [grant["refresh_token"] for grant in authority.asked] == ["refresh-1", "refresh-2"]


async def test_credentials_are_not_carried_on_by_a_redirect(oauth: OAuth, authority: Authority) -> None:
    authority.status = 307
    with pytest.raises(OAuthRefused, match="307"):
        await oauth.refresh("refresh-1")
    with pytest.raises(AuthenticationFailed):
        await PasswordLogin(authority.url, "ada@sim.invalid", "correct horse").session_id(None)
    assert len(authority.asked) == 2
