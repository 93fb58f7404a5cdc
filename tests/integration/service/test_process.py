"""The whole life of a process, observed from outside."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.nats_server import NatsServer
from tests.ports import free_port

Spawn = Callable[..., Awaitable[Process]]

STRONG = "b1R7xq-Zt04mKcUeW9yHs2LdJp6vNfGa"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def spawn(port: int) -> AsyncIterator[Spawn]:
    """`await spawn(NAME=value)`: the tiny service with these variables."""
    processes: list[Process] = []

    async def spawn(*arguments: str, **variables: str) -> Process:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREGAO_")}
        environment = {"PREGAO_HEALTH_PORT": str(port), "PREGAO_SIGNING_SECRET": STRONG} | variables
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.service.tiny_service", *arguments,
            env=inherited | environment, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        processes.append(process)
        return process

    yield spawn
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def get(port: int, path: str, expected: int) -> Any:
    """The body, as soon as the path answers with that status."""
    async with asyncio.timeout(20), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"http://127.0.0.1:{port}{path}") as response:
                    if response.status == expected:
                        return await response.json() if "json" in response.content_type else await response.text()
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.02)


async def outcome(process: Process) -> tuple[int, list[str], list[dict[str, Any]]]:
    """Exit code, what it said, what it logged."""
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    lines = output.decode().splitlines()
    assert process.returncode is not None
    said = [line for line in lines if not line.startswith("{")]
    return process.returncode, said, [json.loads(line) for line in lines if line.startswith("{")]


async def test_it_lives_before_it_is_ready_and_shows_metrics(spawn: Spawn, port: int, tmp_path: Path) -> None:
    gate = tmp_path / "open"
    await spawn(TINY_GATE=str(gate))
    assert await get(port, "/health/live", 200) == {"status": "live"}
    assert await get(port, "/health/ready", 503) == {"status": "not ready", "failing": ["startup"]}
    assert await get(port, "/health/started", 503) == {"started": False}
    gate.touch()
    assert await get(port, "/health/ready", 200) == {"status": "ready", "failing": []}
    assert "process_cpu_seconds_total" in await get(port, "/metrics", 200)


async def test_a_failing_dependency_is_named_while_it_fails(spawn: Spawn, port: int, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    await spawn(TINY_FAIL=str(broken))
    await get(port, "/health/ready", 200)
    broken.touch()
    assert await get(port, "/health/ready", 503) == {"status": "not ready", "failing": ["gate"]}
    assert await get(port, "/health/started", 200) == {"started": True}
    broken.unlink()
    await get(port, "/health/ready", 200)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_reverse_order(spawn: Spawn, port: int, number: signal.Signals) -> None:
    process = await spawn()
    await get(port, "/health/ready", 200)
    process.send_signal(number)
    code, said, events = await outcome(process)
    assert code == 0
    assert said == ["enter first", "enter second", "background ended", "leave second", "leave first"]
    assert [event["event"] for event in events] == ["ready", "stopping", "stopped"]


async def test_a_signal_during_startup_leaves_what_was_entered(spawn: Spawn, port: int, tmp_path: Path) -> None:
    process = await spawn(TINY_GATE=str(tmp_path / "never"))
    await get(port, "/health/live", 200)
    process.terminate()
    code, said, _ = await outcome(process)
    assert code == 0
    assert said == ["enter first", "enter second", "leave second", "leave first"]


async def test_a_crash_in_the_background_ends_it_with_one_error_line(spawn: Spawn) -> None:
    code, said, events = await outcome(await spawn(TINY_BEHAVIOUR="crash"))
    (error,) = [event for event in events if event["level"] == "error"]
    assert code == 1
    assert error["task"] == "watcher"
    assert "ValueError: a part broke" in error["exception"]
    assert said[-2:] == ["leave second", "leave first"]


async def test_a_failed_start_says_why_and_leaves_nothing_running(spawn: Spawn) -> None:
    code, said, events = await outcome(await spawn(TINY_BEHAVIOUR="fail"))
    (error,) = [event for event in events if event["level"] == "error"]
    assert code == 1
    assert "ValueError: the start failed" in error["exception"]
    assert said == ["enter first", "enter second", "leave second", "leave first", "background ended"]


async def test_a_second_signal_ends_it_at_once(spawn: Spawn, port: int) -> None:
    process = await spawn(TINY_BEHAVIOUR="hang")
    await get(port, "/health/ready", 200)
    process.terminate()
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while b"hanging" not in await process.stdout.readline():
            pass
    process.terminate()
    code, _, _ = await outcome(process)
    assert code == 128 + signal.SIGTERM


async def test_bad_settings_are_named_one_per_line(spawn: Spawn) -> None:
    process = await spawn(PREGAO_HEALTH_PORT="many", PREGAO_LOG_LEVEL="LOUD")
    _, stderr = await process.communicate()
    assert process.returncode == 2
    names = {line.split(":")[0] for line in stderr.decode().splitlines()}
    assert names == {"PREGAO_HEALTH_PORT", "PREGAO_LOG_LEVEL"}


@pytest.mark.parametrize(("secret", "problem"), [(None, "Field required"), ("weak", "shorter than 32 bytes")])
async def test_production_refuses_a_missing_or_weak_secret(spawn: Spawn, secret: str | None, problem: str) -> None:
    process = await spawn("--bus" if secret is None else "", PREGAO_MODE="production", PREGAO_SIGNING_SECRET="weak")
    _, stderr = await process.communicate()
    assert process.returncode == 2
    assert problem in stderr.decode()


async def test_a_busy_port_is_named_with_its_setting(spawn: Spawn, port: int) -> None:
    await spawn()
    await get(port, "/health/ready", 200)
    code, _, events = await outcome(await spawn())
    (error,) = [event for event in events if event["level"] == "error"]
    assert code == 1
    assert f":{port} " in error["error"]
    assert "PREGAO_HEALTH_PORT" in error["error"]


async def test_its_bus_is_a_dependency(spawn: Spawn, port: int, nats_server: NatsServer) -> None:
    await spawn("--bus", **nats_server.environment("edge"))
    await get(port, "/health/ready", 200)
    nats_server.kill()
    assert (await get(port, "/health/ready", 503))["failing"] == ["nats"]
    nats_server.start()
    await get(port, "/health/ready", 200)


async def test_a_refused_password_ends_the_start(spawn: Spawn, nats_server: NatsServer) -> None:
    variables = nats_server.environment("edge") | {"PREGAO_NATS_PASSWORD": "wrong"}
    code, _, events = await outcome(await spawn("--bus", **variables))
    assert code == 1
    assert events[-1]["event"] == "cannot_start"
    assert "wrong" not in json.dumps(events)
