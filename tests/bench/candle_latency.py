"""From the broker's candle frame to a browser, over the real path with 100 browsers.

paper broker → gateway → NATS → edge → Socket.IO, each a process of its own. Two witnesses note when a tick of a feed
reaches them: one beside the gateway on a connection of its own to the broker, one that is all the browsers. All feeds
tick in the same moment, so every tick is a burst: the last browser of a burst is what the 99th percentile sees.
"""

import asyncio
import json
import statistics
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import jwt
import msgspec

from services.paper_broker.catalogue import BUILT_IN
from tests.bench.candle_witness import Notes, Task
from tests.bench.result import Result
from tests.integration.nats_server import NatsServer
from tests.integration.paper_broker import PaperBroker
from tests.integration.service_process import ServiceProcess
from tests.ports import free_port

NAMES = ("e2e.candle_latency_p50_ms", "e2e.candle_latency_p99_ms")

_BROWSERS = 100
_FEEDS = 20
_SIZE = 60
_SECONDS = 30.0
_SECRET = "a-secret-of-the-bench-that-is-long-enough"


async def run() -> list[Result]:
    with TemporaryDirectory() as directory:
        async with AsyncExitStack() as stack:
            latencies = await _measure(Path(directory), stack)
    percentiles = statistics.quantiles(latencies, n=100, method="inclusive")
    return [
        Result(NAMES[0], statistics.median(latencies), "ms"),
        Result(NAMES[1], percentiles[98], "ms"),
    ]


async def _measure(directory: Path, stack: AsyncExitStack) -> list[float]:
    """Milliseconds of every update of every browser."""
    paper, edge_url = await _start(directory, stack)
    feeds = _feeds()
    session = await paper.session(2)
    broker = await _witness(stack, "broker", Task(url=paper.ws_url, tokens=[session], feeds=feeds, size=_SIZE))
    tokens = [_token(str(UUID(int=number))) for number in range(1, _BROWSERS + 1)]
    browsers = await _witness(stack, "browsers", Task(url=edge_url, tokens=tokens, feeds=feeds, size=_SIZE))
    await asyncio.sleep(_SECONDS)
    received, sent = await _notes(browsers), await _notes(broker)
    left = {(name, tick): at for name, tick, at in sent}
    latencies = [(at - left[name, tick]) / 1e6 for name, tick, at in received if (name, tick) in left]
    expected = _BROWSERS * _SECONDS * 2
    if len(latencies) < 0.9 * expected:
        raise RuntimeError(f"{len(latencies)} updates reached the browsers, where {expected:.0f} were due")
    return latencies


async def _start(directory: Path, stack: AsyncExitStack) -> tuple[PaperBroker, str]:
    """Everything on the way of a candle; the database is not, and is left out. Broker and URL of the edge."""
    nats = NatsServer(directory)
    nats.start()
    stack.callback(nats.kill)
    paper = PaperBroker(directory)
    stack.push_async_callback(paper.process.stop)
    await paper.start()
    port = free_port()
    edge = {
        "PREGAO_EDGE_PORT": str(port),
        "PREGAO_SUPABASE_URL": f"http://127.0.0.1:{free_port()}",
        "PREGAO_SUPABASE_SECRET_KEY": _SECRET,
        "PREGAO_SUPABASE_JWT_SECRET": _SECRET,
    }
    for package, user, variables in (("broker_gateway", "gateway", _upstream(paper)), ("socket_edge", "edge", edge)):
        environment = nats.environment(user) | variables
        process = ServiceProcess(f"services.{package}", environment, directory / f"{user}.log")
        stack.push_async_callback(process.stop)
        await process.start()
    return paper, f"http://127.0.0.1:{port}"


def _upstream(paper: PaperBroker) -> dict[str, str]:
    return {
        "PREGAO_BROKER_WS_URL": paper.ws_url,
        "PREGAO_BROKER_SESSION_URL": paper.session_url,
        "PREGAO_BROKER_API_TOKEN": paper.api_token,
        "PREGAO_BROKER_API_HOST": paper.api_url,
        "PREGAO_BROKER_SYSTEM_USER_ID": "1",
    }


def _feeds() -> dict[str, int]:
    """Actives that are open at all times."""
    actives = [active for active in json.loads(BUILT_IN.read_text()) if active["ticker"].endswith("-OTC")]
    return {active["ticker"]: active["id"] for active in actives[:_FEEDS]}


def _token(user: str) -> str:
    expires = datetime.now(UTC) + timedelta(hours=1)
    return jwt.encode({"sub": user, "aud": "authenticated", "role": "authenticated", "exp": expires}, _SECRET)


async def _witness(stack: AsyncExitStack, what: str, task: Task) -> Process:
    """Ready when it returns."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.candle_witness", what, stdin=PIPE, stdout=PIPE, limit=2**30
    )
    stack.push_async_callback(_end, process)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(task) + b"\n")
    async with asyncio.timeout(60):
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the witness of the {what} did not start")
    return process


async def _notes(witness: Process) -> Notes:
    assert witness.stdin is not None
    assert witness.stdout is not None
    witness.stdin.write(b"\n")
    async with asyncio.timeout(60):
        return msgspec.json.decode(await witness.stdout.readline(), type=Notes)


async def _end(witness: Process) -> None:
    if witness.returncode is None:
        witness.kill()
    await witness.wait()
