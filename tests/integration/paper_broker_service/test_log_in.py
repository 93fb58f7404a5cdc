"""Log-in by password and by OAuth (quadcode-protocol §4.2, §4.3), as a browser and an application do it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.integration.paper_broker import PaperBroker, StartPaperBroker
from tests.integration.paper_broker_service.wire import dialled

ADA = {"id": 5150, "email": "ada@sim.invalid", "password": "correct horse", "first_name": "Ada", "last_name": "Trader"}
TOKENS = {"access_token": "token-of-ada", "refresh_token": "refresh-of-ada"}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CALLBACK = "https://app.sim.invalid/?kept=1#/oauth/callback"
QUESTION = {
    "response_type": "code",
    "client_id": "82",
    "redirect_uri": CALLBACK,
    "scope": "full offline_access",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
    "state": "a state",
    "aff": "7",
}
GRANT = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "client_id": 82, "code_verifier": VERIFIER}
REFRESH = {"grant_type": "refresh_token", "client_id": 82, "client_secret": "a secret"}
AUTHORIZE, TOKEN = "/auth/oauth.v5/authorize", "/auth/oauth.v5/token"


@pytest.fixture
async def broker(start_paper_broker: StartPaperBroker, tmp_path: Path) -> PaperBroker:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"accounts": [ADA | TOKENS]}))
    return await start_paper_broker(PREGAO_PAPER_ACCOUNTS=str(path))


@pytest.fixture
async def http(broker: PaperBroker) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(broker.api_url) as session:
        yield session


async def post(http: aiohttp.ClientSession, path: str, body: object) -> tuple[int, dict[str, Any]]:
    async with http.post(path, json=body) as response:
        return response.status, await response.json()


async def name_of(broker: PaperBroker, ssid: str) -> str:
    """First name of the profile that is seen with it."""
    async with dialled(broker) as wire:
        await wire.login(ssid)
        return str((await wire.call("core.get-profile", "1.0", {}))["result"]["first_name"])


async def test_a_password_gives_a_session_id(broker: PaperBroker, http: aiohttp.ClientSession) -> None:
    status, answer = await post(http, "/v2/login", {"identifier": "Ada@sim.invalid", "password": "correct horse"})
    assert (status, answer["code"]) == (200, "success")
    assert await name_of(broker, answer["ssid"]) == "Ada"


async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(http: aiohttp.ClientSession) -> None:
    wrong = await post(http, "/v2/login", {"identifier": "ada@sim.invalid", "password": "wrong"})
    unknown = await post(http, "/v2/login", {"identifier": "eve@sim.invalid", "password": "wrong"})
    assert wrong == unknown == (401, {"code": "invalid_credentials", "message": "Invalid credentials."})
    status, answer = await post(http, "/v2/login", {"identifier": "ada@sim.invalid"})
    assert (status, answer["code"]) == (400, "invalid_request")
    async with http.post("/v2/login", data=b"{") as response:
        assert (response.status, (await response.json())["code"]) == (400, "invalid_request")


async def test_a_user_logs_in_on_the_page_and_the_application_gets_tokens(
    broker: PaperBroker, http: aiohttp.ClientSession
) -> None:
    async with http.get(AUTHORIZE, params=QUESTION) as page:
        assert (page.status, page.content_type) == (200, "text/html")
        assert '<form method="post">' in await page.text()
    form = {"email": "ada@sim.invalid", "password": "correct horse"}
    async with http.post(AUTHORIZE, params=QUESTION, data=form, allow_redirects=False) as answer:
        assert answer.status == 303
        location = URL(answer.headers["Location"])
    assert str(location.with_query(None)) == "https://app.sim.invalid/#/oauth/callback"
    assert (location.query["kept"], location.query["state"]) == ("1", "a state")

    status, tokens = await post(http, TOKEN, GRANT | {"code": location.query["code"]})
    assert status == 200
    assert {name: type(value) for name, value in tokens.items()} == {
        "access_token": str,
        "token_type": str,
        "expires_in": int,
        "refresh_token": str,
        "scope": str,
    }
    assert await name_of(broker, tokens["access_token"]) == "Ada"
    status, renewed = await post(http, TOKEN, REFRESH | {"refresh_token": tokens["refresh_token"]})
    assert status == 200
    assert await name_of(broker, renewed["access_token"]) == "Ada"
    status, error = await post(http, TOKEN, REFRESH | {"refresh_token": tokens["refresh_token"]})
    assert (status, error["code"], sorted(error)) == (400, "invalid_grant", ["code", "message"])


async def test_a_wrong_password_on_the_page_shows_it_again(http: aiohttp.ClientSession) -> None:
    for form in ({"email": "ada@sim.invalid", "password": "wrong"}, b"\xff=%ff&email=%ed%a0%80", b""):
        async with http.post(AUTHORIZE, params=QUESTION, data=form, allow_redirects=False) as answer:
            assert answer.status == 401
            assert "E-mail or password are wrong." in await answer.text()


async def test_the_page_is_shown_only_for_a_sound_question(http: aiohttp.ClientSession) -> None:
    for field, value in (
        ("response_type", "token"),
        ("client_id", "<script>"),
        ("code_challenge", "short"),
        ("code_challenge_method", "plain"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", "https://"),
        ("redirect_uri", "https://app.sim.invalid:notaport/"),
        ("redirect_uri", "https://app.sim.invalid/\r\nSet-Cookie: a=b"),
        ("redirect_uri", "https://app.sim.invalid/\x00"),
    ):
        async with http.get(AUTHORIZE, params=QUESTION | {field: value}) as answer:
            assert answer.status == 400, value
            assert field in (await answer.json())["message"]


async def test_errors_of_the_token_endpoint_have_a_code_and_a_message(http: aiohttp.ClientSession) -> None:
    for body, code in (
        (GRANT | {"code": "made up"}, "invalid_grant"),
        (GRANT, "invalid_request"),
        (GRANT | {"code": "x", "code_verifier": "short"}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        (REFRESH | {"refresh_token": "made up"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "client_id": 82, "refresh_token": "x"}, "invalid_request"),
        ([], "invalid_request"),
    ):
        status, error = await post(http, TOKEN, body)
        assert (status, error["code"]) == (400, code), body
        assert error["message"]


async def test_tokens_of_the_file_work_on_the_wire_and_at_the_token_endpoint(
    broker: PaperBroker, http: aiohttp.ClientSession
) -> None:
    assert await name_of(broker, TOKENS["access_token"]) == "Ada"
    status, tokens = await post(http, TOKEN, REFRESH | {"refresh_token": TOKENS["refresh_token"]})
    assert status == 200
    assert await name_of(broker, tokens["access_token"]) == "Ada"


async def test_a_page_of_another_origin_may_call(http: aiohttp.ClientSession) -> None:
    asking = {
        "Origin": "https://app.sim.invalid",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    for path in ("/v2/login", TOKEN, "/api/lang/route-translations"):
        async with http.options(path, headers=asking) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert "POST" in answer.headers["Access-Control-Allow-Methods"]
            assert "content-type" in answer.headers["Access-Control-Allow-Headers"].lower()
    async with http.post("/v2/login", json={}, headers={"Origin": asking["Origin"]}) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (400, "*")
    async with http.options("/control/faults", headers=asking) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_bad_file_of_accounts_is_named(start_paper_broker: StartPaperBroker, tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"accounts": [ADA | {"id": "x"}]}))
    with pytest.raises(RuntimeError, match=r"PREGAO_PAPER_ACCOUNTS: .*accounts\.json: accounts\[0\]\.id: Expected"):
        await start_paper_broker(PREGAO_PAPER_ACCOUNTS=str(path))
