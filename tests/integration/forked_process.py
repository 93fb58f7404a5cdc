"""A process that needs no half second for its imports: it is forked from one that has made them.

Everything else is as `python -m` does it: the module runs as `__main__`, with its own environment and process id.
"""

import asyncio
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

_SERVICES = ("analytics", "bot_runtime", "broker_gateway", "crm", "paper_broker", "socket_edge")

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload([f"services.{service}.app" for service in _SERVICES])


class ForkedProcess:
    """`module` with that environment and no other; what it prints goes to `log`."""

    def __init__(self, module: str, environment: Mapping[str, str], log: Path) -> None:
        self._process: BaseProcess = _server.Process(target=_be, args=(module, dict(environment), log), name=module)

    def start(self) -> None:
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; − n after signal n."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Nothing happens when it has ended."""
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def wait(self) -> int:
        """The exit code, when it has ended."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        assert self.exit_code is not None
        return self.exit_code


def _be(module: str, environment: Mapping[str, str], log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as output:
        os.dup2(output.fileno(), sys.stdout.fileno())
        os.dup2(output.fileno(), sys.stderr.fileno())
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__")
