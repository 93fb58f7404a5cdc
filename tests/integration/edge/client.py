"""Clients of the edge: a browser's requests, and its socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import socketio

from tests.integration.service_process import ServiceProcess
from tests.integration.supabase_server import Person

ORIGIN = "https://app.example.test"
EVENTS = (
    "historical-candles", "subscribed", "candle-update", "subscription-error", "bot_status", "bot:status-update",
    "position:opened", "position:closed", "trade_completed", "pnl_update",
)  # fmt: skip


class Edge:
    def __init__(self, port: int, process: ServiceProcess, http: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.process = process
        self.http = http

    async def ask(
        self,
        method: str,
        path: str,
        person: Person | None = None,
        *,
        headers: dict[str, str] | None = None,
        **sent: Any,
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON body, headers."""
        own = {"Authorization": f"Bearer {person.token}"} if person else {}
        async with self.http.request(method, self.url + path, headers=own | (headers or {}), **sent) as response:
            body = await response.json() if response.content_type == "application/json" else await response.text()
            return response.status, body, {name.lower(): value for name, value in response.headers.items()}

    async def get(self, path: str, person: Person | None = None, **sent: Any) -> tuple[int, Any]:
        status, body, _ = await self.ask("GET", path, person, **sent)
        return status, body

    async def until_metric(self, name: str, value: float) -> None:
        async with asyncio.timeout(20):
            while await self.process.metric(name) != value:
                await asyncio.sleep(0.05)

    async def post(self, path: str, person: Person | None = None, body: Any = None, **sent: Any) -> tuple[int, Any]:
        status, answer, _ = await self.ask("POST", path, person, json=body if body is not None else {}, **sent)
        return status, answer


class Browser:
    """A Socket.IO client that notes what it gets, in order; in other namespaces, under `{namespace} {event}`."""

    def __init__(self, *others: str) -> None:
        """`others`: events to note besides those of the contract's clients."""
        self.got: list[tuple[str, Any]] = []
        self._news = asyncio.Event()
        self.socket = socketio.AsyncClient(reconnection=False)
        for event in (*EVENTS, *others):
            namespace, _, name = event.rpartition(" ")
            self.socket.on(name, self._noting(event), namespace=namespace or "/")
        self.socket.on("connect_error", self._noting("connect_error"))
        self.socket.on("disconnect", self._noting("disconnect"))

    def named(self, *events: str) -> list[Any]:
        return [payload for event, payload in self.got if event in events]

    async def until(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Wait for what comes; fails when the deadline passes."""
        async with asyncio.timeout(timeout):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def heard(self, event: str, times: int = 1) -> list[Any]:
        await self.until(lambda: len(self.named(event)) >= times)
        return self.named(event)

    async def heard_last(self, event: str, status: str) -> None:
        """An event whose status is the last to come."""
        await self.until(lambda: any(payload["status"] == status for payload in self.named(event)), timeout=20)

    @property
    def seq(self) -> int:
        """The last it saw."""
        return max(int(payload["seq"]) for _, payload in self.got if isinstance(payload, dict) and "seq" in payload)

    async def show(self, asset: str, timeframe: int = 60) -> Any:
        """Subscribe; the acknowledgement."""
        wanted = {"asset": asset, "timeframe": timeframe, "strategy": "hybrid"}
        return await self.socket.call("subscribe-candles", wanted, timeout=10)

    def _noting(self, event: str) -> Callable[..., None]:
        def note(*payload: Any) -> None:
            self.got.append((event, payload[0] if payload else None))
            self._news.set()

        return note
