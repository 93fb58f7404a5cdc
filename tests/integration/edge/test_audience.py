"""Who comes back reads the stream, which may be ahead of what its edge has heard, or behind."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from libs.bus import Bus
from libs.bus.topology import BOTS, NEWS
from libs.contracts import keys, subjects
from libs.contracts.bots import Activity
from libs.contracts.clock import SystemClock
from services.socket_edge.emissions import Emission
from services.socket_edge.line import SLOTS
from services.socket_edge.payloads import Event
from services.socket_edge.state import State
from services.socket_edge.user_events import UserEvents
from tests.integration.edge.backend import a_status
from tests.integration.nats_server import Connect, eventually
from tests.messages import OTHER_USER, USER


class Sockets:
    """That note what they are sent."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, int]] = []
        self.full: set[str] = set()

    def deliver_to(self, sids: Iterable[str], emission: Emission, payload: Event) -> None:
        self.got += [(sid, emission.name, payload.seq) for sid in sids]

    def keeps_up(self, sid: str) -> bool:
        return sid not in self.full

    def cut(self, sid: str, reason: str) -> None:
        self.got.append((sid, f"cut: {reason}", 0))

    def numbers(self, sid: str) -> list[int]:
        return [seq for of, name, seq in self.got if of == sid and name.startswith("bot")]


async def tell(bus: Bus, user: str, number: int) -> None:
    """Returns when that many messages are in the stream."""
    status = a_status(user, Activity.ANALYZING)
    await bus.bucket(BOTS).put(keys.bot_status(status.bot), status)
    async with asyncio.timeout(10):
        while (extent := await bus.extent(NEWS)).last - extent.first + 1 < number:
            await asyncio.sleep(0.01)


async def test_an_edge_that_hears_late_tells_once(bus: Bus, connect: Connect) -> None:
    edge, sockets = await connect("edge"), Sockets()
    await tell(bus, OTHER_USER, 1)
    first = (await edge.extent(NEWS)).first
    users = UserEvents(edge, sockets, await State.follow(edge), SystemClock(), 100)
    users.begin(first)
    users.arrived("stays", "/", USER, None)
    await eventually(lambda: sockets.got)
    for number in (2, 3):
        await tell(bus, USER, number)
    users.arrived("returns", "/", USER, (first + 1) * SLOTS)
    await eventually(lambda: any(name == "resumed" for _, name, _ in sockets.got))
    assert sockets.numbers("stays") == [], "nothing was heard yet"
    for stored in await edge.stored(NEWS, subjects.news(USER, "*"), datetime.fromtimestamp(0, UTC)):
        users.hear(stored)
    everything = sockets.numbers("stays")
    assert len(everything) == 4
    assert sockets.numbers("returns") == everything[1:]


async def test_what_the_snapshot_is_not_sure_to_know_follows_it(bus: Bus, connect: Connect) -> None:
    """It is in the stream already, and was not heard when they came."""
    edge, sockets = await connect("edge"), Sockets()
    await tell(bus, OTHER_USER, 1)
    users = UserEvents(edge, sockets, await State.follow(edge), SystemClock(), 100)
    users.begin((await edge.extent(NEWS)).first)
    await tell(bus, USER, 2)
    users.arrived("comes", "/", USER, None)
    users.arrived("watches", "/bot", USER, None)
    await eventually(lambda: len(sockets.got) >= 3)
    names = ["snapshot", "bot_status", "bot:status-update"]
    assert [(sid, name) for sid, name, _ in sockets.got] == [("comes", name) for name in names]
    assert [seq for *_, seq in sockets.got] == sorted({seq for *_, seq in sockets.got})
    await tell(bus, USER, 3)
    for stored in await edge.stored(NEWS, subjects.news(USER, "*"), datetime.fromtimestamp(0, UTC)):
        users.hear(stored)
    assert len(sockets.numbers("comes")) == 4
    assert sockets.numbers("watches") == [], "that is of another namespace"


async def test_who_reads_slowly_is_sent_what_it_missed_as_it_reads(bus: Bus, connect: Connect) -> None:
    edge, sockets = await connect("edge"), Sockets()
    for number in range(1, 4):
        await tell(bus, USER, number)
    extent = await edge.extent(NEWS)
    stored = await edge.stored(NEWS, subjects.news(USER, "*"), datetime.fromtimestamp(0, UTC))
    users = UserEvents(edge, sockets, await State.follow(edge), SystemClock(), 100)
    users.begin(extent.first + 1)
    sockets.full.add("slow")
    users.arrived("slow", "/", USER, (extent.first - 1) * SLOTS)
    users.arrived("quick", "/", USER, (extent.first - 1) * SLOTS)
    await eventually(lambda: any(name == "resumed" for _, name, _ in sockets.got))
    users.hear(stored[-1])
    await tell(bus, USER, 4)
    stored = await edge.stored(NEWS, subjects.news(USER, "*"), datetime.fromtimestamp(0, UTC))
    users.hear(stored[-1])
    assert sockets.numbers("slow") == []
    sockets.full.clear()
    await eventually(lambda: len(sockets.numbers("slow")) == 8)
    assert sockets.numbers("slow") == sockets.numbers("quick") == sorted(set(sockets.numbers("quick")))
