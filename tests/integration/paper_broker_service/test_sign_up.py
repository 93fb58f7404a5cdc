"""User creation (api-contract §4.4, upstream side)."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.integration.paper_broker import API_TOKEN, PaperBroker, StartPaperBroker

BEARER = {"Authorization": f"Bearer {API_TOKEN}"}
ADA = {"name": "Ada Byron Trader", "email": "ada@sim.invalid", "password": "correct horse", "affId": "7"}


@pytest.fixture
async def broker(start_paper_broker: StartPaperBroker) -> PaperBroker:
    return await start_paper_broker(PREGAO_PAPER_REFUSED_COUNTRIES="US,FR", PREGAO_PAPER_COUNTRY="PT")


async def sign_up(broker: PaperBroker, body: object, headers: dict[str, str] = BEARER) -> tuple[int, dict[str, Any]]:
    return await post(broker, "/users", headers, json=body)


async def post(broker: PaperBroker, path: str, headers: dict[str, str] | None = None, **body: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession(broker.api_url) as http, http.post(path, headers=headers, **body) as answer:
        return answer.status, await answer.json()


async def test_who_signs_up_can_log_in(broker: PaperBroker) -> None:
    status, user = await sign_up(broker, ADA)
    assert status == 201
    assert user == {
        "id": user["id"],
        "email": "ada@sim.invalid",
        "password": "correct horse",
        "country_code": "PT",
        "locale": "en_US",
        "first_name": "Ada",
        "last_name": "Byron Trader",
    }
    balances = await broker.balances(user["id"])
    assert [(balance["amount"], balance["is_marginal"]) for balance in balances] == [(0, False), (10000, False)]
    status, _ = await post(broker, "/v2/login", json={"identifier": ADA["email"], "password": ADA["password"]})
    assert status == 200


async def test_an_address_signs_up_once_even_at_the_same_moment(broker: PaperBroker) -> None:
    answers = await asyncio.gather(*(sign_up(broker, ADA) for _ in range(4)))
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409]
    assert {body["error"] for status, body in answers if status == 409} == {"user_already_exists"}


async def test_every_wrong_field_is_named_with_a_code_and_a_message(broker: PaperBroker) -> None:
    status, problems = await sign_up(broker, {"email": "nobody", "password": "short", "country_code": "Portugal"})
    assert status == 422
    assert {field: problem["code"] for field, problem in problems.items()} == {
        "name": "required",
        "email": "invalid",
        "password": "too_short",
        "country_code": "invalid",
    }
    assert all(problem["message"] for problem in problems.values())
    for email in (5, "ada@sim.invalid\n", "\0@sim.invalid", "ada@"):
        status, problems = await sign_up(broker, ADA | {"email": email})
        assert (status, list(problems), problems["email"]["code"]) == (422, ["email"], "invalid")


async def test_some_countries_are_refused(broker: PaperBroker) -> None:
    status, answer = await sign_up(broker, ADA | {"country_code": "us"})
    assert (status, answer["error"]) == (451, "user_country_restriction")
    assert answer["message"]


async def test_only_servers_with_the_token_may_and_only_in_json(broker: PaperBroker) -> None:
    assert (await sign_up(broker, ADA, headers={}))[0] == 401
    assert (await post(broker, "/users", BEARER, data=b"{"))[0] == 400
    assert (await post(broker, "/users", BEARER, json=[]))[0] == 400
