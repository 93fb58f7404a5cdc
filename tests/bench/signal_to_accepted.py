"""From a computed signal to the broker's confirmation of the order, over the real path.

bot runtime → NATS → gateway → paper broker and back, each a process of its own. All bots follow the same candles, so
every round is a burst of orders: the slowest of a burst is what the 99th percentile sees.
"""

import asyncio
import json
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from libs.bus import Bus
from libs.contracts.bots import BotConfig
from libs.contracts.rpc import CONNECT, START_BOT, ConnectSession, ErrorCode, RpcError, StartBot
from tests.bench.result import Result
from tests.bench.services import services
from tests.integration.service_process import ServiceProcess

NAMES = ("e2e.signal_to_accepted_p50_ms", "e2e.signal_to_accepted_p99_ms")

_BOTS = 5
_ORDERS = 60
_ACTIVES = 20
_PATIENCE = 300.0
"""Seconds for all of it; an option and a candle make a round, which takes 10."""


async def run() -> list[Result]:
    with TemporaryDirectory() as directory:
        actives = Path(directory) / "actives.json"
        actives.write_text(json.dumps([_active(number) for number in range(1, _ACTIVES + 1)]))
        async with services(PREGAO_PAPER_ACTIVES=str(actives)) as stack:
            await stack.start_gateway()
            runtime = await stack.start("bot_runtime", "bots")
            for number in range(1, _BOTS + 1):
                await _start_bot(stack.bus, str(UUID(int=number)), broker_user_id=str(1000 + number))
            latencies = await _measure(runtime)
    percentiles = statistics.quantiles(latencies, n=100, method="inclusive")
    return [
        Result(NAMES[0], statistics.median(latencies), "ms"),
        Result(NAMES[1], percentiles[98], "ms"),
    ]


async def _measure(runtime: ServiceProcess) -> list[float]:
    async with asyncio.timeout(_PATIENCE):
        while len(answered := runtime.logged("order_answered")) < _ORDERS:
            await asyncio.sleep(1.0)
    refused = [line for line in answered if line["state"] != "opened"]
    if refused:
        raise RuntimeError(f"{len(refused)} orders were not accepted, e.g. {refused[0]}")
    return [line["milliseconds"] for line in answered]


def _active(number: int) -> dict[str, object]:
    return {"id": number, "ticker": f"BENCH{number}-OTC", "name": f"Bench {number}", "category": "forex", "price": 1.1}


async def _start_bot(bus: Bus, user: str, broker_user_id: str) -> None:
    """Options of five seconds, so that every bot trades in every round."""
    await bus.call(CONNECT, ConnectSession(user=user, broker_user_id=broker_user_id))
    config = BotConfig(max_timeframe=5)
    while True:
        try:
            await bus.call(START_BOT, StartBot(user=user, config=config))
        except RpcError as error:
            if error.code is not ErrorCode.NO_BALANCE:
                raise
            await asyncio.sleep(0.1)
        else:
            return
