"""Whatever a test session starts has ended when the session has: otherwise the session fails."""

import os
from collections.abc import Generator
from contextlib import suppress

import psutil
import pytest

from libs.contracts.ids import new_id
from tests.processes import described, processes_with

_RUN = "TESTS_OF_PREGAO"
"""Inherited by everything a session starts; a worker of xdist has its session's value. Without the prefix of our
settings, which fixtures keep from the processes they start."""

_GRACE = 5.0
"""Seconds."""


def pytest_configure() -> None:
    os.environ.setdefault(_RUN, new_id())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """After everybody else's: xdist has ended its workers."""
    yield
    if hasattr(session.config, "workerinput"):
        return
    started = [process for process in processes_with(_RUN, os.environ[_RUN]) if not _ends_with_us(process)]
    _, left = psutil.wait_procs(started, timeout=_GRACE)
    if left:
        print("\nleft behind by the tests:", *described(left), sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    for process in left:
        process.kill()


def _ends_with_us(process: psutil.Process) -> bool:
    """Ourselves, and the servers that multiprocessing starts for us, but not what those start."""
    with suppress(psutil.NoSuchProcess):
        serves_us = process.ppid() == os.getpid() and "from multiprocessing." in " ".join(process.cmdline())
        return process.pid == os.getpid() or serves_us
    return True
