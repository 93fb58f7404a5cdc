"""Polling, and the way from it to a WebSocket."""

import pytest
import socketio

from libs.contracts.bots import Activity
from tests.integration.edge.backend import EURUSD, HISTORY, Backend
from tests.integration.edge.client import Browser, Edge
from tests.integration.edge.stack import Browse
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("transports", "ends_on"),
    [(["polling"], "polling"), (["polling", "websocket"], "websocket"), (["websocket"], "websocket")],
)
async def test_everything_works_on_each(
    browse: Browse, backend: Backend, person: Person, transports: list[str], ends_on: str
) -> None:
    browser = await browse(person, "snapshot", "candles:update", transports=transports)
    (snapshot,) = await browser.heard("snapshot")
    assert browser.socket.transport() == ends_on
    assert await browser.show("EURUSD-OTC") == {"ok": True}
    assert (await browser.socket.call("watch-candles", {"asset": "EURUSD-OTC", "timeframe": 60}, timeout=10))["ok"]
    await backend.tick(EURUSD, HISTORY)
    await browser.heard("candle-update")
    await browser.heard("candles:update")
    for number in range(50):
        await backend.status(person.user, Activity.ANALYZING, label=str(number))
    await browser.until(lambda: any(told["status"] == "49" for told in browser.named("bot:status-update")))
    labels = [int(told["status"]) for told in browser.named("bot:status-update")]
    assert labels == sorted(set(labels))
    returned = await browse(
        person, "resumed", transports=transports, auth={"token": person.token, "lastSeq": snapshot["seq"]}
    )
    await returned.heard("resumed")
    assert returned.named("bot:status-update") == browser.named("bot:status-update")


async def test_nothing_is_lost_on_the_way_up(browse: Browse, backend: Backend, person: Person) -> None:
    """Events while the transport changes: all of them, in order."""
    stays = await browse(person)
    for turn in range(3):
        browser = await browse(person, "snapshot", transports=["polling", "websocket"])
        for number in range(20):
            await backend.status(person.user, Activity.ANALYZING, label=f"{turn}.{number}")
        for each in (browser, stays):
            await each.heard_last("bot:status-update", f"{turn}.19")
        own, everything = browser.named("bot:status-update"), stays.named("bot:status-update")
        assert own == everything[everything.index(own[0]) :]
        await browser.socket.disconnect()


async def test_a_client_that_polls_is_told_of_the_way_up(edge: Edge) -> None:
    async with edge.http.get(f"{edge.url}/socket.io/?EIO=4&transport=polling") as response:
        text = await response.text()
    assert response.status == 200
    assert '"upgrades":["websocket"]' in text


async def test_a_token_in_the_address_is_none(edge: Edge, person: Person) -> None:
    """It would be in the logs of every proxy."""
    browser = Browser()
    for name in ("token", "access_token", "sb-access-token"):
        with pytest.raises(socketio.exceptions.ConnectionError):
            await browser.socket.connect(f"{edge.url}?{name}={person.token}", transports=["websocket"])
        assert browser.named("connect_error")[-1]["message"] == "unauthorized"
        assert (await edge.get(f"/api/bot/status?{name}={person.token}"))[0] == 401
