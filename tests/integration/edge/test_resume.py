"""A socket begins with how things stand, or with what its client missed; on whichever edge it is."""

import asyncio
import contextlib
from typing import Any

import pytest
import socketio

from libs.contracts.account import SessionState
from libs.contracts.bots import Activity, BotState
from tests.integration.edge.backend import EURUSD, HISTORY, Backend
from tests.integration.edge.client import Browser
from tests.integration.edge.stack import Browse, Stack
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

JOINING = ("snapshot", "resumed", "resume-gap", "balance:update")
CLOSING = ["position:closed", "trade_completed", "pnl_update", "bot_status", "bot:status-update"]


async def back(browse: Browse, person: Person, last: object, *events: str, **changes: Any) -> Browser:
    return await browse(person, *JOINING, *events, auth={"token": person.token, "lastSeq": last}, **changes)


async def a_trade(backend: Backend, user: str, order: str) -> None:
    """Of a closed one, everything that services say."""
    await backend.closed(user, order)
    await backend.score(user, order_id=order)
    await backend.status(user, Activity.WIN, order_id=order)


def told(browser: Browser) -> list[tuple[str, int]]:
    return [(event, payload["seq"]) for event, payload in browser.got if event not in (*JOINING, "disconnect")]


async def test_a_socket_begins_with_how_things_stand(browse: Browse, backend: Backend, person: Person) -> None:
    await backend.session(person.user, SessionState.CONNECTED, demo="12.5", real="3")
    await backend.score(person.user, wins=3, losses=1, total="7.25")
    await backend.status(person.user, Activity.TRACKING, label="Following", ticker="EURUSD-OTC")
    browser = await browse(person, *JOINING)
    (snapshot,) = await browser.heard("snapshot")
    assert snapshot["connected"] is True
    assert snapshot["balances"] == [
        {"accountType": "demo", "amount": 12.5, "currency": "USD"},
        {"accountType": "real", "amount": 3, "currency": "EUR"},
    ]
    (bot,) = snapshot["bots"]
    assert (bot["state"], bot["botStatus"]["label"]) == ("running", "Following")
    assert (bot["pnl"]["totalPnl"], bot["pnl"]["totalTrades"]) == (7.25, 4)
    await backend.session(person.user, SessionState.CONNECTED, demo="11")
    (update,) = await browser.heard("balance:update")
    assert update["balances"][0]["amount"] == 11
    assert update["seq"] > snapshot["seq"]
    assert browser.got[0][0] == "snapshot"


async def test_somebody_new_begins_with_nothing(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person, *JOINING)
    (snapshot,) = await browser.heard("snapshot")
    assert (snapshot["connected"], snapshot["balances"], snapshot["bots"]) == (False, [], [])


async def test_what_was_missed_is_told_in_order_and_once(browse: Browse, backend: Backend, person: Person) -> None:
    stays, leaves = await browse(person, *JOINING), await browse(person, *JOINING)
    await a_trade(backend, person.user, "order-1")
    await leaves.heard("bot:status-update")
    await leaves.socket.disconnect()
    await backend.opened(person.user, "order-2")
    await a_trade(backend, person.user, "order-2")
    await backend.status(person.user, Activity.ANALYZING)
    await stays.heard("bot:status-update", 3)
    returned = await back(browse, person, leaves.seq)
    (resumed,) = await returned.heard("resumed")
    missed = told(returned)
    assert [event for event, _ in missed] == ["position:opened", *CLOSING, "bot_status", "bot:status-update"]
    assert told(leaves) + missed == told(stays)
    assert (resumed["missed"], resumed["seq"]) == (8, missed[-1][1])
    await backend.status(person.user, Activity.PAUSED)
    await returned.heard("bot:status-update", 3)
    await stays.heard("bot:status-update", 4)
    assert told(leaves) + told(returned) == told(stays)
    assert returned.named("snapshot", "resume-gap") == []


@pytest.mark.parametrize("seen", range(5))
async def test_a_connection_may_be_lost_within_a_trade(
    browse: Browse, backend: Backend, person: Person, seen: int
) -> None:
    stays = await browse(person, *JOINING)
    await backend.score(person.user, order_id="order-1")
    await backend.status(person.user, Activity.WIN, order_id="order-1")
    await backend.closed(person.user, "order-1")
    await stays.heard("bot:status-update")
    returned = await back(browse, person, told(stays)[seen][1])
    await returned.heard("resumed")
    assert told(returned) == told(stays)[seen + 1 :]
    assert [event for event, _ in told(stays)] == CLOSING


async def test_who_missed_nothing_is_told_so(browse: Browse, backend: Backend, person: Person) -> None:
    first = await browse(person, *JOINING)
    (snapshot,) = await first.heard("snapshot")
    returned = await back(browse, person, snapshot["seq"])
    (resumed,) = await returned.heard("resumed")
    assert (resumed["missed"], resumed["seq"]) == (0, snapshot["seq"])


async def test_what_comes_while_a_client_returns_is_told_once(browse: Browse, backend: Backend, person: Person) -> None:
    stays = await browse(person, *JOINING)
    (snapshot,) = await stays.heard("snapshot")

    async def write() -> None:
        for number in range(60):
            await backend.status(person.user, Activity.ANALYZING, label=str(number))
            await stays.heard("bot:status-update", number - 1)

    writing = asyncio.create_task(write())
    returned = [await back(browse, person, snapshot["seq"])]
    while not writing.done():
        await returned[-1].heard("resumed")
        await returned[-1].socket.disconnect()
        returned.append(await back(browse, person, returned[-1].seq))
    await stays.heard("bot:status-update", 60)
    await returned[-1].until(lambda: returned[-1].got and returned[-1].seq >= stays.seq)
    assert [each for browser in returned for each in told(browser)] == told(stays)


