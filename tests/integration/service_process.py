"""A service as a process of its own, with the settings that the local stack gives it."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.forked_process import ForkedProcess
from tests.integration.nats_server import NatsServer
from tests.ports import free_port


class ServiceProcess:
    def __init__(self, module: str, environment: Mapping[str, str], log: Path) -> None:
        self.module = module
        self.health_port = free_port()
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("PREGAO_")}
        self._environment |= {"PREGAO_HEALTH_PORT": str(self.health_port), **environment}
        self._log = log
        self._process: ForkedProcess | None = None

    @property
    def pid(self) -> int:
        """Of a process that was started."""
        assert self._process is not None
        return self._process.pid

    async def start(self, within: float = 30.0) -> None:
        """Returns when it is ready."""
        self._process = ForkedProcess(self.module, self._environment, self._log)
        self._process.start()
        async with asyncio.timeout(within), aiohttp.ClientSession() as http:
            while await self._failing(http) != []:
                if self._process.exit_code is not None:
                    raise RuntimeError(f"{self.module} ended: {self._log.read_text()}")
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """Its exit code."""
        return await self._end(signal.SIGTERM)

    def pause(self) -> None:
        """As a machine that stands still does: nothing runs, and nothing is told."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        """All it wrote."""
        return self._log.read_text()

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def failing(self) -> list[str] | None:
        """What keeps it from being ready; None when it does not answer at all."""
        async with aiohttp.ClientSession() as http:
            return await self._failing(http)

    async def metric(self, name: str) -> float:
        """The value of one line of /metrics; 0 while it is not there."""
        address = f"http://127.0.0.1:{self.health_port}/metrics"
        async with aiohttp.ClientSession() as http, http.get(address) as response:
            lines = (await response.text()).splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    async def stop(self) -> None:
        """At the end of a test, in whatever state it is."""
        if self._process is not None and self._process.exit_code is None:
            self.resume()
            await self.kill()

    async def _failing(self, http: aiohttp.ClientSession) -> list[str] | None:
        try:
            async with http.get(f"http://127.0.0.1:{self.health_port}/health/ready") as response:
                failing: list[str] = (await response.json())["failing"]
                return failing
        except aiohttp.ClientConnectionError:
            return None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    async def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._signal(number)
        async with asyncio.timeout(20):
            return await self._process.wait()


StartService = Callable[..., Awaitable[ServiceProcess]]


@asynccontextmanager
async def starting(environment: Callable[[str], Mapping[str, str]], logs: Path) -> AsyncIterator[StartService]:
    """`environment(user)`: how that user finds the bus. What was started is stopped when it is left."""
    processes: list[ServiceProcess] = []

    async def start(directory: str, user: str, **variables: str) -> ServiceProcess:
        process = ServiceProcess(
            f"services.{directory}",
            {**environment(user), **variables},
            logs / f"{directory}-{len(processes)}.log",
        )
        processes.append(process)
        await process.start()
        return process

    yield start
    for process in reversed(processes):
        await process.stop()


@pytest.fixture
async def start_service(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[StartService]:
    """`await start_service("bot_runtime", "bots", PREGAO_LOG_LEVEL="DEBUG")`: ready when it returns."""
    async with starting(nats_server.environment, tmp_path) as start:
        yield start
