"""Over a real server: every request ends with its own answer, an error or its cancellation, and leaves nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError

from libs.bus.permissions import ADMIN
from libs.bus.requests import Requests, TooManyRequests
from tests.integration.nats_server import NatsServer, eventually

Open = Callable[..., Awaitable[Requests]]


@pytest.fixture
async def client(nats_server: NatsServer) -> AsyncIterator[Client]:
    client = Client()
    await client.connect(
        nats_server.url, user=ADMIN, password=nats_server.passwords[ADMIN], reconnect_time_wait=0,
        max_reconnect_attempts=-1, allow_reconnect=True,
    )  # fmt: skip
    yield client
    await client.close()


@pytest.fixture
async def requests(client: Client) -> Requests:
    return await opened(client)


async def opened(client: Client, most: int = 1000) -> Requests:
    requests = Requests(client, most)
    await requests.open()
    return requests


class Desk:
    """Serves `desk`, and answers when a test says so."""

    def __init__(self) -> None:
        self.asked: list[Msg] = []

    async def open(self, client: Client) -> None:
        async def take(message: Msg) -> None:
            self.asked.append(message)

        await client.subscribe("desk", cb=take)

    async def heard(self, count: int) -> None:
        await eventually(lambda: len(self.asked) >= count)


@pytest.fixture
async def desk(client: Client) -> Desk:
    desk = Desk()
    await desk.open(client)
    return desk


async def test_each_gets_its_own_answer_in_whatever_order_they_come(requests: Requests, desk: Desk) -> None:
    asking = [asyncio.create_task(requests.ask("desk", b"%d" % number, 5.0)) for number in range(200)]
    await desk.heard(200)
    assert requests.in_flight == 200
    for message in reversed(desk.asked):
        await message.respond(message.data)
    answers = [message.data for message in await asyncio.gather(*asking)]
    assert answers == [b"%d" % number for number in range(200)]
    assert requests.in_flight == 0


async def test_headers_travel_with_the_request(requests: Requests, desk: Desk) -> None:
    asking = asyncio.create_task(requests.ask("desk", b"", 5.0, {"Nats-Msg-Id": "7"}))
    await desk.heard(1)
    await desk.asked[0].respond(b"")
    await asking
    assert desk.asked[0].headers == {"Nats-Msg-Id": "7"}


async def test_nobody_there_is_told_at_once(requests: Requests) -> None:
    async with asyncio.timeout(1):
        with pytest.raises(NoRespondersError):
            await requests.ask("nobody", b"", 5.0)
    assert requests.in_flight == 0


async def test_no_answer_in_time_is_a_timeout(requests: Requests, desk: Desk) -> None:
    with pytest.raises(TimeoutError, match=r"desk in 0\.05 s"):
        await requests.ask("desk", b"", 0.05)
    assert requests.in_flight == 0


async def test_a_late_answer_is_nobodys(requests: Requests, desk: Desk) -> None:
    with pytest.raises(TimeoutError):
        await requests.ask("desk", b"first", 0.05)
    second = asyncio.create_task(requests.ask("desk", b"second", 5.0))
    await desk.heard(2)
    await desk.asked[0].respond(b"late")
    await desk.asked[1].respond(b"in time")
    assert (await second).data == b"in time"


async def test_an_answer_that_is_repeated_is_taken_once(requests: Requests, desk: Desk) -> None:
    asking = asyncio.create_task(requests.ask("desk", b"", 5.0))
    await desk.heard(1)
    await desk.asked[0].respond(b"one")
    await desk.asked[0].respond(b"two")
    assert (await asking).data == b"one"
    await requests.echo(5.0)
    assert requests.in_flight == 0


async def test_a_cancelled_request_leaves_nothing(requests: Requests, desk: Desk) -> None:
    asking = asyncio.create_task(requests.ask("desk", b"", 5.0))
    await desk.heard(1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert requests.in_flight == 0
    await desk.asked[0].respond(b"too late")
    await requests.echo(5.0)


async def test_a_cancellation_that_comes_with_the_answer_is_not_lost(requests: Requests, desk: Desk) -> None:
    asking = asyncio.create_task(requests.ask("desk", b"", 5.0))
    await desk.heard(1)
    (answer,) = requests._waiting.values()
    answer.set_result(desk.asked[0])
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert requests.in_flight == 0


async def test_a_cancellation_that_comes_with_the_timeout_is_not_lost(requests: Requests, desk: Desk) -> None:
    asking = asyncio.create_task(requests.ask("desk", b"", 5.0))
    await desk.heard(1)
    (answer,) = requests._waiting.values()
    answer.set_result(None)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert requests.in_flight == 0


async def test_a_cancellation_while_the_socket_is_full_is_not_lost(
    requests: Requests, desk: Desk, nats_server: NatsServer
) -> None:
    nats_server.freeze()
    try:
        # More than the buffers of both ends hold: `publish` waits for the socket.
        asking = [asyncio.create_task(requests.ask("desk", b"x" * 500_000, 30.0)) for _ in range(40)]
        await eventually(lambda: requests.in_flight == 40)
        for task in asking:
            task.cancel()
        _, alive = await asyncio.wait(asking, timeout=2)
    finally:
        nats_server.thaw()
    assert not alive
    assert all(task.cancelled() for task in asking)
    assert requests.in_flight == 0


async def test_a_server_that_stands_still_is_a_timeout(requests: Requests, desk: Desk, nats_server: NatsServer) -> None:
    nats_server.freeze()
    try:
        async with asyncio.timeout(2):
            with pytest.raises(TimeoutError):
                await requests.ask("desk", b"", 0.1)
    finally:
        nats_server.thaw()


async def test_what_is_in_flight_when_the_server_dies_ends_in_time(
    requests: Requests, desk: Desk, client: Client, nats_server: NatsServer
) -> None:
    asking = [asyncio.create_task(requests.ask("desk", b"", 0.5)) for _ in range(20)]
    await desk.heard(20)
    nats_server.kill()
    nats_server.start()
    async with asyncio.timeout(2):
        ended = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(end, TimeoutError) for end in ended)
    assert requests.in_flight == 0
    await eventually(lambda: client.is_connected)
    again = asyncio.create_task(requests.ask("desk", b"again", 5.0))
    await desk.heard(21)
    await desk.asked[20].respond(b"as before")
    assert (await again).data == b"as before"


async def test_an_answer_that_was_on_its_way_comes_after_the_reconnect(
    requests: Requests, desk: Desk, client: Client, nats_server: NatsServer
) -> None:
    asking = asyncio.create_task(requests.ask("desk", b"", 20.0))
    await desk.heard(1)
    nats_server.kill()
    await eventually(lambda: not client.is_connected)
    nats_server.start()
    await eventually(lambda: client.is_connected)
    await requests.echo(5.0)
    await desk.asked[0].respond(b"after all")
    assert (await asking).data == b"after all"


async def test_a_flood_is_refused_before_anything_is_sent(client: Client, desk: Desk) -> None:
    requests = await opened(client, most=3)
    asking = [asyncio.create_task(requests.ask("desk", b"", 5.0)) for _ in range(3)]
    await desk.heard(3)
    with pytest.raises(TooManyRequests):
        await requests.ask("desk", b"one too many", 5.0)
    await desk.asked[0].respond(b"")
    await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    asking.append(asyncio.create_task(requests.ask("desk", b"", 5.0)))
    await desk.heard(4)
    assert b"one too many" not in [message.data for message in desk.asked]
    for message in desk.asked[1:]:
        await message.respond(b"")
    await asyncio.gather(*asking)
