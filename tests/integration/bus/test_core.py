"""Core publish/subscribe and the connection itself."""

import asyncio

import pytest

from libs.bus import Bus, BusUnavailable, request_id
from libs.contracts.clock import SystemClock
from libs.contracts.market import Candle, Feed
from libs.contracts.score import Score
from libs.contracts.subjects import candle
from tests.integration.nats_server import Connect, NatsServer, eventually
from tests.messages import a_candle, a_score


async def test_a_message_reaches_its_subscriber_typed(bus: Bus) -> None:
    received: list[tuple[str, Candle]] = []

    async def receive(subject: str, message: Candle) -> None:
        received.append((subject, message))

    await bus.subscribe("market.candle.*.*", Candle, receive)
    sent = a_candle(active_id=76, size=60)
    await bus.publish(candle(Feed(76, 60)), sent)
    await eventually(lambda: received)
    assert received == [("market.candle.76.60", sent)]


async def test_nothing_published_after_subscribe_returned_is_lost(connect: Connect) -> None:
    """One flush is no barrier in nats-py: a publisher on another connection lost up to 500 first messages."""
    publisher, subscriber = await connect(), await connect()
    for attempt in range(50):
        received: list[int] = []

        async def receive(_: str, message: Candle, received: list[int] = received) -> None:
            received.append(message.id)

        subscription = await subscriber.subscribe(f"probe.{attempt}", Candle, receive)
        for number in range(5):
            await publisher.publish(f"probe.{attempt}", a_candle(id=number))
        await eventually(lambda received=received: len(received) == 5)  # type: ignore[misc]
        assert received == [0, 1, 2, 3, 4]
        await subscription.stop()


async def test_an_undecodable_message_is_dropped_and_the_next_is_received(bus: Bus) -> None:
    received: list[Candle] = []

    async def receive(_: str, message: Candle) -> None:
        received.append(message)

    await bus.subscribe("market.candle.1.60", Candle, receive)
    await bus.publish("market.candle.1.60", a_score())
    good = a_candle()
    await bus.publish("market.candle.1.60", good)
    await eventually(lambda: received)
    assert received == [good]


async def test_a_failing_handler_does_not_end_the_subscription(bus: Bus) -> None:
    received: list[int] = []

    async def receive(_: str, message: Candle) -> None:
        received.append(message.id)
        if message.id == 1:
            raise ValueError("a bad day")

    await bus.subscribe("market.candle.1.60", Candle, receive)
    for number in (1, 2):
        await bus.publish("market.candle.1.60", a_candle(id=number))
    await eventually(lambda: len(received) == 2)


async def test_the_request_id_travels_with_the_message(bus: Bus) -> None:
    seen: list[str] = []

    async def receive(_: str, __: Score) -> None:
        seen.append(request_id.get())

    await bus.subscribe("bot.x.pnl", Score, receive)
    token = request_id.set("req-1")
    await bus.publish("bot.x.pnl", a_score())
    request_id.reset(token)
    await bus.publish("bot.x.pnl", a_score())
    await eventually(lambda: len(seen) == 2)
    assert seen == ["req-1", ""]


async def test_what_is_published_while_disconnected_is_dropped_not_sent_late(bus: Bus, nats_server: NatsServer) -> None:
    received: list[int] = []

    async def receive(_: str, message: Candle) -> None:
        received.append(message.id)

    await bus.subscribe("market.candle.1.60", Candle, receive)
    nats_server.kill()
    await eventually(lambda: not bus.connected)
    await bus.publish("market.candle.1.60", a_candle(id=1))
    nats_server.start()
    await eventually(lambda: bus.connected)
    await bus.ready()
    await bus.publish("market.candle.1.60", a_candle(id=2))
    await eventually(lambda: received)
    assert received == [2]


async def test_a_wrong_password_is_an_error_that_names_user_and_server(nats_server: NatsServer) -> None:
    with pytest.raises(BusUnavailable, match="as gateway"):
        async with asyncio.timeout(5):
            await Bus.connect(nats_server.url, "gateway", "wrong", service="gateway", instance="x", clock=SystemClock())


async def test_a_frozen_server_is_noticed_and_the_bus_comes_back(bus: Bus, nats_server: NatsServer) -> None:
    nats_server.freeze()
    with pytest.raises(BusUnavailable):
        await bus.ready()
    nats_server.thaw()
    await eventually(lambda: bus.connected)
    await bus.ready()
