"""The issuer's keys: fetched from a real server, rarely."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.socket_edge.errors import ApiError
from services.socket_edge.jwks import KeySet
from tests.ports import free_port
from tests.unit.socket_edge.hand_clock import HandClock


def jwk(kid: str, algorithm: str = "ES256") -> dict[str, Any]:
    key: Any = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if algorithm == "RS256"
        else ec.generate_private_key(ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1())
    )
    return dict(jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)) | {"kid": kid}


class Issuer:
    """Serves a JWKS document and counts how often it is asked."""

    def __init__(self) -> None:
        self.document: Any = {"keys": [jwk("one")]}
        self.status = 200
        self.asked = 0
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/auth/v1/.well-known/jwks.json"

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response(self.document, status=self.status)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/auth/v1/.well-known/jwks.json", issuer.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", issuer.port).start()
    yield issuer
    await runner.cleanup()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def keys(issuer: Issuer, clock: HandClock) -> AsyncIterator[KeySet]:
    async with aiohttp.ClientSession() as http:
        yield KeySet(http, issuer.url, clock)


async def test_keys_are_fetched_once_in_ten_minutes(keys: KeySet, issuer: Issuer, clock: HandClock) -> None:
    for _ in range(3):
        assert await keys.find("one") is not None
    assert issuer.asked == 1
    clock.advance(601)
    await keys.find("one")
    assert issuer.asked == 2


async def test_a_rotated_key_is_found_and_the_old_one_forgotten(keys: KeySet, issuer: Issuer, clock: HandClock) -> None:
    await keys.find("one")
    issuer.document = {"keys": [jwk("two")]}
    clock.advance(31)
    assert await keys.find("two") is not None
    assert await keys.find("one") is None


async def test_a_flood_of_unknown_keys_asks_once_in_thirty_seconds(
    keys: KeySet, issuer: Issuer, clock: HandClock
) -> None:
    for number in range(50):
        assert await keys.find(f"random-{number}") is None
    assert issuer.asked == 1
    clock.advance(31)
    await keys.find("random")
    assert issuer.asked == 2


async def test_while_the_issuer_is_away_known_keys_serve_for_an_hour(
    keys: KeySet, issuer: Issuer, clock: HandClock
) -> None:
    await keys.find("one")
    issuer.status = 500
    clock.advance(3000)
    assert await keys.find("one") is not None
    clock.advance(700)
    with pytest.raises(ApiError) as refused:
        await keys.find("one")
    assert refused.value.status == 503


@pytest.mark.parametrize("document", [[], {}, {"keys": 5}, {"keys": ["x"]}, "text", {"keys": [{"kty": "RSA"}]}])
async def test_a_strange_answer_is_as_none(keys: KeySet, issuer: Issuer, document: Any) -> None:
    issuer.document = document
    with pytest.raises(ApiError) as refused:
        await keys.find("one")
    assert refused.value.status == 503


async def test_only_keys_of_accepted_algorithms_are_kept(keys: KeySet, issuer: Issuer) -> None:
    symmetric = {"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256"}
    issuer.document = {"keys": [jwk("wide", "ES384"), symmetric, jwk("rsa", "RS256")]}
    found = await keys.find("rsa")
    assert found is not None
    assert found.algorithm_name == "RS256"
    assert await keys.find("wide") is None
    assert await keys.find("shared") is None
