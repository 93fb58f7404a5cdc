"""Which processes of a test still run, found by what their environment says."""

from collections.abc import Iterator
from contextlib import suppress

import psutil


def processes_with(variable: str, value: str) -> list[psutil.Process]:
    """Zombies are not counted: they run no more."""
    return [process for process in psutil.process_iter() if _matches(process, variable, value)]


def _matches(process: psutil.Process, variable: str, value: str) -> bool:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE
    return False


def described(processes: list[psutil.Process]) -> Iterator[str]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            yield f"{process.pid} {' '.join(process.cmdline())}"
