"""Strategies of users, run in a process of their own (`worker.py`), from the side of the process that needs them.

What holds: an exception, a wrong answer, an endless loop, a crash and an exhausted memory cost the strategy its use and
nothing else. What does not: a worker has the rights of the service's user, so it keeps mistakes away, not malice.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from libs.contracts.strategies import StrategyDescription
from libs.strategies.loading import Source
from libs.strategies.parameters import BadParameters
from libs.strategies.probe import CPU_LIMIT
from libs.strategies.protocol import (
    LENGTH,
    LONGEST,
    Answer,
    Check,
    Evaluate,
    Load,
    Loaded,
    PackedPanel,
    Refused,
    Request,
    Said,
)
from libs.strategies.strategy import Signals
from libs.strategies.worker import EVALUATE_SECONDS, LOAD_SECONDS

_ROOT = Path(__file__).parents[2]
_PATIENCE = 1.0
"""Seconds on top of the worker's own limit, after which it is killed from here."""
_SLOW_ROUNDS = 3
_NO_ANSWER = "its process gave no answer"


class StrategyFailed(Exception):
    """It was tried, and must not be tried again: the reason, for people."""

    def __init__(self, reason: str, *, fatal: bool = False) -> None:
        super().__init__(reason)
        self.fatal = fatal
        """Whether it took the worker with it: then not with other parameters either."""


class _Killed(StrategyFailed):
    """By an operator, or by a machine that is short of memory."""


class Sandbox:
    """One request at a time. The worker is started when it is needed, and again when it has ended."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        """Names in `taken` are not to be given again."""
        self.descriptions: dict[str, StrategyDescription] = {}
        """Of the strategies that can be used, by name."""
        self._taken = tuple(taken)
        self._sources: list[Source] = []
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._slow: dict[tuple[str, bytes], int] = {}
        self._answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)

    async def load(self, sources: Iterable[Source]) -> dict[Source, str]:
        """Load what can be used; of the others the reasons why not."""
        problems: dict[Source, str] = {}
        for source in sources:
            async with self._turn:
                try:
                    answer = await self._ask(Load(source, self._taken), LOAD_SECONDS)
                except StrategyFailed as failed:
                    answer = Refused(str(failed))
            if isinstance(answer, Loaded):
                self.descriptions |= {description.name: description for description in answer.descriptions}
                self._sources.append(source)
            else:
                problems[source] = answer.reason if isinstance(answer, Refused) else _NO_ANSWER
        return problems

    async def check(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Raises BadParameters, or StrategyFailed."""
        async with self._turn:
            answer = await self._ask(Check(name, dict(parameters)), EVALUATE_SECONDS)
        if isinstance(answer, Refused):
            raise BadParameters(answer.reason)

    async def evaluate(self, name: str, parameters: Mapping[str, Any], panel: PackedPanel) -> Signals:
        """Raises StrategyFailed."""
        async with self._turn:
            answer = await self._ask(Evaluate(name, dict(parameters), panel), EVALUATE_SECONDS)
        if not isinstance(answer, Said):
            raise StrategyFailed(answer.reason if isinstance(answer, Refused) else _NO_ANSWER)
        self._watch(name, parameters, answer.seconds)
        return answer.signals()

    async def close(self) -> None:
        async with self._turn:
            await self._kill()

    def _watch(self, name: str, parameters: Mapping[str, Any], seconds: float) -> None:
        key = (name, msgspec.msgpack.encode(dict(parameters), order="sorted"))
        slow = self._slow.pop(key, 0) + 1
        if seconds <= CPU_LIMIT:
            return
        if slow == _SLOW_ROUNDS:
            raise StrategyFailed(
                f"it took {seconds * 1000:.0f} ms of CPU, and more than {CPU_LIMIT * 1000:.0f} {slow} times in a row"
            )
        self._slow[key] = slow

    async def _ask(self, request: Request, limit: float) -> Answer:
        """A worker that somebody else has killed is not held against the strategy, once."""
        try:
            return await self._exchange(await self._running(), request, limit)
        except _Killed:
            return await self._exchange(await self._running(), request, limit)

    async def _running(self) -> asyncio.subprocess.Process:
        process = self._process
        return process if process is not None and process.returncode is None else await self._start()

    async def _start(self) -> asyncio.subprocess.Process:
        """With all that was loaded before. What cannot be loaded any more is left out."""
        while True:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "libs.strategies.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=_ROOT,
                env=_environment(),
            )
            source = None
            try:
                for source in self._sources:
                    await self._exchange(process, Load(source, self._taken), LOAD_SECONDS)
            except StrategyFailed:
                self._sources = [other for other in self._sources if other != source]
            else:
                return process

    async def _exchange(self, process: asyncio.subprocess.Process, request: Request, limit: float) -> Answer:
        """Raises StrategyFailed when there is no answer; the worker is gone then, as it is after a cancellation."""
        answered = False
        try:
            async with asyncio.timeout(limit + _PATIENCE):
                answer = await self._converse(process, request)
            answered = True
        except (TimeoutError, OSError, EOFError) as error:
            raise await _failure(process) from error
        finally:
            if not answered:
                await self._kill()
        return answer

    async def _converse(self, process: asyncio.subprocess.Process, request: Request) -> Answer:
        if process.stdin is None or process.stdout is None:
            raise EOFError
        data = msgspec.msgpack.encode(request)
        process.stdin.write(len(data).to_bytes(LENGTH, "big") + data)
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(LENGTH), "big")
        if length > LONGEST:
            raise EOFError
        return self._answers.decode(await process.stdout.readexactly(length))

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _failure(process: asyncio.subprocess.Process) -> StrategyFailed:
    """Why there is no answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
    code = process.returncode
    if code in (None, -signal.SIGALRM):
        return StrategyFailed("it did not answer in time", fatal=True)
    if code == -signal.SIGKILL:
        return _Killed("its process was killed", fatal=True)
    how = f"with {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
    return StrategyFailed(f"its process ended {how}", fatal=True)


def _environment() -> dict[str, str]:
    """Without the secrets of the service, and with one thread: there are other things to do on this machine."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV") if name in os.environ}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
