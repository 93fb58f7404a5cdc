"""Events per second that leave the whole paper broker, a process of its own with its own market and timer.

2,000 users, each logged in on one connection with a binary option open, follow the candles and quotes of one of 100
actives and what their position is worth. Baseline of the rate: what is due to them; of the rate per CPU-second: the
20,000 that one core is to do. The readers are another process.
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from libs.contracts.clock import SystemClock
from libs.quadcode import Client, FixedSessionId
from libs.quadcode.balances import BalanceType
from libs.quadcode.expirations import binary_expirations
from libs.quadcode.option_actives import TimedActive
from libs.quadcode.options import OpenOption, OptionDirection, OptionType
from libs.quadcode.position_book import SUBSCRIBE_POSITIONS, SubscribePositions
from services.paper_broker.server import PATH
from tests.bench.paper_broker_audience import PER_SECOND
from tests.bench.result import Result
from tests.integration.paper_broker import PaperBroker

NAMES = ("paper_broker.service_events_per_s", "paper_broker.service_events_per_cpu_s")

_CONNECTIONS = 2000
_ACTIVES = 100
_AT_ONCE = 20
_SETTLING = 3.0
"""Seconds between the last subscription and the measurement."""
_WINDOW = 20.0
"""Seconds."""
_TARGET = 20_000
_PATIENCE = 60.0
"""Seconds for an answer of the readers."""


async def run() -> list[Result]:
    with TemporaryDirectory() as name:
        paper = PaperBroker(Path(name), PREGAO_PAPER_ALWAYS_OPEN="1")
        await paper.start()
        try:
            actives, sessions = await _traders(paper)
            async with _audience(paper.port, sessions, actives) as told:
                return await _measure(paper, told)
        finally:
            await paper.process.stop()


async def _measure(paper: PaperBroker, told: Callable[[], Awaitable[int]]) -> list[Result]:
    await asyncio.sleep(_SETTLING)
    process = psutil.Process(paper.process.pid)
    started, before, busy_before = time.perf_counter(), await told(), _busy(process)
    await asyncio.sleep(_WINDOW)
    events, busy = await told() - before, _busy(process) - busy_before
    rate = events / (time.perf_counter() - started)
    return [
        Result(NAMES[0], rate, "1/s", _CONNECTIONS * PER_SECOND),
        Result(NAMES[1], events / busy, "1/s", _TARGET),
    ]


def _busy(process: psutil.Process) -> float:
    """Seconds of CPU, its own and the kernel's for it."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def _traders(paper: PaperBroker) -> tuple[list[int], Sequence[str]]:
    """Ids of the actives, and the session ids of users who have each bought an option."""
    async with _client(paper, await paper.session(1)) as client:
        offers = (await client.options.offers()).binary.all()[:_ACTIVES]
    limit = asyncio.Semaphore(_AT_ONCE)

    async def trader(number: int) -> str:
        async with limit:
            ssid = await paper.session(1000 + number)
            await _buy(paper, ssid, offers[number % len(offers)])
            return ssid

    return [active.id for active in offers], await asyncio.gather(*(trader(number) for number in range(_CONNECTIONS)))


async def _buy(paper: PaperBroker, ssid: str, active: TimedActive) -> None:
    """The longest option there is; its worth is asked for, for the user and not for this connection."""
    async with _client(paper, ssid) as client:
        demo = next(balance for balance in await client.balances.all() if balance.type == BalanceType.DEMO)
        await client.options.open(
            OpenOption.timed(
                kind=OptionType.BINARY,
                active_id=active.id,
                direction=OptionDirection.CALL,
                expires_at=binary_expirations(active, client.clock.now())[-1].at,
                price=Decimal(10),
                balance_id=demo.id,
                profit_percent=active.option.profit.percent,
            )
        )
        ids = tuple(position.id for position in await client.positions.open())
        await client.request(SUBSCRIBE_POSITIONS, SubscribePositions(ids))


def _client(paper: PaperBroker, ssid: str) -> Client:
    jitter = secrets.SystemRandom().random
    return Client(paper.ws_url, FixedSessionId(ssid), clock=SystemClock(), jitter=jitter)


@asynccontextmanager
async def _audience(
    port: int, sessions: Sequence[str], actives: Sequence[int]
) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """What is given tells how many events came to all of them so far."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.paper_broker_audience", "127.0.0.1", str(port), PATH),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    questions, answers = process.stdin, process.stdout

    async def line() -> bytes:
        answer = await asyncio.wait_for(answers.readline(), _PATIENCE)
        if not answer:
            raise RuntimeError("the readers have ended")
        return answer

    async def told() -> int:
        questions.write(b"\n")
        return int(await line())

    questions.write(json.dumps({"sessions": sessions, "actives": actives}).encode() + b"\n")
    try:
        await line()
        yield told
    finally:
        process.kill()
        await process.wait()
