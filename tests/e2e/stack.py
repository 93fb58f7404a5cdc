"""The whole stack, started as `make run` starts it, on free ports and with data of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.local import facts as stack_facts
from deploy.local.facts import Facts
from deploy.local.settings import ROOT, LocalSettings
from tests.ports import free_port
from tests.processes import described, processes_with

START_TIMEOUT = 150.0
"""Seconds; of the very first start, which installs the database server."""


def free_ports() -> dict[str, str]:
    """A free port for every port setting of the stack."""
    return {name: str(free_port()) for name in LocalSettings().ports()}


class Stack:
    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.settings = {**free_ports(), **(settings or {}), "PREGAO_LOCAL_DIR": str(directory)}
        self.output = directory.with_suffix(".out")
        self.started_in = 0.0
        """Seconds from the start to the banner."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def facts(self) -> Facts:
        return stack_facts.read(self.directory)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local"],
                cwd=ROOT,
                env={**os.environ, **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start(self) -> Facts:
        """Returns when it says that it is running."""
        since = time.monotonic()
        self.launch()
        while "Pregão is running." not in self.said():
            if self._process is None or self._process.poll() is not None or time.monotonic() > since + START_TIMEOUT:
                raise AssertionError(f"the stack did not start: {self.said()}")
            time.sleep(0.05)
        self.started_in = time.monotonic() - since
        return self.facts

    def said(self) -> str:
        return self.output.read_text()

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        return self.stop(signal.SIGINT)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        """The exit code of a stack that ends by itself."""
        assert self._process is not None
        return self._process.wait(timeout=60)

    def processes(self) -> list[str]:
        """Everything of it that runs, the launcher included."""
        return list(described(processes_with("PREGAO_LOCAL_DIR", str(self.directory))))

    def kill(self) -> None:
        """As a crash of the launcher."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=10)

    def end(self) -> None:
        """Whatever has happened: nothing of it runs any more."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
