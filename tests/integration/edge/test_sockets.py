"""The Socket.IO door on a real bus."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import socketio

from libs.contracts import rpc
from libs.contracts.bots import Activity
from libs.contracts.market import Feed
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.edge.backend import EURUSD, GBPUSD, HISTORY, START, Backend
from tests.integration.edge.client import ORIGIN, Browser, Edge
from tests.integration.edge.stack import Browse, Stack
from tests.integration.nats_server import eventually
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRADE_EVENTS = ("position:closed", "trade_completed", "pnl_update", "bot_status", "bot:status-update")


@pytest.mark.parametrize("auth", [None, {}, {"token": ""}, {"token": "not.a.token"}, {"token": 5}, "token", []])
async def test_without_a_valid_token_there_is_no_socket(edge: Edge, auth: Any) -> None:
    browser = Browser()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await browser.socket.connect(edge.url, auth=auth, transports=["websocket"])
    (reason,) = browser.named("connect_error")
    assert reason["message"] == "unauthorized"
    assert reason["data"]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("where", ["handshake", "header", "cookie"])
async def test_a_token_is_taken_from_where_clients_put_it(browse: Browse, person: Person, where: str) -> None:
    carried: dict[str, Any] = {
        "handshake": {"auth": {"token": person.token}},
        "header": {"headers": {"Authorization": f"Bearer {person.token}"}},
        "cookie": {"headers": {"Cookie": f"sb-access-token={person.token}"}},
    }[where]
    browser = await browse(None, **carried)
    assert await browser.show("EURUSD-OTC") == {"ok": True}


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
async def test_both_transports_work(browse: Browse, backend: Backend, person: Person, transports: list[str]) -> None:
    browser = await browse(person, transports=transports)
    await browser.show("EURUSD-OTC")
    await backend.tick(EURUSD, 50)
    await browser.heard("candle-update")


async def test_a_browser_that_polls_may_leave_at_any_time(browse: Browse, edge: Edge, person: Person) -> None:
    for _ in range(5):
        browser = await browse(person, transports=["polling"])
        await browser.show("EURUSD-OTC")
        async with asyncio.timeout(5):
            await browser.socket.disconnect()
    await edge.until_metric("pregao_edge_sockets", 0)


async def test_a_foreign_origin_is_refused(browse: Browse, edge: Edge, person: Person) -> None:
    await browse(person, headers={"Origin": ORIGIN})
    await browse(person, headers={"Origin": edge.url})
    with pytest.raises(socketio.exceptions.ConnectionError):
        await browse(person, headers={"Origin": "https://evil.test"})


async def test_history_then_subscribed_then_updates(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person)
    assert await browser.show("eur/usd otc") == {"ok": True}
    await backend.tick(EURUSD, HISTORY - 1, close=1.5)
    await browser.heard("candle-update")
    (first, history), (second, echo), (third, update) = browser.got
    assert (first, second, third) == ("historical-candles", "subscribed", "candle-update")
    assert [candle["time"] for candle in history] == [START + 60 * number for number in range(1, HISTORY + 1)]
    assert echo == {"asset": "eur/usd otc", "timeframe": 60, "strategy": "hybrid"}
    assert update == {"time": history[-1]["time"], "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 0.0}
    (query,) = backend.requests(rpc.CandleQuery)
    assert query.count == 200


async def test_time_never_goes_back(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person)
    await browser.show("EURUSD-OTC")
    await backend.tick(EURUSD, 0)
    await backend.tick(EURUSD, HISTORY)
    await browser.heard("candle-update")
    await backend.tick(EURUSD, 1)
    await backend.tick(EURUSD, HISTORY + 1)
    updates = await browser.heard("candle-update", 2)
    assert [update["time"] for update in updates] == [START + 60 * (HISTORY + 1), START + 60 * (HISTORY + 2)]


async def test_a_storm_becomes_at_most_ten_updates_a_second(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person)
    await browser.show("EURUSD-OTC")
    started = asyncio.get_running_loop().time()
    for number in range(200):
        await backend.tick(EURUSD, HISTORY, close=float(number))
        await asyncio.sleep(0.005)
    await browser.until(lambda: any(update["close"] == 199.0 for update in browser.named("candle-update")))
    seconds = asyncio.get_running_loop().time() - started
    assert len(browser.named("candle-update")) <= 10 * seconds + 1


async def test_after_a_replacement_nothing_of_the_old_feed_follows(
    browse: Browse, backend: Backend, person: Person
) -> None:
    browser = await browse(person)
    await browser.show("EURUSD-OTC")
    for number in range(HISTORY, HISTORY + 30):
        await backend.tick(EURUSD, number, close=7.0)
        await backend.tick(GBPUSD, number, close=9.0)
        if number == HISTORY + 10:
            await browser.show("GBPUSD-OTC")
    await browser.until(lambda: any(update["close"] == 9.0 for update in browser.named("candle-update")))
    events = [event for event, _ in browser.got]
    replaced = len(events) - 1 - events[::-1].index("historical-candles")
    assert all(payload["close"] == 9.0 for event, payload in browser.got[replaced:] if event == "candle-update")


async def test_a_late_history_of_the_old_feed_is_not_sent(browse: Browse, backend: Backend, person: Person) -> None:
    gate = backend.gates[EURUSD] = asyncio.Event()
    browser = await browse(person)
    first = asyncio.create_task(browser.show("EURUSD-OTC"))
    await eventually(lambda: backend.requests(rpc.CandleQuery))
    assert await browser.show("GBPUSD-OTC") == {"ok": True}
    gate.set()
    assert await first == {"ok": False, "error": "REPLACED"}
    await backend.tick(EURUSD, HISTORY, close=7.0)
    await backend.tick(GBPUSD, HISTORY, close=9.0)
    await browser.heard("candle-update")
    assert [event for event, _ in browser.got] == ["historical-candles", "subscribed", "candle-update"]
    assert [echo["asset"] for echo in browser.named("subscribed")] == ["GBPUSD-OTC"]
    assert [update["close"] for update in browser.named("candle-update")] == [9.0]


async def test_a_feed_is_wanted_upstream_once_and_only_while_it_is_shown(
    browse: Browse, backend: Backend, person: Person
) -> None:
    feed = Feed(2268, 300)
    browsers = [await browse(person) for _ in range(3)]
    for browser in browsers:
        await browser.show("BTCUSD-OTC-op", 300)
    await demanded(backend, feed, wanted=True)
    assert await browsers[0].socket.call("unsubscribe-candles", timeout=10) == {"ok": True}
    await browsers[1].show("EURUSD-OTC")
    assert feed in await backend.demand()
    await backend.tick(feed, HISTORY)
    await browsers[2].heard("candle-update")
    await browsers[2].socket.disconnect()
    await demanded(backend, feed, wanted=False)
    assert browsers[0].named("candle-update") == []


async def demanded(backend: Backend, feed: Feed, *, wanted: bool) -> None:
    async with asyncio.timeout(5):
        while (feed in await backend.demand()) is not wanted:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"asset": "EUR", "timeframe": 60}, "ASSET_NOT_FOUND"),
        ({"asset": "EURUSD-OTC", "timeframe": 61}, "INVALID_REQUEST"),
        ({"asset": "EURUSD-OTC", "timeframe": "60"}, "INVALID_REQUEST"),
        ({"asset": "EURUSD-OTC"}, "INVALID_REQUEST"),
        ("EURUSD-OTC", "INVALID_REQUEST"),
        (None, "INVALID_REQUEST"),
    ],
)
async def test_what_cannot_be_shown_is_an_error_and_an_answer(
    browse: Browse, person: Person, sent: Any, error: str
) -> None:
    browser = await browse(person)
    assert await browser.socket.call("subscribe-candles", sent, timeout=10) == {"ok": False, "error": error}
    (told,) = await browser.heard("subscription-error")
    assert told["error"] == error
    assert told["message"]
    assert await browser.show("EURUSD-OTC") == {"ok": True}


async def test_an_error_ends_what_was_shown(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person)
    await browser.show("EURUSD-OTC")
    backend.refusals["candles"] = RpcError(ErrorCode.BROKER_UNREACHABLE, "no broker")
    assert await browser.show("GBPUSD-OTC") == {"ok": False, "error": "BROKER_UNREACHABLE"}
    backend.refusals.clear()
    await backend.tick(EURUSD, HISTORY, close=7.0)
    await browser.show("BTCUSD-OTC-op")
    assert browser.named("candle-update") == []


async def test_events_go_to_their_owner_only(
    browse: Browse, backend: Backend, person: Person, somebody_else: Person
) -> None:
    mine, mine_too, other = await browse(person), await browse(person), await browse(somebody_else)
    await backend.opened(person.user, "order-1")
    await backend.status(person.user, Activity.TRACKING, ticker="EURUSD-OTC", active_id=76)
    await backend.status(somebody_else.user, Activity.ANALYZING)
    for browser in (mine, mine_too):
        (opened,) = await browser.heard("position:opened")
        assert opened["userId"] == person.user
        (status,) = await browser.heard("bot:status-update")
        assert (status["state"], status["currentAsset"]) == ("tracking", "EURUSD-OTC")
    await other.heard("bot:status-update")
    assert {payload["userId"] for _, payload in other.got} == {somebody_else.user}


@pytest.mark.parametrize("last", ["ledger", "score", "result"])
async def test_a_closed_trade_is_told_in_order_whatever_comes_last(
    browse: Browse, backend: Backend, person: Person, last: str
) -> None:
    browser = await browse(person)
    tellings: dict[str, Callable[[], Awaitable[object]]] = {
        "ledger": lambda: backend.closed(person.user, "order-1"),
        "score": lambda: backend.score(person.user, order_id="order-1", sequence=1, wins=1),
        "result": lambda: backend.status(person.user, Activity.WIN, order_id="order-1"),
    }
    for telling in [name for name in tellings if name != last] + [last]:
        await tellings[telling]()
    await backend.status(person.user, Activity.ANALYZING)
    await browser.heard("bot:status-update", 2)
    assert [event for event, _ in browser.got] == [*TRADE_EVENTS, "bot_status", "bot:status-update"]
    seqs = [payload["seq"] for _, payload in browser.got]
    assert seqs == sorted(set(seqs))


async def test_a_result_does_not_wait_for_ever(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person)
    started = asyncio.get_running_loop().time()
    await backend.status(person.user, Activity.LOSS, order_id="order-1")
    (status,) = await browser.heard("bot_status")
    assert status["status"] == "loss"
    assert asyncio.get_running_loop().time() - started > 1.5


async def test_a_repeated_event_is_told_once(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person)
    for _ in range(3):
        await backend.closed(person.user, "order-1")
    await backend.opened(person.user, "order-2")
    await browser.heard("position:opened")
    assert len(browser.named("position:closed")) == 1


async def test_connecting_to_the_broker_is_told(browse: Browse, edge: Edge, backend: Backend, person: Person) -> None:
    browser = await browse(person)
    await edge.post("/api/bot/connect", person)
    (told,) = await browser.heard("bot:status-update")
    assert told["status"] == "Connected to broker"


async def test_connecting_does_not_hide_what_a_running_bot_does(
    browse: Browse, edge: Edge, backend: Backend, person: Person
) -> None:
    browser = await browse(person)
    await backend.status(person.user, Activity.TRACKING)
    await browser.heard("bot:status-update")
    await edge.post("/api/bot/connect", person)
    statuses = await browser.heard("bot:status-update", 2)
    assert [status["state"] for status in statuses] == ["tracking", "tracking"]


async def test_a_restarted_edge_serves_clients_that_come_back(own_stack: Stack, browse: Browse, person: Person) -> None:
    browser = await browse(person)
    assert await own_stack.edge.process.terminate() == 0
    await browser.heard("disconnect")
    await own_stack.edge.process.start()
    again = await browse(person)
    assert await again.show("EURUSD-OTC") == {"ok": True}
    await own_stack.backend.tick(EURUSD, HISTORY)
    await again.heard("candle-update")


async def test_updates_go_on_after_the_bus_was_away(own_stack: Stack, browse: Browse, person: Person) -> None:
    browser = await browse(person)
    await browser.show("EURUSD-OTC")
    own_stack.nats.kill()
    assert (await browser.show("GBPUSD-OTC"))["ok"] is False
    own_stack.nats.start()
    async with asyncio.timeout(15):
        while (await browser.show("EURUSD-OTC"))["ok"] is False:
            await asyncio.sleep(0.1)
    await own_stack.backend.gateway.ready()
    await own_stack.backend.tick(EURUSD, HISTORY)
    await browser.heard("candle-update")
