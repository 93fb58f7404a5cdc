"""So many requests a minute, from one edge or from several."""

import asyncio
import time
from datetime import datetime

import pytest

from libs.bus import Bus
from libs.contracts.account import SessionState
from services.socket_edge.errors import ApiError
from services.socket_edge.rates import RateLimiter
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import Stack
from tests.integration.nats_server import NatsServer
from tests.integration.supabase_server import Person
from tests.messages import OTHER_USER, USER
from tests.unit.socket_edge.hand_clock import HandClock

LIMIT = 40


def refilled(limit: int, since: float) -> float:
    """At most so many tokens since that monotonic second."""
    return limit * (time.monotonic() - since) / 60 + 1


async def passed(limiter: RateLimiter, times: int, user: str = USER, limit: int = LIMIT) -> int:
    """How many of so many requests at once were let through."""
    asked = (limiter.spend("read", "user", user, limit) for _ in range(times))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(answer is None or isinstance(answer, ApiError) for answer in answers)
    return sum(answer is None for answer in answers)


async def test_several_edges_together_let_no_more_through_than_one(bus: Bus) -> None:
    clock = HandClock()
    edges = [RateLimiter(bus, clock) for _ in range(3)]
    assert sum(await asyncio.gather(*(passed(edge, LIMIT) for edge in edges))) == LIMIT
    assert await passed(edges[0], 5, OTHER_USER) == 5, "another user's are their own"


async def test_the_bucket_refills_evenly(bus: Bus) -> None:
    clock = HandClock()
    limiter = RateLimiter(bus, clock)
    assert await passed(limiter, 2 * LIMIT) == LIMIT
    clock.advance(15)
    assert await passed(limiter, LIMIT) == LIMIT // 4
    clock.advance(3600)
    assert await passed(limiter, 2 * LIMIT) == LIMIT, "and is never more than full"


async def test_who_is_refused_is_told_when_to_come_back(bus: Bus) -> None:
    clock = HandClock()
    limiter = RateLimiter(bus, clock)
    await passed(limiter, 4, limit=4)
    with pytest.raises(ApiError) as refused:
        await limiter.spend("read", "user", USER, 4)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "15")
    clock.advance(15)
    assert await passed(limiter, 4, limit=4) == 1


async def test_without_the_bus_an_edge_counts_alone(bus: Bus, nats_server: NatsServer) -> None:
    clock = HandClock()
    limiter = RateLimiter(bus, clock)
    nats_server.freeze()
    try:
        before = datetime.now().astimezone()
        assert await passed(limiter, 2 * LIMIT) == LIMIT
        assert (datetime.now().astimezone() - before).total_seconds() < 5
    finally:
        nats_server.thaw()


@pytest.mark.asyncio(loop_scope="session")
async def test_a_restart_forgives_nothing_and_a_forged_address_helps_nobody(
    own_stack: Stack, person: Person, somebody_else: Person
) -> None:
    edge: Edge = own_stack.edge
    await own_stack.backend.session(person.user, SessionState.CONNECTED)

    async def connects(who: Person, **headers: str) -> int:
        status, _, _ = await edge.ask("POST", "/api/bot/connect", who, json={}, headers=headers)
        return status

    since = time.monotonic()
    answers = [await connects(person) for _ in range(25)]
    assert answers.count(200) >= 20
    assert answers[-1] == 429
    await edge.process.stop()
    await edge.process.start()
    answers += [await connects(person, **{"X-Forwarded-For": "198.51.100.7"}) for _ in range(20)]
    assert answers.count(200) <= 20 + refilled(20, since)
    assert await connects(somebody_else) == 200
    status, _ = await edge.get("/api/bot/status", person)
    assert status == 200, "what is answered from memory has its own limit"


@pytest.mark.asyncio(loop_scope="session")
async def test_strangers_share_what_their_address_may_ask(own_stack: Stack, backend: Backend) -> None:
    edge = own_stack.edge
    since = time.monotonic()
    answers: list[int] = []
    while 429 not in answers:
        answers += [status for status, *_ in await asyncio.gather(*(edge.ask("GET", "/api/assets") for _ in range(20)))]
    assert 600 <= answers.count(200) <= 600 + refilled(600, since)


BEHIND_A_PROXY = {
    "PREGAO_EDGE_TRUSTED_PROXIES": "127.0.0.0/8",
    "PREGAO_EDGE_RATE_COSTLY": "2",
    "PREGAO_EDGE_RATE_OF_ADDRESS": "2",
    "PREGAO_EDGE_SOCKETS_PER_ADDRESS": "2",
}


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("own_stack", [{"variables": BEHIND_A_PROXY}], indirect=True)
async def test_behind_a_proxy_who_can_choose_an_address_counts_once(own_stack: Stack) -> None:
    """Not even the token is looked at for who asks too much."""
    edge = own_stack.edge

    async def statuses(method: str, path: str, *addresses: str) -> list[int]:
        """As through a proxy that adds a header of its own behind the one of its client, who makes one up."""
        answers = []
        for number, address in enumerate(addresses):
            headers = [("X-Forwarded-For", f"192.0.2.{number}"), ("X-Forwarded-For", address)]
            async with edge.http.request(method, edge.url + path, headers=headers) as response:
                answers.append(response.status)
        return answers

    of_one = [f"2001:db8:1:2::{number}" for number in range(12)]
    for path in ("/api/bot/connect", "/api/avalon/create-user"):
        for addresses in (of_one, ["198.51.100.7"] * 12):
            assert 429 in await statuses("POST", path, *addresses)
        assert 429 not in await statuses("POST", path, "2001:db8:1:3::1", "198.51.100.8")
    polling = "/socket.io/?EIO=4&transport=polling"
    assert await statuses("GET", polling, *of_one[:3], "2001:db8:1:3::1") == [200, 200, 401, 200]
