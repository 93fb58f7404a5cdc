"""Storing events, and the durable consumers that read them."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.bus import Bus, BusError, BusUnavailable, Consumer, DeadLetter, Delivery, Poison, Unavailable
from libs.bus.suspects import DEATHS
from libs.bus.topology import DEAD_LETTERS, TRADES, Bucket, Stream
from libs.contracts.orders import OrderState, TradeOpened
from libs.contracts.subjects import trade
from tests.integration.nats_server import Connect, NatsServer, eventually
from tests.messages import OTHER_USER, USER, an_opening, an_order

SUBJECT = trade(USER, OrderState.OPENED)
FAST = Consumer(TRADES.name, "reader", batch=10, ack_wait=1.0, backoff=(0.05,), max_deliver=3)


async def store(bus: Bus, *numbers: int) -> None:
    for number in numbers:
        opened = an_opening(order=an_order(sequence=number))
        await bus.append(SUBJECT, opened, id=f"{number}.opened")


class Reader:
    """A handler that remembers what it was given, and fails where told to."""

    def __init__(self, failures: dict[int, list[Exception]] | None = None) -> None:
        self.batches: list[list[int]] = []
        self.handled: list[int] = []
        self.attempts: list[tuple[int, int]] = []
        self._failures = failures or {}

    async def __call__(self, batch: list[Delivery]) -> None:
        numbers = [delivery.decode(TradeOpened).order.sequence for delivery in batch]
        self.attempts += [(number, delivery.attempt) for number, delivery in zip(numbers, batch, strict=True)]
        for number in numbers:
            if self._failures.get(number):
                raise self._failures[number].pop(0)
        self.batches.append(numbers)
        self.handled += numbers


async def test_an_event_appended_twice_is_stored_once(bus: Bus) -> None:
    await store(bus, 1, 1, 2)
    reader = Reader()
    consumption = await bus.consume(FAST, reader)
    await eventually(lambda: len(reader.handled) >= 2)
    await consumption.stop()
    assert reader.handled == [1, 2]


async def test_what_was_stored_since_a_time_is_read_in_order(bus: Bus) -> None:
    await store(bus, 1)
    since = datetime.now(UTC)
    await store(bus, *range(2, 700))
    other = an_opening(order=an_order(user=OTHER_USER))
    await bus.append(trade(OTHER_USER, OrderState.OPENED), other, id="other")
    read = await bus.past(TRADES, SUBJECT, TradeOpened, since)
    assert [opened.order.sequence for opened in read] == list(range(2, 700))
    assert len(await bus.past(TRADES, SUBJECT, TradeOpened, since - timedelta(minutes=1))) == 699


async def test_nothing_stored_since_a_time_is_nothing(bus: Bus) -> None:
    await store(bus, 1)
    assert await bus.past(TRADES, SUBJECT, TradeOpened, datetime.now(UTC)) == []


async def test_events_come_in_batches_and_the_first_is_not_held_back(bus: Bus) -> None:
    await store(bus, *range(25))
    reader = Reader()
    consumption = await bus.consume(FAST, reader)
    await eventually(lambda: len(reader.handled) == 25)
    assert max(len(batch) for batch in reader.batches) == 10
    started = asyncio.get_running_loop().time()
    await store(bus, 99)
    await eventually(lambda: 99 in reader.handled)
    assert asyncio.get_running_loop().time() - started < 0.9, "nats-py's fetch waits for the batch to fill"
    await consumption.stop()


async def test_what_waits_comes_in_full_batches(bus: Bus) -> None:
    await store(bus, *range(1, 96))
    reader = Reader()
    consumption = await bus.consume(FAST, reader)
    await eventually(lambda: len(reader.handled) == 95)
    await consumption.stop()
    assert [len(batch) for batch in reader.batches] == [10] * 9 + [5]


async def test_no_more_batches_are_in_hand_at_once_than_the_handler_takes(bus: Bus) -> None:
    await store(bus, *range(1, 41))
    begun: list[int] = []
    gates = [asyncio.Event() for _ in range(4)]

    async def handle(batch: list[Delivery]) -> None:
        number = len(begun)
        begun.append(batch[0].decode(TradeOpened).order.sequence)
        await gates[number].wait()

    consumption = await bus.consume(replace(FAST, at_once=2, ack_wait=10.0), handle)
    await eventually(lambda: len(begun) == 2)
    await bus.ready()
    assert begun == [1, 11], "not a third"
    gates[1].set()
    await eventually(lambda: begun == [1, 11, 21])
    assert await bus.backlog(FAST) == 30, "the second is acknowledged, and the first is not"
    for gate in gates:
        gate.set()
    await eventually(lambda: len(begun) == 4)
    await consumption.stop()
    assert await bus.backlog(FAST) == 0, "what was in hand is finished"


async def test_an_append_while_the_server_restarts_is_stored_once(bus: Bus, nats_server: NatsServer) -> None:
    nats_server.kill()
    append = asyncio.create_task(bus.append(SUBJECT, an_opening(), id="1.opened", timeout=15))
    await eventually(lambda: not bus.connected)
    nats_server.start()
    await append
    await bus.append(SUBJECT, an_opening(), id="1.opened")
    reader = Reader()
    consumption = await bus.consume(FAST, reader)
    await eventually(lambda: reader.handled)
    await consumption.stop()
    assert reader.handled == [1]


async def test_an_append_that_cannot_be_confirmed_says_so(bus: Bus, nats_server: NatsServer) -> None:
    nats_server.freeze()
    with pytest.raises(BusUnavailable):
        await bus.append(SUBJECT, an_opening(), id="1.opened", timeout=0.3)


async def test_a_consumer_goes_on_where_it_acknowledged(bus: Bus) -> None:
    await store(bus, 1)
    first, second = Reader(), Reader()
    consumption = await bus.consume(FAST, first)
    await eventually(lambda: first.handled)
    await consumption.stop()
    await store(bus, 2)
    consumption = await bus.consume(FAST, second)
    await eventually(lambda: second.handled)
    await consumption.stop()
    assert (first.handled, second.handled) == ([1], [2])


async def test_a_consumer_survives_a_server_restart(bus: Bus, nats_server: NatsServer) -> None:
    reader = Reader()
    consumption = await bus.consume(FAST, reader)
    nats_server.kill()
    nats_server.start()
    await eventually(lambda: bus.connected)
    await store(bus, 1)
    await eventually(lambda: reader.handled == [1])
    await consumption.stop()


async def test_an_unavailable_dependency_never_sets_a_message_aside(bus: Bus) -> None:
    await store(bus, 1)
    reader = Reader({1: [Unavailable("database away")] * 6})
    consumption = await bus.consume(FAST, reader)
    await eventually(lambda: reader.handled == [1])
    await consumption.stop()
    assert [attempt for _, attempt in reader.attempts] == [1, 2, 3, 4, 5, 6, 7]


async def test_poison_is_set_aside_at_once_and_the_others_flow(bus: Bus, connect: Connect) -> None:
    await store(bus, 1, 2, 3)
    dead: list[Delivery] = []

    async def collect(batch: list[Delivery]) -> None:
        dead.extend(batch)

    reader = Reader({2: [Poison("not a trade")] * 3})  # in the batch, in the half of it, and alone
    consumption = await bus.consume(FAST, reader)
    undertaker = await (await connect()).consume(Consumer(DEAD_LETTERS.name, "undertaker"), collect)
    await eventually(lambda: dead and reader.handled == [1, 3])
    await consumption.stop()
    await undertaker.stop()
    assert dead[0].subject == "dlq.TRADES.reader"
    assert dead[0].decode(TradeOpened).order.sequence == 2


async def test_a_message_that_keeps_failing_is_set_aside_after_its_tries(bus: Bus) -> None:
    await store(bus, 1)
    reader = Reader({1: [ValueError("bug")] * 10})
    dead: list[Delivery] = []

    async def collect(batch: list[Delivery]) -> None:
        dead.extend(batch)

    consumption = await bus.consume(FAST, reader)
    undertaker = await bus.consume(Consumer(DEAD_LETTERS.name, "undertaker"), collect)
    await eventually(lambda: dead)
    await consumption.stop()
    await undertaker.stop()
    assert reader.attempts == [(1, 1), (1, 2), (1, 3)]


class Death(BaseException):
    """Of a process, as far as its consumer knows: it neither acknowledges nor hands back."""


async def test_a_message_at_which_processes_die_is_set_aside_and_the_others_are_handled(
    bus: Bus, connect: Connect
) -> None:
    """The whole batch comes again each time, until it is known which of them it is."""
    await store(bus, 1, 2, 3, 4, 5)
    spec = replace(FAST, durable="analytics", ack_wait=0.5, max_deliver=1)
    handled: list[int] = []
    died = asyncio.Event()

    async def die_at_3(batch: list[Delivery]) -> None:
        numbers = [delivery.decode(TradeOpened).order.sequence for delivery in batch]
        if 3 in numbers:
            died.set()
            raise Death
        handled.extend(numbers)

    async def there() -> list[DeadLetter]:
        return [letter async for letter in bus.dead_letters().all()]

    deaths = 0
    async with asyncio.timeout(40):
        while len(handled) < 4 or not await there():
            process = await connect("analytics")
            consumption = await process.consume(spec, die_at_3)
            while not died.is_set() and (len(handled) < 4 or not await there()):
                await asyncio.sleep(0.02)
            deaths += died.is_set()
            died.clear()
            with suppress(BaseExceptionGroup):
                await consumption.stop()
            await process.close()
    [letter] = await there()
    assert (letter.consumer, set(handled)) == ("analytics", {1, 2, 4, 5})
    assert "ended while it was handled" in letter.reason
    assert 1 + DEATHS <= deaths <= 5 + DEATHS, "with all of them, with five, with two, and alone"


async def test_slow_work_is_not_given_to_another(bus: Bus, connect: Connect) -> None:
    """In-progress reminders keep a message past its ack_wait."""
    await store(bus, 1)
    release = asyncio.Event()
    calls: list[str] = []

    async def slow(_: list[Delivery]) -> None:
        calls.append("slow")
        await release.wait()

    async def other(_: list[Delivery]) -> None:
        calls.append("other")

    first = await bus.consume(FAST, slow)
    await eventually(lambda: calls)
    second = await (await connect()).consume(FAST, other)
    with pytest.raises(TimeoutError):
        await eventually(lambda: "other" in calls, timeout=2.5)
    release.set()
    await first.stop()
    await second.stop()
    assert calls == ["slow"]


async def test_changed_settings_are_applied_and_what_is_stored_stays(bus: Bus) -> None:
    await bus.ensure(Stream("SMALL", ("small.*",), max_age=60, max_bytes=1024 * 1024))
    await bus.append("small.one", an_opening(), id="1")
    await bus.ensure(Stream("SMALL", ("small.*", "tiny.*"), max_age=60, max_bytes=1024 * 1024))
    await bus.append("tiny.one", an_opening(order=an_order(sequence=2)), id="2")
    reader = Reader()
    consumption = await bus.consume(Consumer("SMALL", "reader"), reader)
    await eventually(lambda: len(reader.handled) == 2)
    await consumption.stop()


async def test_declaring_twice_changes_nothing(bus: Bus) -> None:
    await bus.ensure(TRADES, Bucket("things", max_bytes=1024 * 1024))
    await bus.ensure(TRADES, Bucket("things", max_bytes=1024 * 1024))


async def test_a_full_stream_refuses_with_the_reason(bus: Bus) -> None:
    await bus.ensure(Stream("TIGHT", ("tight",), max_age=60, max_bytes=2048))
    with pytest.raises(BusError, match="maximum bytes"):
        for number in range(10):
            await bus.append("tight", an_opening(), id=str(number))
