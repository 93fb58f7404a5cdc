"""The life of one process, from its settings to its exit code.

    settings → logs → health server → bus → the app's context → ready … signal … → not ready
    → background tasks end → the app's context is left → bus → health server → exit

Exit codes: 0 told to stop, 1 could not start or a part failed, 2 bad settings, 128 + n a second signal.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar

import structlog
import uvloop

from libs.bus import Bus, BusUnavailable
from libs.bus.topology import Storage
from libs.contracts.clock import Clock, SystemClock
from libs.service.errors import CannotStart
from libs.service.health import Health, serve_health
from libs.service.logging import configure
from libs.service.settings import ProcessSettings, ServiceSettings, load
from libs.service.tracing import traced

SettingsT = TypeVar("SettingsT", bound=ProcessSettings)
T = TypeVar("T")

log = structlog.get_logger()


class Service:
    """What a process gets to build its app from."""

    def __init__(self, name: str, instance: str, clock: Clock) -> None:
        self.name = name
        self.instance = instance
        self.clock = clock
        self.health = Health()
        self._bus: Bus | None = None
        self._exit_code = 0
        self._entered = False
        self._stopping = asyncio.Event()
        self._background: set[asyncio.Task[object]] = set()

    @property
    def bus(self) -> Bus:
        """Of a process whose settings are ServiceSettings."""
        if self._bus is None:
            raise RuntimeError(f"{self.name} has no bus: its settings are not ServiceSettings")
        return self._bus

    def background(self, coroutine: Coroutine[object, object, T], name: str) -> asyncio.Task[T]:
        """Run it until it is done or the process stops; if it raises, the process exits with code 1."""
        task = asyncio.create_task(coroutine, name=name)
        self._background.add(task)
        task.add_done_callback(self._background_done)
        return task

    def stop(self, reason: str) -> None:
        """End the process in order."""
        if not self._stopping.is_set():
            log.info("stopping", reason=reason)
            self._stopping.set()

    def fail(self, reason: str) -> None:
        """End the process in order, with exit code 1."""
        self._exit_code = 1
        self.stop(reason)

    def _background_done(self, task: asyncio.Task[T]) -> None:
        self._background.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("background_task_failed", task=task.get_name(), exc_info=error)
            self.fail(f"background task {task.get_name()} failed")

    async def _end_background(self) -> None:
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_COLLECT = (50_000, 20, 100)
"""Thresholds of the garbage collector: a pass over all that a large process keeps stops it for some tenths of a second,
and by default comes several times in a burst of work. What has no cycles is freed at once all the same."""

App = Callable[[SettingsT, Service], AbstractAsyncContextManager[None]]
"""The composition root of a service: entered to start it, left to stop it."""


def run(name: str, settings_type: type[SettingsT], app: App[SettingsT]) -> None:
    """Be the process; ends in sys.exit."""
    try:
        settings = load(settings_type)
    except CannotStart as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    configure(name, settings.instance, settings.log_level)
    gc.set_threshold(*_COLLECT)
    gc.freeze()  # what was imported stays: no pass need look at it
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_main(name, settings, app))
    sys.exit(code)


async def _main(name: str, settings: SettingsT, app: App[SettingsT]) -> int:
    service = Service(name, settings.instance, SystemClock())
    _stop_on_signals(service)
    life = asyncio.create_task(_live(settings, app, service), name="life")
    told = asyncio.create_task(service._stopping.wait(), name="told-to-stop")
    await asyncio.wait({life, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not service._entered:
        life.cancel()
    try:
        await life
    except (CannotStart, BusUnavailable) as error:
        log.error("cannot_start", error=str(error))
        return 1
    except asyncio.CancelledError:
        log.info("stopped_during_startup")
    except Exception:
        log.exception("process_failed")
        return 1
    log.info("stopped", exit_code=service._exit_code)
    return service._exit_code


async def _live(settings: SettingsT, app: App[SettingsT], service: Service) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(traced(service.name, service.instance, settings.traces_url, settings.traces_ratio))
        await stack.enter_async_context(serve_health(service.health, settings.health_host, settings.health_port))
        if isinstance(settings, ServiceSettings):
            await _connect(settings, service, stack)
        # Twice: what was started before a failed start ends before the bus does, and what runs ends before its app.
        stack.push_async_callback(service._end_background)
        await stack.enter_async_context(app(settings, service))
        stack.push_async_callback(service._end_background)
        if service._bus is not None:
            await service._bus.ready()
        service._entered = service.health.started = True
        log.info("ready")
        await service._stopping.wait()
        service.health.started = False


async def _connect(settings: ServiceSettings, service: Service, stack: AsyncExitStack) -> None:
    bus = service._bus = await Bus.connect(
        settings.nats_url,
        settings.nats_user,
        settings.nats_password.get_secret_value(),
        service=service.name,
        instance=service.instance,
        clock=service.clock,
        on_closed=lambda: service.fail("the message bus does not work any more; the lines before say why"),
        storage=Storage(settings.nats_replicas, settings.nats_room),
        ca_file=settings.nats_ca_file,
    )
    stack.push_async_callback(bus.close)
    service.health.add("nats", lambda: bus.connected)


def _stop_on_signals(service: Service) -> None:
    def received(number: signal.Signals) -> None:
        if service._stopping.is_set():
            log.warning("second_signal", signal=number.name)
            os._exit(128 + number)
        service.stop(number.name)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received, number)
