"""The session API (api-contract §10.12) and translations (quadcode-protocol §5)."""

from typing import Any

import aiohttp

from tests.integration.paper_broker import API_TOKEN, PaperBroker
from tests.integration.paper_broker_service.wire import connected, dialled

BEARER = {"Authorization": f"Bearer {API_TOKEN}"}


async def ask(broker: PaperBroker, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(broker.api_url) as http,
        http.request(method, path, headers=headers) as response,
    ):
        return response.status, await response.json()


async def test_a_session_id_is_given_for_any_number_and_works(paper_broker: PaperBroker) -> None:
    status, answer = await ask(paper_broker, "POST", "/sessions/123456789", BEARER)
    assert (status, answer["userId"]) == (200, 123456789)
    async with dialled(paper_broker) as wire:
        await wire.login(answer["ssid"])
        assert (await wire.call("core.get-profile", "1.0", {}))["result"]["user_id"] == 123456789


async def test_without_the_token_there_is_none(paper_broker: PaperBroker) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": API_TOKEN}):
        status, answer = await ask(paper_broker, "POST", "/sessions/1", headers)
        assert (status, answer["isSuccessful"]) == (401, False)


async def test_what_is_no_user_is_refused(paper_broker: PaperBroker) -> None:
    for user in ("abc", "0", "-1", "1.5", "1" * 19, "%F0%9F%98%80"):
        status, answer = await ask(paper_broker, "POST", f"/sessions/{user}", BEARER)
        assert (status, answer["isSuccessful"]) == (400, False), user


async def test_every_error_is_json(paper_broker: PaperBroker) -> None:
    for method, path, expected in (
        ("GET", "/nothing", 404),
        ("GET", "/sessions/1", 405),
        ("POST", "/sessions/", 404),
        ("GET", "/echo/websocket", 400),
    ):
        status, answer = await ask(paper_broker, method, path, BEARER)
        assert (status, answer["isSuccessful"]) == (expected, False), path


async def test_names_of_actives_are_translated_with_the_prefix_of_their_group(paper_broker: PaperBroker) -> None:
    path = "/api/lang/route-translations?route=pt&groups%5B%5D=front&groups%5B%5D=assets"
    status, answer = await ask(paper_broker, "GET", path)
    assert (status, answer["isSuccessful"]) == (200, True)
    assert answer["result"]["pt"]["front.EURUSD-OTC"] == "EUR/USD OTC"
    assert answer["result"]["pt"]["assets.EURUSD-OTC"] == "EUR/USD OTC"
    assert "desktop.EURUSD-OTC" not in answer["result"]["pt"]


async def test_translations_of_no_language_are_refused(paper_broker: PaperBroker) -> None:
    status, answer = await ask(paper_broker, "GET", "/api/lang/route-translations")
    assert (status, answer["isSuccessful"]) == (400, False)


async def test_the_control_api_needs_the_token(paper_broker: PaperBroker) -> None:
    status, _ = await ask(paper_broker, "GET", "/control/balances?user=1")
    assert status == 401


async def test_several_sessions_and_connections_of_a_user_live_side_by_side(paper_broker: PaperBroker) -> None:
    ssid = await paper_broker.session(7)
    async with (
        dialled(paper_broker) as first,
        dialled(paper_broker) as second,
        connected(paper_broker, 7) as third,
    ):
        await first.login(ssid)
        await second.login(ssid)
        profiles = [await wire.call("core.get-profile", "1.0", {}) for wire in (first, second, third)]
        assert [profile["result"]["user_id"] for profile in profiles] == [7, 7, 7]


async def test_a_chat_message_is_said_over_the_control_api(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker, 7) as wire, aiohttp.ClientSession(paper_broker.api_url, headers=BEARER) as http:
        await wire.subscribe("chat-message-public-generated", "1.0", room_id="global-en")
        body = {"room_id": "global-en", "text": "Hello"}
        async with http.post("/control/chat-messages", json=body) as answer:
            assert answer.status == 200
            said = await answer.json()
        assert await wire.event("chat-message-public-generated") == {"data": [said]}
        async with http.post("/control/chat-messages", json=body | {"room_id": "cellar"}) as answer:
            assert (answer.status, list(await answer.json())) == (400, ["room_id"])
    status, _ = await ask(paper_broker, "POST", "/control/chat-messages")
    assert status == 401
