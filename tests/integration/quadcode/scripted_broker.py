"""A WebSocket server that answers as a test says, for what the paper broker never does."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]
Answer = Callable[[Any], list[Frame | bytes]]
"""From a request's body to the frames that answer it; `request_id` is filled in where it is missing."""

USER_ID = 5150


def reply(msg: object, name: str = "reply", **fields: object) -> Frame:
    return {"name": name, "msg": msg, "status": 2000, **fields}


def result(success: bool = True, reason: str = "") -> Frame:
    return reply({"success": success, "reason": reason}, name="result")


def refusal(status: int, message: str) -> Frame:
    return reply({"message": message}, name="error", status=status)


def event(service: str, name: str, msg: object) -> Frame:
    return {"name": name, "microserviceName": service, "msg": msg, "request_id": None}


class ScriptedBroker:
    """Logs everybody in and confirms everything, unless told otherwise in `answers` (by message name)."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {
            "authenticate": lambda _: [reply(True, name="authenticated")],
            "features.get-features": lambda _: [reply({"features": []})],
            "core.get-profile": lambda _: [reply({"isSuccessful": True, "result": {"user_id": USER_ID}})],
        }
        self.received: list[Frame] = []
        """Every frame, of all connections."""
        self.headers: list[dict[str, str]] = []
        self.connections: list[ServerConnection] = []
        """Those that are open."""
        self._server: Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/echo/websocket"

    async def start(self) -> None:
        self._server = await serve(self._converse, "127.0.0.1", self._port)
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            for connection in self.connections:
                connection.transport.abort()
            self._server.close()
            await self._server.wait_closed()

    async def drop(self) -> None:
        """End every connection without a word."""
        for connection in list(self.connections):
            connection.transport.abort()
            await connection.wait_closed()

    async def push(self, *frames: Frame | bytes) -> None:
        for connection in self.connections:
            for frame in frames:
                await connection.send(frame if isinstance(frame, bytes) else json.dumps(frame), text=True)

    def asked(self, name: str) -> list[Any]:
        """What was asked under that name, inner or outer: the bodies."""
        return [_body(frame) for frame in self.received if _name(frame) == name]

    def subscriptions(self, outer: str = "subscribeMessage") -> list[tuple[str, dict[str, Any]]]:
        return [
            (frame["msg"]["name"], frame["msg"].get("params", {}).get("routingFilters", {}))
            for frame in self.received
            if frame["name"] == outer
        ]

    async def until(self, condition: Callable[[], object], timeout: float = 5.0) -> None:
        async with asyncio.timeout(timeout):
            while not condition():
                await asyncio.sleep(0.005)

    async def _converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        headers = connection.request.headers
        self.headers.append({name.lower(): headers[name] for name in headers})
        self.connections.append(connection)
        try:
            async for data in connection:
                frame = json.loads(data)
                self.received.append(frame)
                answer = self.answers.get(_name(frame), _confirm)
                for part in answer(_body(frame)):
                    await connection.send(_addressed(part, frame["request_id"]), text=True)
        except ConnectionClosed:
            return
        finally:
            self.connections.remove(connection)


def _confirm(_: object) -> list[Frame | bytes]:
    return [result()]


def _name(frame: Frame) -> str:
    inner = frame["msg"].get("name") if frame["name"] in ("sendMessage", "subscribeMessage") else None
    return str(inner or frame["name"])


def _body(frame: Frame) -> Any:
    return frame["msg"].get("body") if frame["name"] == "sendMessage" else frame["msg"]


def _addressed(part: Frame | bytes, request_id: str) -> bytes | str:
    if isinstance(part, bytes):
        return part
    addressed = {"request_id": request_id, **part}
    if addressed["request_id"] is None:
        del addressed["request_id"]
    return json.dumps(addressed)
