"""Whether a process lives, whether it can do its work, and its metrics, over HTTP."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from libs.service.errors import CannotStart

Check = Callable[[], bool | Awaitable[bool]]

_CHECK_TIMEOUT = 2.0

log = structlog.get_logger()


class Health:
    """`started` is set once the process has begun its work; checks say whether what it depends on is there."""

    def __init__(self) -> None:
        self.started = False
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """A dependency; a check that raises or takes more than 2 s counts as failing."""
        self._checks[name] = check

    async def failing(self) -> list[str]:
        """Names of what keeps the process from doing its work; empty when it is ready."""
        if not self.started:
            return ["startup"]
        passed = await asyncio.gather(*(self._passes(name) for name in self._checks))
        return [name for name, passes in zip(self._checks, passed, strict=True) if not passes]

    async def _passes(self, name: str) -> bool:
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT):
                result = self._checks[name]()
                return await result if inspect.isawaitable(result) else result
        except Exception as error:  # noqa: BLE001 - whatever it is, the dependency is not usable
            log.warning("health_check_failed", check=name, error=repr(error))
            return False


@asynccontextmanager
async def serve_health(health: Health, host: str, port: int) -> AsyncIterator[None]:
    """GET /health/live, /health/started, /health/ready and /metrics. Raises CannotStart when the port is taken."""

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def started(_: web.Request) -> web.Response:
        return web.json_response({"started": health.started}, status=200 if health.started else 503)

    async def ready(_: web.Request) -> web.Response:
        failing = await health.failing()
        body = {"status": "not ready" if failing else "ready", "failing": failing}
        return web.json_response(body, status=503 if failing else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/health/live", live)
    app.router.add_get("/health/started", started)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await listen(runner, host, port, "PREGAO_HEALTH_PORT")
        yield
    finally:
        await runner.cleanup()


async def listen(runner: web.AppRunner, host: str, port: int, setting: str) -> None:
    """Raises CannotStart that names the `setting` which moves the port."""
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise CannotStart(f"cannot listen on {host}:{port} ({error.strerror}); {setting} changes the port") from error