@pytest.mark.parametrize(
    ("last", "reason"),
    [(64 * 1000, "expired"), (2**53, "unknown"), (-5, "unknown"), ("12", "unknown"), ([], "unknown")],
)
async def test_what_cannot_be_told_again_is_a_gap_and_a_snapshot(
    browse: Browse, backend: Backend, person: Person, last: Any, reason: str
) -> None:
    await backend.status(person.user, Activity.TRACKING)
    browser = await back(browse, person, last)
    (snapshot,) = await browser.heard("snapshot")
    (gap,) = browser.named("resume-gap")
    assert (gap["reason"], gap["lastSeq"]) == (reason, last if isinstance(last, int) else None)
    assert gap["seq"] == snapshot["seq"]
    await backend.status(person.user, Activity.ANALYZING)
    (status,) = await browser.heard("bot:status-update")
    assert status["seq"] > snapshot["seq"]


@pytest.mark.parametrize("own_stack", [{"variables": {"PREGAO_EDGE_RESUME_EVENTS": "5"}}], indirect=True)
async def test_who_missed_too_much_begins_with_a_snapshot(own_stack: Stack, browse: Browse, person: Person) -> None:
    first = await browse(person, *JOINING)
    (snapshot,) = await first.heard("snapshot")
    for number in range(3):
        await own_stack.backend.status(person.user, Activity.ANALYZING, label=str(number))
    await first.heard("bot:status-update", 3)
    browser = await back(browse, person, snapshot["seq"])
    (gap,) = await browser.heard("resume-gap")
    assert gap["reason"] == "too-many"
    returned = await back(browse, person, first.named("bot:status-update")[0]["seq"])
    (resumed,) = await returned.heard("resumed")
    assert resumed["missed"] == 4


async def test_who_comes_while_the_bus_is_away_is_told_when_it_is_back(
    own_stack: Stack, browse: Browse, person: Person
) -> None:
    first = await browse(person, *JOINING)
    await own_stack.backend.status(person.user, Activity.ANALYZING)
    await first.heard("bot:status-update")
    own_stack.nats.kill()
    returned = await back(browse, person, first.named("bot_status")[0]["seq"])
    new = await browse(person, *JOINING)
    own_stack.nats.start()
    await returned.heard("resumed")
    await new.heard("snapshot")
    await own_stack.backend.bots.ready()
    await own_stack.backend.status(person.user, Activity.TRACKING)
    for browser in (returned, first):
        await browser.heard("bot:status-update", 2)
    await new.heard("bot:status-update")
    assert [first.named("bot_status")[0]["seq"], *(seq for _, seq in told(returned))] == [seq for _, seq in told(first)]


@pytest.mark.parametrize("own_stack", [{"edges": 2}], indirect=True)
async def test_two_edges_tell_the_same_and_one_may_die(own_stack: Stack, browse: Browse, person: Person) -> None:
    dies, lives = own_stack.edges
    backend = own_stack.backend
    here, there = await browse(person, *JOINING, edge=dies), await browse(person, *JOINING, edge=lives)
    await here.heard("snapshot")
    await there.heard("snapshot")
    trades = 40
    trading = asyncio.create_task(asyncio.wait_for(_trade_on(backend, person.user, trades), 60))
    await here.heard("position:closed", 5)
    await dies.process.kill()
    await here.heard("disconnect")
    returned = await back(browse, person, here.seq, edge=lives)
    await trading
    for browser in (returned, there):
        await browser.heard_last("bot:status-update", "Label of stopped")
    assert told(here) + told(returned) == told(there)
    closed = [payload["tradeId"] for payload in there.named("position:closed")]
    assert len(closed) == trades
    with contextlib.suppress(socketio.exceptions.SocketIOError):
        await here.socket.disconnect()


@pytest.mark.parametrize("own_stack", [{"edges": 2}], indirect=True)
async def test_everything_reaches_its_sockets_on_whichever_edge_they_are(
    own_stack: Stack, browse: Browse, supabase_server: SupabaseServer, person: Person, somebody_else: Person
) -> None:
    backend = own_stack.backend
    await supabase_server.appoint(person, "admin")
    on_each = []
    for edge in own_stack.edges:
        mine = await browse(
            person, "/bot trade:new", "/admin trade:completed", edge=edge, namespaces=["/", "/bot", "/admin"]
        )
        on_each.append((mine, await browse(somebody_else, edge=edge)))
        await mine.show("EURUSD-OTC")
    await backend.tick(EURUSD, HISTORY, close=1.75)
    await backend.opened(person.user, "order-1")
    await backend.closed(somebody_else.user, "order-2")
    for mine, other in on_each:
        (candle,) = await mine.heard("candle-update")
        assert candle["close"] == 1.75
        await mine.heard("position:opened")
        await mine.heard("/bot trade:new")
        await mine.heard("/admin trade:completed")
        await other.heard("trade_completed")
        assert mine.named("position:closed") == other.named("position:opened") == []
    (first, _), (second, _) = on_each
    assert first.named("/admin trade:completed") == second.named("/admin trade:completed")
    await own_stack.edges[0].post("/api/bot/connect", somebody_else)
    for _, other in on_each:
        await other.heard("bot:status-update")


async def _trade_on(backend: Backend, user: str, trades: int) -> None:
    for number in range(trades):
        await a_trade(backend, user, f"order-{number}")
        await backend.status(user, Activity.ANALYZING)
    await backend.status(user, Activity.STOPPED, state=BotState.STOPPED)
