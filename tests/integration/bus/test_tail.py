"""Following a stream that takes over from others."""

import asyncio
from datetime import UTC, datetime

import pytest

from libs.bus import Bus, BusUnavailable, Stored
from libs.bus.topology import ACCOUNTS, BOTS, LEDGER, NEWS, OPERATORS
from libs.contracts import keys, subjects
from libs.contracts.account import AccountType, SessionState, SessionStatus
from libs.contracts.alerts import Alert, AlertRecorded, Severity
from libs.contracts.codec import decode
from libs.contracts.ids import BotId
from libs.contracts.orders import OrderState, TradeRecorded
from libs.contracts.score import Score
from tests.integration.nats_server import Connect, NatsServer, eventually
from tests.messages import NOW, OTHER_USER, USER, a_closing, a_score

KEY = keys.bot_score(BotId(USER, AccountType.DEMO))


pytestmark = pytest.mark.usefixtures("flowing")


@pytest.fixture
async def flowing(bus: Bus) -> None:
    """The stream takes over from the bucket: a moment after both were made."""
    await bus.bucket(BOTS).put(keys.bot_score(BotId(OTHER_USER, AccountType.DEMO)), a_score(user=OTHER_USER))
    await eventually_stored(bus, 1)


class Listener:
    def __init__(self) -> None:
        self.heard: list[Stored] = []

    def __call__(self, stored: Stored) -> None:
        self.heard.append(stored)

    def scores(self) -> list[int]:
        return [decode(stored.data, Score).sequence for stored in self.heard]


async def count(bus: Bus, *numbers: int) -> None:
    for number in numbers:
        await bus.bucket(BOTS).put(KEY, a_score(sequence=number))


async def test_all_that_browsers_are_told_is_in_one_order(bus: Bus, connect: Connect) -> None:
    edge = await connect("edge")
    listener = Listener()
    tail = await edge.tail(NEWS, subjects.ALL_NEWS, listener)
    began = tail.position
    await count(bus, 1, 2)
    closed = TradeRecorded(id="1", at=NOW, trade_id=7, closed=a_closing())
    await bus.append(subjects.ledger(USER, OrderState.CLOSED), closed, id="1")
    session = SessionStatus(user=USER, at=NOW, state=SessionState.CONNECTED)
    await bus.bucket(ACCOUNTS).put(keys.session(USER), session)
    alert = Alert(id="a", at=NOW, severity=Severity.CRITICAL, service="x", kind="k", message="m")
    recorded = AlertRecorded(id="a", at=NOW, number=1, alert=alert)
    await bus.append(subjects.OPERATORS_ALERT, recorded, id="a")
    await eventually(lambda: len(listener.heard) == 5)
    heard = listener.heard
    assert {stored.subject for stored in heard} == {
        subjects.news(USER, "score"), subjects.news(USER, "trade"), subjects.news(USER, "session"), subjects.NEWS_ALERT
    }  # fmt: skip
    assert [stored.sequence for stored in heard] == list(range(began + 1, began + 6))
    mine = [stored for stored in heard if stored.subject != subjects.NEWS_ALERT]
    read = await edge.stored(NEWS, subjects.news(USER, "*"), datetime.fromtimestamp(heard[0].at - 1, UTC))
    assert [(stored.subject, stored.data, stored.sequence) for stored in read] == [
        (stored.subject, stored.data, stored.sequence) for stored in mine
    ]
    assert [stored.at for stored in read] == pytest.approx([stored.at for stored in mine], abs=2e-6)


async def test_every_value_of_a_key_is_kept_though_its_bucket_keeps_one(bus: Bus) -> None:
    listener = Listener()
    await bus.tail(NEWS, subjects.ALL_NEWS, listener)
    await count(bus, *range(300))
    await eventually(lambda: len(listener.heard) == 300)
    assert listener.scores() == list(range(300))


@pytest.mark.parametrize("away", ["kill", "freeze"])
async def test_what_was_stored_while_the_connection_was_lost_comes_late(
    bus: Bus, connect: Connect, nats_server: NatsServer, away: str
) -> None:
    listener = Listener()
    await (await connect("edge")).tail(NEWS, subjects.ALL_NEWS, listener)
    await count(bus, 1)
    await eventually(lambda: len(listener.heard) == 1)
    if away == "kill":
        nats_server.kill()
        nats_server.start()
    else:
        nats_server.freeze()
        await asyncio.sleep(0.5)
        nats_server.thaw()
    await until_ready(bus)
    await count(bus, *range(2, 50))
    await eventually(lambda: len(listener.heard) >= 49, timeout=20)
    assert listener.scores() == list(range(1, 50))


async def test_numbers_of_a_stream_that_was_lost_are_never_given_again(bus: Bus) -> None:
    await count(bus, 1, 2, 3)
    await eventually_stored(bus, 4)
    before = await bus.extent(NEWS)
    await bus._jetstream.api.delete_stream(NEWS.name)
    await bus.ensure(NEWS)
    after = await bus.extent(NEWS)
    assert after.first > before.last
    assert after.last == after.first - 1, "what was stored before it was made is not news"
    assert await bus.stored_at(NEWS, before.last) is None


async def test_applying_the_declaration_again_changes_nothing(bus: Bus) -> None:
    await count(bus, 1)
    await eventually_stored(bus, 2)
    before = await bus.extent(NEWS)
    await bus.ensure(NEWS, LEDGER, OPERATORS)
    await count(bus, 2)
    await eventually_stored(bus, 3)
    assert (await bus.extent(NEWS)).last == before.last + 1


async def eventually_stored(bus: Bus, number: int) -> None:
    async with asyncio.timeout(10):
        while (extent := await bus.extent(NEWS)).last - extent.first + 1 < number:
            await asyncio.sleep(0.02)


async def until_ready(bus: Bus) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await bus.ready()
            except BusUnavailable:
                await asyncio.sleep(0.05)
