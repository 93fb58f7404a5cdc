"""Session ids: asked for once, kept until they are old or refused, and never told to anybody else."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.broker_gateway.broker import AuthenticationRefused, BrokerUnavailable
from services.broker_gateway.ssid import SessionIds


class ManualClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


class Api:
    """The session API: answers as told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: Callable[[int], tuple[int, str]] = lambda n: (200, f'{{"ssid": "ssid-{n}", "userId": 5}}')
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.match_info["user"], request.headers.get("Authorization", "")))
        number = len(self.asked)
        await self.gate.wait()
        status, text = self.answer(number)
        return web.Response(status=status, text=text)


Make = Callable[[], Awaitable[SessionIds]]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def ids(api: Api, clock: ManualClock) -> AsyncIterator[SessionIds]:
    app = web.Application()
    app.router.add_post("/sessions/{user}", api.handle)
    server = TestServer(app)
    await server.start_server()
    async with aiohttp.ClientSession() as http:
        yield SessionIds(http, str(server.make_url("/sessions")), "api-token", clock, random.Random(1))
    await server.close()


async def test_an_id_is_asked_for_with_our_token_and_kept(ids: SessionIds, api: Api) -> None:
    assert await ids.get("5150") == "ssid-1"
    assert await ids.get("5150") == "ssid-1"
    assert api.asked == [("5150", "Bearer api-token")]


async def test_callers_at_the_same_time_share_one_request(ids: SessionIds, api: Api) -> None:
    api.gate.clear()
    callers = [asyncio.create_task(ids.get("5150")) for _ in range(20)]
    async with asyncio.timeout(5):
        while not api.asked:
            await asyncio.sleep(0)
    api.gate.set()
    assert set(await asyncio.gather(*callers)) == {"ssid-1"}
    assert len(api.asked) == 1


async def test_a_caller_who_gives_up_does_not_take_the_others_answer(ids: SessionIds, api: Api) -> None:
    api.gate.clear()
    impatient, patient = asyncio.create_task(ids.get("5150")), asyncio.create_task(ids.get("5150"))
    async with asyncio.timeout(5):
        while not api.asked:
            await asyncio.sleep(0)
    impatient.cancel()
    api.gate.set()
    assert await patient == "ssid-1"


async def test_users_do_not_share_ids(ids: SessionIds) -> None:
    assert await ids.get("1") != await ids.get("2")


async def test_an_id_is_renewed_before_the_broker_forgets_it(ids: SessionIds, clock: ManualClock) -> None:
    await ids.get("5150")
    clock.seconds += 22 * 3600 - 1
    assert await ids.get("5150") == "ssid-1"
    clock.seconds += 3601
    assert await ids.get("5150") == "ssid-2"


async def test_an_id_the_broker_refused_is_asked_for_anew(ids: SessionIds) -> None:
    refused = await ids.get("5150")
    ids.forget("5150", refused)
    assert await ids.get("5150") == "ssid-2"
    ids.forget("5150", refused)
    assert await ids.get("5150") == "ssid-2", "an older refusal does not throw away a newer id"


@pytest.mark.parametrize("name", ["ssid", "session_id", "token"])
async def test_each_name_the_api_has_used_is_understood(ids: SessionIds, api: Api, name: str) -> None:
    api.answer = lambda _: (200, f'{{"{name}": "abc"}}')
    assert await ids.get("5150") == "abc"


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_refusal_of_the_user_is_final(ids: SessionIds, api: Api, status: int) -> None:
    api.answer = lambda _: (status, "no")
    with pytest.raises(AuthenticationRefused, match=str(status)):
        await ids.get("5150")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (500, "oops"),
        (503, ""),
        (429, ""),
        (401, "our token"),
        (403, "our token"),
        (200, "not json"),
        (200, "{}"),
        (200, '{"ssid": 5}'),
    ],
)
async def test_anything_else_can_be_tried_again(ids: SessionIds, api: Api, status: int, text: str) -> None:
    api.answer = lambda _: (status, text)
    with pytest.raises(BrokerUnavailable):
        await ids.get("5150")
    api.answer = lambda _: (200, '{"ssid": "later"}')
    assert await ids.get("5150") == "later"


async def test_an_error_never_repeats_what_the_api_said(ids: SessionIds, api: Api) -> None:
    api.answer = lambda _: (500, "ssid-secret-canary")
    with pytest.raises(BrokerUnavailable) as raised:
        await ids.get("5150")
    assert "canary" not in str(raised.value)
