"""Several candle feeds on one socket, besides its chart."""

import asyncio
from typing import Any

import pytest

from libs.contracts.market import Feed
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.edge.backend import EURUSD, GBPUSD, HISTORY, START, Backend
from tests.integration.edge.client import Browser
from tests.integration.edge.stack import Browse, Stack
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

FEEDS = ("candles:snapshot", "candles:update", "error")


async def watch(browser: Browser, asset: str, timeframe: int = 60) -> Any:
    return await browser.socket.call("watch-candles", {"asset": asset, "timeframe": timeframe}, timeout=10)


async def test_each_begins_with_its_history_and_names_itself(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person, *FEEDS)
    assert await watch(browser, "eur/usd otc") == {"ok": True}
    assert await watch(browser, "GBPUSD-OTC") == {"ok": True}
    first, second = browser.named("candles:snapshot")
    assert (first["asset"], first["activeId"], first["timeframe"]) == ("EURUSD-OTC", 76, 60)
    assert second["asset"] == "GBPUSD-OTC"
    assert [candle["time"] for candle in first["candles"]] == [START + 60 * number for number in range(1, HISTORY + 1)]
    await backend.tick(GBPUSD, HISTORY, close=9.0)
    await backend.tick(EURUSD, HISTORY, close=7.0)
    updates = await browser.heard("candles:update", 2)
    told = {update["asset"]: update for update in updates}
    assert (told["EURUSD-OTC"]["close"], told["GBPUSD-OTC"]["close"]) == (7.0, 9.0)
    assert told["EURUSD-OTC"]["seq"] > first["seq"]


async def test_a_number_that_is_left_out_was_replaced(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person, *FEEDS)
    await watch(browser, "EURUSD-OTC")
    for number in range(100):
        await backend.tick(EURUSD, HISTORY, close=float(number))
    await browser.until(lambda: any(update["close"] == 99.0 for update in browser.named("candles:update")))
    seqs = [update["seq"] for update in browser.named("candles:update")]
    assert seqs == sorted(set(seqs))
    assert seqs[-1] - seqs[0] == 99
    assert len(seqs) < 20


async def test_chart_and_watches_do_not_disturb_each_other(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person, *FEEDS)
    await watch(browser, "EURUSD-OTC")
    await browser.show("EURUSD-OTC")
    await backend.tick(EURUSD, HISTORY)
    await browser.heard("candles:update")
    (chart,) = await browser.heard("candle-update")
    assert set(chart) == {"time", "open", "high", "low", "close", "volume"}
    await browser.show("GBPUSD-OTC")
    await backend.tick(EURUSD, HISTORY + 1)
    await browser.heard("candles:update", 2)
    await browser.socket.call("unwatch-candles", {"asset": "EURUSD-OTC", "timeframe": 60}, timeout=10)
    await backend.tick(EURUSD, HISTORY + 2)
    await backend.tick(GBPUSD, HISTORY + 2)
    await browser.heard("candle-update", 2)
    assert len(browser.named("candles:update")) == 2


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"asset": "NO-SUCH", "timeframe": 60}, "ASSET_NOT_FOUND"),
        ({"asset": "EURUSD-OTC", "timeframe": 61}, "INVALID_REQUEST"),
        ({"asset": "EURUSD-OTC"}, "INVALID_REQUEST"),
        ("EURUSD-OTC", "INVALID_REQUEST"),
        (None, "INVALID_REQUEST"),
    ],
)
@pytest.mark.parametrize("event", ["watch-candles", "unwatch-candles"])
async def test_what_cannot_be_watched_is_an_answer_and_an_event(
    browse: Browse, person: Person, event: str, sent: Any, code: str
) -> None:
    browser = await browse(person, *FEEDS)
    assert await browser.socket.call(event, sent, timeout=10) == {"ok": False, "error": code}
    (error,) = await browser.heard("error")
    assert (error["event"], error["error"]) == (event, code)


async def test_a_failure_ends_that_watch_only(browse: Browse, backend: Backend, person: Person) -> None:
    browser = await browse(person, *FEEDS)
    await watch(browser, "EURUSD-OTC")
    backend.refusals["candles"] = RpcError(ErrorCode.BROKER_UNREACHABLE, "no broker")
    assert await watch(browser, "GBPUSD-OTC") == {"ok": False, "error": "BROKER_UNREACHABLE"}
    await backend.tick(GBPUSD, HISTORY)
    await backend.tick(EURUSD, HISTORY)
    (update,) = await browser.heard("candles:update")
    assert update["asset"] == "EURUSD-OTC"


@pytest.mark.parametrize("own_stack", [{"variables": {"PREGAO_EDGE_FEEDS_PER_SOCKET": "2"}}], indirect=True)
async def test_their_number_is_bounded(own_stack: Stack, browse: Browse, person: Person) -> None:
    browser = await browse(person, *FEEDS)
    for asset in ("EURUSD-OTC", "GBPUSD-OTC", "EURUSD-OTC"):
        assert await watch(browser, asset) == {"ok": True}
    assert await watch(browser, "BTCUSD-OTC-op") == {"ok": False, "error": "TOO_MANY_FEEDS"}
    await browser.show("BTCUSD-OTC-op")
    await browser.socket.call("unwatch-candles", {"asset": "EURUSD-OTC", "timeframe": 60}, timeout=10)
    assert await watch(browser, "BTCUSD-OTC-op", 300) == {"ok": True}
    await browser.socket.disconnect()
    async with asyncio.timeout(10):
        while await own_stack.backend.demand() & {EURUSD, GBPUSD, Feed(2268, 300)}:
            await asyncio.sleep(0.05)
