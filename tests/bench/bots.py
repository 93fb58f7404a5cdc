"""Thousands of bots in one process: what they cost, how fast they decide, and how soon they are back.

Each follows one asset at its own timeframe with a strategy that speaks now and then, as most do.
"""

import asyncio
import statistics
import time
from contextlib import suppress
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
import psutil

from libs.bus import Bus
from libs.contracts.bots import BotConfig
from libs.contracts.rpc import START_BOT, ErrorCode, RpcError, StartBot
from tests.bench.bots_market import Market
from tests.bench.result import Result
from tests.bench.services import Services, services
from tests.integration.service_process import ServiceProcess

NAMES = (
    "bots.5000_cpu_pct",
    "bots.memory_kib",
    "bots.signal_to_order_p99_ms",
    "bots.signal_to_accepted_p99_ms",
    "bots.restart_5000_s",
    "bots.handover_s",
)

_BOTS = 5000
_ACTIVES = 150
_TIMEFRAMES = (60, 30, 60, 300, 60, 10)
"""In turn: half of the bots follow candles of a minute."""
_STRATEGIES = ("balanced", "support-resistance", "ema-cross", "three-candle-flow")
_AT_ONCE = 50
_MEASURED = 130.0
"""Seconds: two full minutes, so two bursts in which candles of most sizes close together."""


async def run() -> list[Result]:
    async with services() as stack:
        market = Market(stack.bus, _ACTIVES, tuple(sorted(set(_TIMEFRAMES))))
        await market.open()
        runtime = await _start(stack)
        moving = asyncio.create_task(market.run())
        try:
            return await _measure(stack, market, runtime)
        finally:
            moving.cancel()
            with suppress(asyncio.CancelledError):
                await moving


async def _start(stack: Services) -> ServiceProcess:
    return await stack.start("bot_runtime", "bots", PREGAO_SCANNER="false")


async def _measure(stack: Services, market: Market, runtime: ServiceProcess) -> list[Result]:
    users = [str(UUID(int=number)) for number in range(1, _BOTS + 1)]
    few = len(_TIMEFRAMES)
    await _start_bots(stack.bus, market, users[:few], 0)
    await _running(runtime, few)
    empty = psutil.Process(runtime.pid).memory_info().rss
    await _start_bots(stack.bus, market, users[few:], few)
    await _running(runtime, _BOTS)
    cpu, answered = await _watch(runtime)
    full = psutil.Process(runtime.pid).memory_info().rss
    restarted, restart = await _restart(stack, runtime)
    handover = await _hand_over(stack, restarted)
    return [
        Result("bots.5000_cpu_pct", cpu, "%"),
        Result("bots.memory_kib", (full - empty) / 1024 / (_BOTS - few), "KiB"),
        Result("bots.signal_to_order_p99_ms", _p99(answered, "published_ms"), "ms"),
        Result("bots.signal_to_accepted_p99_ms", _p99(answered, "milliseconds"), "ms"),
        Result("bots.restart_5000_s", restart, "s"),
        Result("bots.handover_s", handover, "s"),
    ]


async def _start_bots(bus: Bus, market: Market, users: list[str], first: int) -> None:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def start(number: int, user: str) -> None:
        timeframe, asset = _TIMEFRAMES[number % len(_TIMEFRAMES)], f"BENCH{number % _ACTIVES + 1}-OTC"
        wish = {
            "mode": "manual",
            "asset": asset,
            "timeframe": timeframe,
            "strategy": _STRATEGIES[number % len(_STRATEGIES)],
        }
        config = msgspec.convert(wish, BotConfig)
        async with limit:
            await market.connect(user)
            await _start_bot(bus, StartBot(user=user, config=config))

    await asyncio.gather(*(start(number, user) for number, user in enumerate(users, first)))


async def _start_bot(bus: Bus, request: StartBot) -> None:
    while True:
        try:
            await bus.call(START_BOT, request)
        except RpcError as error:
            if error.code is ErrorCode.ALREADY_RUNNING:
                return  # an answer that did not come in time
            if error.code is not ErrorCode.TIMEOUT:
                raise
        else:
            return


def _p99(answered: list[dict[str, Any]], field: str) -> float:
    values: list[float] = [line[field] for line in answered]
    return statistics.quantiles(values, n=100, method="inclusive")[98]


async def _watch(runtime: ServiceProcess) -> tuple[float, list[dict[str, Any]]]:
    """Part of a core in percent, and the orders: in ms from the signal until each was written down, and accepted."""
    known = len(runtime.logged("order_answered"))
    process, began = psutil.Process(runtime.pid), time.monotonic()
    before = sum(process.cpu_times()[:2])
    await asyncio.sleep(_MEASURED)
    cpu = (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)
    return 100 * cpu, runtime.logged("order_answered")[known:]


async def _restart(stack: Services, runtime: ServiceProcess) -> tuple[ServiceProcess, float]:
    """From the death of the only process until a new one runs them all."""
    began = time.monotonic()
    await runtime.kill()
    restarted = await _start(stack)
    await _running(restarted, _BOTS)
    return restarted, time.monotonic() - began


async def _hand_over(stack: Services, doomed: ServiceProcess) -> float:
    """From the death of one of two processes until the other runs all bots."""
    heir = await _start(stack)
    await _running(heir, 1)
    async with asyncio.timeout(60), aiohttp.ClientSession() as http:
        while await _metric(http, heir, "pregao_bots") + await _metric(http, doomed, "pregao_bots") != _BOTS:
            await asyncio.sleep(0.1)
    began = time.monotonic()
    await doomed.kill()
    await _running(heir, _BOTS)
    return time.monotonic() - began


async def _running(runtime: ServiceProcess, count: int) -> None:
    async with asyncio.timeout(300), aiohttp.ClientSession() as http:
        while await _metric(http, runtime, "pregao_bots") < count:
            await asyncio.sleep(0.1)


async def _metric(http: aiohttp.ClientSession, runtime: ServiceProcess, name: str) -> float:
    async with http.get(f"http://127.0.0.1:{runtime.health_port}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} ")), 0.0)
