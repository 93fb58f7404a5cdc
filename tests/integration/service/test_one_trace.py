"""Through all processes: one trace from a candle to the browser, and one from a request to the broker's order."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from libs.bus import Bus
from tests.integration.edge.client import Browser, Edge
from tests.integration.paper_broker import StartPaperBroker
from tests.integration.service.collector import Collector, Span, collecting
from tests.integration.service_process import StartService
from tests.integration.supabase_server import SupabaseServer
from tests.ports import free_port

pytestmark = [pytest.mark.takes(30), pytest.mark.timeout(120)]

ACTIVES = [{"id": 1, "ticker": "ONE-OTC", "name": "One", "category": "forex", "price": 1.1}]
BOT = {
    "mode": "auto", "strategy": "aggressive", "amount": 5, "maxTimeframe": 5, "accountType": "demo",
    "protections": {"assetHold": None},
}  # fmt: skip
BY_REQUEST = ["edge: POST /api/bot/start-runtime", "edge: call bots.start", "bots: answer bots.start"]
BY_CANDLE = ["gateway: closed candle", "gateway: store", "bots: receive Candle"]
ORDERED = ["bots: order", "bots: call gateway.order", "gateway: answer gateway.order"]
OPENED = [*ORDERED, "gateway: order opened"]
CLOSED = [*OPENED, "gateway: order closed", "gateway: store"]
TOLD = ["analytics: tell of a trade", "analytics: store", "edge: receive NEWS", "edge: tell sockets"]


async def trade(edge: Edge, browser: Browser, person: Any) -> None:
    assert (await edge.post("/api/bot/connect", person))[0] == 200
    await browser.socket.connect(edge.url, auth={"token": person.token}, transports=["websocket"])
    assert (await browser.show("ONE-OTC", 10))["ok"]
    status, answer = await edge.post("/api/bot/start-runtime", person, {"config": BOT})
    assert status == 200, answer
    await browser.until(lambda: len(browser.named("position:opened")) >= 2, timeout=60)
    await browser.heard("pnl_update")


class Traces:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def orders(self) -> list[Span]:
        """As they were decided."""
        sent = [span for span in self._collector.spans if (span.service, span.name) == ("bots", "order")]
        return sorted(sent, key=lambda span: span.began)

    def lines(self, trace: str) -> dict[str, list[str]]:
        """How each event that browsers were told came about in that trace, by name."""
        told = [span for span in self._collector.spans if span.trace == trace and span.name == "tell sockets"]
        return {span.about["event"]: self._collector.path_to(span) for span in told}

    def path_to(self, trace: str, name: str) -> list[str]:
        found = [span for span in self._collector.spans if (span.trace, span.name) == (trace, name)]
        return self._collector.path_to(found[0]) if found else []


async def test_one_trace_from_candle_to_browser_and_from_request_to_order(
    bus: Bus,
    start_paper_broker: StartPaperBroker,
    start_service: StartService,
    supabase_server: SupabaseServer,
    tmp_path: Path,
) -> None:
    (tmp_path / "actives.json").write_text(json.dumps(ACTIVES))
    broker = await start_paper_broker(PREGAO_PAPER_ACTIVES=str(tmp_path / "actives.json"))
    at_the_broker = {
        "PREGAO_BROKER_WS_URL": broker.ws_url,
        "PREGAO_BROKER_SESSION_URL": broker.session_url,
        "PREGAO_BROKER_API_TOKEN": broker.api_token,
        "PREGAO_BROKER_API_HOST": broker.api_url,
        "PREGAO_BROKER_SYSTEM_USER_ID": "1000001",
    }
    database, port = supabase_server.environment, free_port()
    with collecting() as collector:
        traced = {"PREGAO_TRACES_URL": collector.url, "PREGAO_TRACES_RATIO": "1"}
        gateway, bots, analytics, served = await asyncio.gather(
            start_service("broker_gateway", "gateway", **at_the_broker, **traced),
            start_service("bot_runtime", "bots", PREGAO_SCANNER="false", **traced),
            start_service("analytics", "analytics", **database, **traced),
            start_service("socket_edge", "edge", PREGAO_EDGE_PORT=str(port), **database, **traced),
        )
        person, browser = await supabase_server.sign_up("8200001"), Browser()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
            await trade(Edge(port, served, http), browser, person)
            await browser.socket.disconnect()
        for process in (served, bots, gateway, analytics):
            assert await process.terminate() == 0, process.log()[-2000:]
        traces = Traces(collector)
        first, second = traces.orders()[:2]
        running = [span for span in collector.spans if span.about.get("event") == "candle"]

    # What the user asked for, up to the first order that comes of it, and what the browser hears of that…
    assert traces.path_to(first.trace, "send to the broker") == [*BY_REQUEST, *ORDERED, "gateway: send to the broker"]
    told = traces.lines(first.trace)
    assert told["position:opened"] == [*BY_REQUEST, *OPENED, "gateway: store", *TOLD]
    assert told["position:closed"] == [*BY_REQUEST, *CLOSED, *TOLD]
    count = [*BY_REQUEST, *CLOSED, "bots: receive TradeClosed", "bots: count"]
    assert traces.path_to(first.trace, "count") == count
    assert told["pnl_update"][-1] == "edge: tell sockets", "of the score or of the trade, whichever came last"
    # …which names the candle that it was decided on; and every other one is that candle's, and names the request.
    assert len(first.links) == 1
    assert traces.path_to(second.trace, "order") == [*BY_CANDLE, "bots: order"]
    assert second.links == (first.trace,)
    told = traces.lines(second.trace)
    assert told["position:opened"] == [*BY_CANDLE, *OPENED, "gateway: store", *TOLD]
    # A candle that is still running.
    assert collector.path_to(running[0]) == ["gateway: candle", "edge: receive Candle", "edge: tell sockets"]
