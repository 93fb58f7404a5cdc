"""A bare client of the wire protocol: what it sends and gets is exactly what travels."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from tests.integration.paper_broker import PaperBroker
from tests.integration.paper_broker_service.official_client import OfficialClient

USER = 5150
EURUSD = 76

Frame = dict[str, Any]


class Wire:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[tuple[float, Frame]] = []
        """Everything that came, with the monotonic time it came at."""
        self.official = OfficialClient()
        self._requests = 0
        self._arrived = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def send(self, name: str, msg: object) -> str:
        """Its request id."""
        self._requests += 1
        self.official.sent(str(self._requests), name, msg)
        await self.socket.send(json.dumps({"name": name, "request_id": str(self._requests), "msg": msg}))
        return str(self._requests)

    async def ask(self, name: str, msg: object) -> Frame:
        request_id = await self.send(name, msg)
        return await self.wait(lambda frame: frame.get("request_id") == request_id)

    async def call(self, name: str, version: str, body: object) -> Any:
        """`msg` of a successful reply."""
        reply = await self.ask("sendMessage", {"name": name, "version": version, "body": body})
        assert reply["status"] == 2000, reply
        return reply["msg"]

    async def subscribe(self, name: str, version: str, **filters: object) -> None:
        message = {"name": name, "version": version} | ({"params": {"routingFilters": filters}} if filters else {})
        assert (await self.ask("subscribeMessage", message))["msg"]["success"] is True

    async def login(self, ssid: str) -> None:
        """The connect sequence of the official client."""
        assert (await self.ask("authenticate", {"ssid": ssid, "protocol": 3}))["msg"] is True
        assert (await self.ask("setOptions", {"sendResults": True}))["msg"]["success"] is True
        await self.call("features.get-features", "2.0", {"category": "client-sdk-js"})

    async def demo_balance(self) -> int:
        (balance,) = await self.call("balances.get-available-balances", "1.0", {"types_ids": [4]})
        return int(balance["id"])

    async def order(self, **changes: object) -> Frame:
        """The body of a purchase."""
        return {
            "active_id": EURUSD,
            "direction": "call",
            "expiration_size": 5,
            "expired": 0,
            "option_type_id": 12,
            "price": 10,
            "user_balance_id": await self.demo_balance(),
            "profit_percent": 86,
        } | changes

    async def buy(self, **changes: object) -> Frame:
        return dict(await self.call("binary-options.open-option", "2.0", await self.order(**changes)))

    async def event(self, name: str, timeout: float = 10.0, **fields: object) -> Frame:
        """`msg` of the first event with these fields."""
        frame = await self.wait(
            lambda frame: frame["name"] == name and all(frame["msg"].get(key) == fields[key] for key in fields), timeout
        )
        return dict(frame["msg"])

    def events(self, name: str) -> list[tuple[float, Any]]:
        return [(at, frame["msg"]) for at, frame in self.frames if frame["name"] == name]

    async def wait(self, matches: Any, timeout: float = 10.0) -> Frame:
        """The first frame that matches, come already or coming."""
        async with asyncio.timeout(timeout), self._arrived:
            while True:
                for _, frame in self.frames:
                    if matches(frame):
                        return frame
                if self._reader.done():
                    raise AssertionError("the connection has ended")
                await self._arrived.wait()

    async def ended(self, timeout: float = 10.0) -> int | None:
        """The close code once the other side has ended the connection; 1006 when it did so without a goodbye."""
        await asyncio.wait_for(asyncio.shield(self._reader), timeout)
        return self.socket.close_code

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                async with self._arrived:
                    frame = json.loads(text)
                    self.official.received(frame)
                    self.frames.append((time.monotonic(), frame))
                    self._arrived.notify_all()
        except ConnectionClosedError:
            pass  # how it ended is told by the close code
        finally:
            async with self._arrived:
                self._arrived.notify_all()


@asynccontextmanager
async def dialled(broker: PaperBroker) -> AsyncIterator[Wire]:
    """A connection that nobody has logged in on; nothing on it may trouble the official client."""
    headers = {"cookie": "platform=82"}
    async with connect(broker.ws_url, additional_headers=headers, max_size=None) as socket:
        wire = Wire(socket)
        yield wire
        assert wire.official.complaints == []


@asynccontextmanager
async def connected(broker: PaperBroker, user: int = USER) -> AsyncIterator[Wire]:
    async with dialled(broker) as wire:
        await wire.login(await broker.session(user))
        yield wire
