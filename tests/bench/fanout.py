"""Socket.IO fan-out: 500 clients in one room, 400 messages; stock python-socketio and Node's in the same run.

One Node process receives as bare WebSockets, so that all three servers have the same clients. Also: memory of idle
sockets, and the age of updates at their receivers (1,000 sockets in 20 rooms, 2,000 updates a second, one receiving
process: 100,000 messages a second).
"""

import asyncio
import json
import statistics
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from deploy.local.node import install, node_path
from tests.bench.result import Result

NAMES = (
    "fanout.messages_per_s", "fanout.vs_python_socketio", "fanout.vs_node", "fanout.p50_ms", "fanout.p99_ms",
    "edge.kib_per_socket",
)  # fmt: skip

NODE = Path(__file__).parent / "node"
_CLIENTS = 500
_MESSAGES = 400
_ROUNDS = 3
_IDLE = 5000
_TIMEOUT = 120.0


class Child:
    """A process that is told lines and says lines."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.pid = process.pid
        self._stdin, self._stdout = process.stdin, process.stdout

    async def line(self) -> str:
        async with asyncio.timeout(_TIMEOUT):
            return (await self._stdout.readline()).decode().strip()

    async def tell(self, *words: object) -> None:
        self._stdin.write(" ".join(map(str, words)).encode() + b"\n")
        await self._stdin.drain()


@asynccontextmanager
async def child(*command: object) -> AsyncIterator[Child]:
    process = await asyncio.create_subprocess_exec(*map(str, command), stdin=PIPE, stdout=PIPE)
    try:
        yield Child(process)
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def audience(port: int, clients: int) -> AsyncIterator[Child]:
    async with child(node_path(), NODE / "receiver.mjs", port, clients) as receiver:
        assert await receiver.line() == "ready"
        yield receiver


async def heard(server: Child, receiver: Child, deliveries: int, *order: object) -> dict[str, Any]:
    await receiver.tell(deliveries)
    assert await receiver.line() == "waiting"
    await server.tell(*order)
    answer: dict[str, Any] = json.loads(await receiver.line())
    return answer


async def rate(*command: object) -> float:
    """Messages a second that reach clients; the median of some rounds after one to warm up."""
    async with child(*command) as server, audience(int(await server.line()), _CLIENTS) as receiver:
        deliveries = _CLIENTS * _MESSAGES
        rounds = [await heard(server, receiver, deliveries, _MESSAGES) for _ in range(_ROUNDS + 1)]
    return float(statistics.median(deliveries / each["seconds"] for each in rounds[1:]))


def python(kind: str, *more: object) -> tuple[object, ...]:
    return (sys.executable, "-m", "tests.bench.fanout_server", kind, *more)


async def ages() -> dict[str, Any]:
    async with child(*python("ours", 20)) as server, audience(int(await server.line()), 1000) as receiver:
        await heard(server, receiver, 50 * 2000, 2000, 2000)
        return await heard(server, receiver, 50 * 10_000, 10_000, 2000)


async def kib_per_socket() -> float:
    async with child(*python("ours")) as server:
        port = int(await server.line())
        async with audience(port, 50):
            before = psutil.Process(server.pid).memory_info().rss
            async with audience(port, _IDLE):
                kept: float = (psutil.Process(server.pid).memory_info().rss - before) / 1024 / _IDLE
                return kept


async def run() -> list[Result]:
    install(NODE)
    ours, stock = await rate(*python("ours")), await rate(*python("stock"))
    node = await rate(node_path(), NODE / "fanout_server.mjs")
    told = await ages()
    return [
        Result("fanout.messages_per_s", ours, "/s"),
        Result("fanout.vs_python_socketio", ours, "/s", stock),
        Result("fanout.vs_node", ours, "/s", node),
        Result("fanout.p50_ms", told["p50"], "ms"),
        Result("fanout.p99_ms", told["p99"], "ms"),
        Result("edge.kib_per_socket", await kib_per_socket(), "KiB"),
    ]
