"""A message that was set aside comes once more to its consumer, and to nobody else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from libs.bus import Bus, Consumer, Consumption, DeadLetter, Delivery, NotReplayed, Poison, Unavailable
from libs.bus.consumer import BatchHandler
from libs.bus.topology import BOTS, TRADES
from libs.contracts import keys
from libs.contracts.account import AccountType
from libs.contracts.ids import BotId, new_id
from libs.contracts.orders import OrderState
from libs.contracts.subjects import trade
from tests.integration.nats_server import Connect, eventually
from tests.messages import OTHER_USER, USER, a_closing, a_score

TRADES_OF_ANALYTICS = Consumer(TRADES.name, "analytics")
CLOSED = trade(USER, OrderState.CLOSED)


class Reader:
    """A consumer's handler that refuses everything until it is mended."""

    def __init__(self, *, sound: bool = False) -> None:
        self.error: Exception | None = None if sound else Poison("not understood")
        self.handled: list[Delivery] = []

    async def read(self, batch: list[Delivery]) -> None:
        if self.error is not None:
            raise self.error
        self.handled += batch


Consume = Callable[..., Awaitable[Consumption]]


@pytest.fixture
async def consume(bus: Bus) -> AsyncIterator[Consume]:
    """`await consume(handler)`: as analytics does of trades, until the end of the test."""
    running: list[Consumption] = []

    async def consume(handler: BatchHandler, spec: Consumer = TRADES_OF_ANALYTICS, by: Bus = bus) -> Consumption:
        running.append(await by.consume(spec, handler))
        return running[-1]

    yield consume
    for consumption in running:
        await consumption.stop()


async def set_aside(bus: Bus, count: int) -> list[DeadLetter]:
    """All that are, once they are so many."""
    letters: list[DeadLetter] = []
    async with asyncio.timeout(10):
        while len(letters) < count:
            letters = [letter async for letter in bus.dead_letters().all()]
            await asyncio.sleep(0.01)
    return letters


async def tell(bus: Bus, subject: str = CLOSED) -> None:
    await bus.append(subject, a_closing(), id=new_id())


async def test_what_was_mended_is_handled_by_the_one_that_failed_alone(
    bus: Bus, connect: Connect, consume: Consume
) -> None:
    analytics, mended, other = await connect("analytics"), Reader(), Reader(sound=True)
    await consume(mended.read, by=analytics)
    await consume(other.read, Consumer(TRADES.name, "other"))
    await tell(bus)
    [letter] = await set_aside(bus, 1)
    assert (letter.stream, letter.consumer, letter.subject) == (TRADES.name, "analytics", CLOSED)
    assert "not understood" in letter.reason
    await eventually(lambda: other.handled)
    before = await bus.extent(TRADES)

    mended.error = None
    await bus.dead_letters().replay(letter)
    [replayed] = mended.handled
    [heard] = other.handled
    assert (replayed.subject, replayed.data) == (heard.subject, heard.data) == (CLOSED, letter.data)
    assert replayed.sequence == heard.sequence
    assert replayed.at == pytest.approx(heard.at, abs=1e-5)
    assert await bus.extent(TRADES) == before, "nothing is published again"
    assert [left async for left in bus.dead_letters().all()] == []
    await bus.dead_letters().replay(letter)
    assert len(mended.handled) == 2, (
        "somebody who read it before it was deleted may ask again: consumers are idempotent"
    )


@pytest.mark.parametrize("error", [Poison("still not"), Unavailable("the database is away"), RuntimeError("a bug")])
async def test_what_still_cannot_be_handled_stays_one_letter(bus: Bus, consume: Consume, error: Exception) -> None:
    reader = Reader()
    await consume(reader.read)
    await tell(bus)
    [letter] = await set_aside(bus, 1)
    reader.error = error
    with pytest.raises(NotReplayed, match=str(error)):
        await bus.dead_letters().replay(letter)
    assert [left.number async for left in bus.dead_letters().all()] == [letter.number]


async def test_without_its_consumer_it_stays(bus: Bus, consume: Consume) -> None:
    consumption = await consume(Reader().read)
    await tell(bus)
    [letter] = await set_aside(bus, 1)
    await consumption.stop()
    with pytest.raises(NotReplayed, match="does not run"):
        await bus.dead_letters().replay(letter)
    assert await bus.dead_letters().get(letter.number) == letter


async def test_a_bucket_keeps_its_newest_value(bus: Bus, connect: Connect, consume: Consume) -> None:
    analytics, reader = await connect("analytics"), Reader()
    key = keys.bot_score(BotId(USER, AccountType.DEMO))
    await consume(reader.read, Consumer(BOTS.stream, "analytics"), by=analytics)
    await bus.bucket(BOTS).put(key, a_score(sequence=1))
    [letter] = await set_aside(bus, 1)
    reader.error = None
    await bus.bucket(BOTS).put(key, a_score(sequence=2))
    await eventually(lambda: reader.handled)
    before = await bus.bucket(BOTS).get(key, type(a_score()))
    await bus.dead_letters().replay(letter)
    after = await bus.bucket(BOTS).get(key, type(a_score()))
    assert before is not None
    assert after is not None
    assert (after.value.sequence, after.revision) == (2, before.revision)
    assert [each.data for each in reader.handled][-1] == letter.data


async def test_no_batch_is_in_hand_while_one_is_replayed(bus: Bus, consume: Consume) -> None:
    """Handlers need not be made for two calls at once."""
    under_way = most = 0
    poisoned = True
    slow = asyncio.Event()

    async def read(batch: list[Delivery]) -> None:
        nonlocal under_way, most
        if poisoned:
            raise Poison("no")
        under_way += 1
        most = max(most, under_way)
        await slow.wait()
        under_way -= 1

    await consume(read)
    await tell(bus)
    [letter] = await set_aside(bus, 1)
    poisoned = False
    await tell(bus, trade(OTHER_USER, OrderState.CLOSED))
    await eventually(lambda: under_way == 1)
    replaying = asyncio.create_task(bus.dead_letters().replay(letter))
    await bus.ready()
    slow.set()
    await replaying
    assert most == 1


@pytest.mark.parametrize("user", ["gateway", "bots", "analytics", "edge"])
async def test_no_service_may_replay(bus: Bus, connect: Connect, consume: Consume, user: str) -> None:
    reader = Reader(sound=True)
    await consume(reader.read)
    service = await connect(user)
    await service.publish("replay.TRADES.analytics", a_closing())
    await service.ready()
    await bus.ready()
    assert reader.handled == []
