"""Waiting for parts that are small HTTP servers."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from deploy.local.healthy import wait_healthy
from deploy.local.parts import Part
from libs.service import CannotStart
from tests.ports import free_port

Serve = Callable[..., Awaitable[Part]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """`await serve(503, 503, 200)`: a part that answers with these statuses, and then with the last one."""
    runners: list[web.AppRunner] = []

    async def serve(*statuses: int) -> Part:
        left = list(statuses)

        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=left.pop(0) if len(left) > 1 else left[0], text="failing: nats")

        app = web.Application()
        app.router.add_get("/health/ready", answer)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return part(port, tmp_path)

    yield serve
    for runner in runners:
        await runner.cleanup()


def part(port: int, directory: Path) -> Part:
    log = directory / "logs" / "gateway.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text("waiting for the broker\n")
    url = f"http://127.0.0.1:{port}/health/ready"
    return Part(name="gateway", command=(), health=url, settings=("PREGAO_GATEWAY_HEALTH_PORT",))


async def test_it_returns_when_every_part_answers_200(serve: Serve, tmp_path: Path) -> None:
    await wait_healthy([await serve(200), await serve(503, 503, 200)], 10, tmp_path)


async def test_a_part_that_is_not_ready_in_time_is_named_with_its_answer_and_settings(
    serve: Serve, tmp_path: Path
) -> None:
    with pytest.raises(CannotStart) as error:
        await wait_healthy([await serve(200), await serve(503)], 0.5, tmp_path)
    said = str(error.value)
    assert said.startswith("gateway is not healthy after 0.5 s (503 failing: nats); PREGAO_START_TIMEOUT changes that")
    assert "waiting for the broker" in said
    assert "PREGAO_GATEWAY_HEALTH_PORT" in said
    assert "\n" not in said


async def test_a_part_that_does_not_answer_is_waited_for_no_longer_than_allowed(tmp_path: Path) -> None:
    since = time.monotonic()
    with pytest.raises(CannotStart, match="no answer"):
        await wait_healthy([part(free_port(), tmp_path)], 0.5, tmp_path)
    assert time.monotonic() - since < 5
