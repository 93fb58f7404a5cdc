"""The whole stack at rest: how fast it starts, what it costs while 20 candle feeds are watched and nobody trades.

`stack.start_s` is of a second start (baseline: the first, which makes the database), `stack.idle_cpu_pct` in percent of
one core, `stack.memory_mib` the sum of all processes' proportional set sizes.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import psutil

from deploy.local.facts import Facts
from libs.contracts.clock import SystemClock
from tests.bench.result import Result
from tests.e2e.stack import Stack
from tests.e2e.user import User, log_in

NAMES = ("stack.start_s", "stack.idle_cpu_pct", "stack.memory_mib")

FEEDS = 20
_SETTLE = 10.0
_MEASURE = 30.0


async def run() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="pregao-bench-") as directory:
        stack = Stack(Path(directory) / "stack")
        try:
            stack.start()
            first = stack.started_in
            stack.interrupt()
            facts = stack.start()
            start = Result("stack.start_s", stack.started_in, "s", baseline=first)
            return [start, *await _at_rest(facts, stack.pid)]
        finally:
            stack.end()


async def _at_rest(facts: Facts, launcher: int) -> list[Result]:
    async with aiohttp.ClientSession() as http, AsyncExitStack() as sockets:
        demo = await log_in(http, facts, facts.demo.email, facts.demo.password)
        await demo.post("/api/bot/stop-runtime")
        await _watch_feeds(demo, sockets)
        await asyncio.sleep(_SETTLE)
        family = [psutil.Process(launcher), *psutil.Process(launcher).children(recursive=True)]
        cpu = await _cpu_percent(family)
        memory = sum(process.memory_full_info().pss for process in family) / 2**20
    return [
        Result("stack.idle_cpu_pct", cpu, "%"),
        Result("stack.memory_mib", memory, "MiB"),
    ]


async def _watch_feeds(user: User, sockets: AsyncExitStack) -> None:
    assets = (await user.get("/api/assets", category="forex")).body["assets"][:FEEDS]
    for asset in assets:
        socket = await sockets.enter_async_context(user.socket())
        await socket.client.emit("subscribe-candles", {"asset": asset["key"], "timeframe": 60, "strategy": ""})
        await socket.wait("subscribed")


async def _cpu_percent(family: list[psutil.Process]) -> float:
    clock = SystemClock()
    since, used = clock.monotonic(), _cpu_seconds(family)
    await asyncio.sleep(_MEASURE)
    return 100 * (_cpu_seconds(family) - used) / (clock.monotonic() - since)


def _cpu_seconds(family: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in family)
