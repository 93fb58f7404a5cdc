"""A group of processes under honcho, the Procfile process manager: when one of them ends, honcho ends the others."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

from deploy.local.last_words import describe, last_words
from deploy.local.parts import Part
from deploy.local.procfile import write_procfile
from deploy.local.settings import ROOT
from libs.service import CannotStart

_STARTED = re.compile(r"^([\w-]+)\.1 started \(pid=(\d+)\)$", re.MULTILINE)
_STOPPED = re.compile(r"^([\w-]+)\.1 stopped \(rc=(-?\d+)\)$", re.MULTILINE)

_STOP_TIMEOUT = 15.0
"""Seconds; honcho itself kills what has not ended 5 s after the first one that did."""


class Group:
    """Honcho and its parts run in sessions of their own: a Ctrl-C in the terminal reaches the launcher alone, which
    ends one group after the other."""

    def __init__(self, process: Process, parts: Sequence[Part], directory: Path, log: Path) -> None:
        self._process = process
        self._parts = parts
        self._directory = directory
        self._log = log
        self._since = psutil.Process(process.pid).create_time()

    def pids(self) -> dict[str, int]:
        """Process id by name, of those that honcho has started."""
        return {name: int(pid) for name, pid in _STARTED.findall(self._log.read_text())}

    async def failure(self) -> CannotStart:
        """Waits until the group ends: who ended first, its last words, where to read more, what changes its ports."""
        await self._process.wait()
        ended = _STOPPED.search(self._log.read_text())
        part = next((part for part in self._parts if ended is not None and part.name == ended[1]), None)
        if ended is None or part is None:
            return CannotStart(f"honcho ended: {last_words(self._log)} (log: {self._log})")
        return CannotStart(f"{part.name} ended with code {ended[2]}: {describe(part, self._directory)}")

    async def stop(self) -> None:
        """Returns when every process of the group is gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_TIMEOUT):
                await self._all_started()
                if self._process.returncode is None:
                    self._process.send_signal(signal.SIGTERM)
                await self._process.wait()
        left = self._family()
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await asyncio.to_thread(psutil.wait_procs, left, timeout=5.0)
        await self._process.wait()

    async def _all_started(self) -> None:
        """honcho 2.0 fails on a SIGTERM that comes before all of its processes have reported their start."""
        while self._process.returncode is None and len(self.pids()) <= len(self._parts):  # noqa: ASYNC110 - it only logs
            await asyncio.sleep(0.02)

    def _family(self) -> list[psutil.Process]:
        """Every process of the group that is alive, also if honcho itself is not."""
        family: list[psutil.Process] = []
        for pid in (self._process.pid, *self.pids().values()):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.create_time() >= self._since:
                    family += [process, *process.children(recursive=True)]
        return family


@asynccontextmanager
async def running(
    name: str,
    parts: Sequence[Part],
    directory: Path,
    on_failure: Callable[[CannotStart], None],
    hold: Sequence[int] = (),
) -> AsyncIterator[Group]:
    """Start the parts, and stop them at the end. `on_failure` hears when one ends unasked; the file descriptors in
    `hold` stay open while any of the parts lives."""
    for part in parts:
        _set_aside(part.log(directory))
    procfile, log = directory / f"{name}.Procfile", directory / "logs" / f"{name}.log"
    write_procfile(procfile, parts, directory)
    group = await _started(asyncio.create_task(_honcho(procfile, log, hold)), parts, directory, log)
    watch = asyncio.create_task(_watch(group, on_failure), name=f"watch {name}")
    try:
        yield group
    finally:
        watch.cancel()
        await group.stop()


async def _started(honcho: asyncio.Task[Process], parts: Sequence[Part], directory: Path, log: Path) -> Group:
    """Once begun it is seen through, also when cancelled: a honcho that is killed as it starts leaves its parts."""
    try:
        return Group(await asyncio.shield(honcho), parts, directory, log)
    except asyncio.CancelledError:
        await Group(await honcho, parts, directory, log).stop()
        raise


async def _honcho(procfile: Path, log: Path, hold: Sequence[int]) -> Process:
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "honcho", "-e", os.devnull, "-d", str(ROOT), "-f", str(procfile)),
            *("--no-colour", "--no-prefix", "start"),
            stdin=PIPE,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            pass_fds=hold,
            start_new_session=True,
        )


async def _watch(group: Group, on_failure: Callable[[CannotStart], None]) -> None:
    on_failure(await group.failure())


def _set_aside(log: Path) -> None:
    """Keep the log of the last start, and no older one."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    log.touch()
