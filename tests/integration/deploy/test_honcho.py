"""Groups of small real processes under the real honcho."""

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local.honcho import Group, running
from deploy.local.parts import Part
from deploy.local.settings import ROOT
from libs.service import CannotStart
from tests.integration.nats_server import eventually

READY = "import signal, sys, time; print('up', flush=True); "
WAITS = READY + "signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY + "time.sleep(60)"
FAILS = "import sys; print('the disk is full', flush=True); sys.exit(3)"


def part(name: str, code: str) -> Part:
    return Part(name=name, command=(sys.executable, "-c", code), health="", settings=("PREGAO_X_PORT",))


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Failures:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self._event = asyncio.Event()

    def __call__(self, failure: CannotStart) -> None:
        self.heard.append(str(failure))
        self._event.set()

    async def first(self) -> str:
        async with asyncio.timeout(15):
            await self._event.wait()
        return self.heard[0]


@pytest.fixture
def failures() -> Failures:
    return Failures()


async def all_up(directory: Path, *names: str) -> None:
    await eventually(lambda: all("up" in (directory / "logs" / f"{name}.log").read_text() for name in names))


async def pids_of(group: Group, *names: str) -> dict[str, int]:
    """A part may be up before honcho says that it started it."""
    await eventually(lambda: group.pids().keys() >= set(names))
    return group.pids()


async def test_parts_run_until_the_group_is_left(tmp_path: Path, failures: Failures) -> None:
    async with running("services", [part("a", WAITS), part("b", WAITS)], tmp_path, failures) as group:
        await all_up(tmp_path, "a", "b")
        pids = await pids_of(group, "a", "b")
        assert set(pids) == {"launcher", "a", "b"}
        assert all(map(alive, pids.values()))
    assert not any(map(alive, pids.values()))
    assert failures.heard == []


async def test_the_pid_that_is_told_is_the_part_itself_and_not_a_shell(tmp_path: Path, failures: Failures) -> None:
    async with running("services", [part("a", WAITS)], tmp_path, failures) as group:
        await all_up(tmp_path, "a")
        assert psutil.Process((await pids_of(group, "a"))["a"]).cmdline()[1:2] == ["-c"]


async def test_a_group_may_be_left_at_once(tmp_path: Path, failures: Failures) -> None:
    async with running("services", [part("a", WAITS)], tmp_path, failures) as group:
        pass
    assert not any(map(alive, group.pids().values()))


async def test_a_part_that_ends_is_named_with_its_last_words_log_and_setting(
    tmp_path: Path, failures: Failures
) -> None:
    async with running("services", [part("a", WAITS), part("b", FAILS)], tmp_path, failures) as group:
        line = await failures.first()
        pids = group.pids()
    log = tmp_path / "logs" / "b.log"
    assert line == f"b ended with code 3: the disk is full (log: {log}; ports: PREGAO_X_PORT)"
    assert not any(map(alive, pids.values()))


async def test_a_part_that_does_not_listen_is_killed(tmp_path: Path, failures: Failures) -> None:
    async with running("services", [part("a", DEAF), part("b", WAITS)], tmp_path, failures) as group:
        await all_up(tmp_path, "a", "b")
    assert not any(map(alive, group.pids().values()))


async def test_nothing_is_left_when_honcho_itself_is_killed(tmp_path: Path, failures: Failures) -> None:
    async with running("services", [part("a", WAITS)], tmp_path, failures) as group:
        await all_up(tmp_path, "a")
        [honcho] = psutil.Process((await pids_of(group, "a"))["a"]).parents()[1:2]
        honcho.kill()
        assert "honcho ended" in await failures.first()
    assert not any(map(alive, group.pids().values()))


async def test_the_log_of_the_start_before_is_kept_aside(tmp_path: Path, failures: Failures) -> None:
    for _ in range(3):
        async with running("services", [part("a", WAITS)], tmp_path, failures):
            await all_up(tmp_path, "a")
    assert (tmp_path / "logs" / "a.log").read_text() == "up\n"
    assert (tmp_path / "logs" / "a.previous.log").read_text() == "up\n"


LAUNCHER = """
import asyncio, sys
from pathlib import Path
from deploy.local.honcho import Group, running
from deploy.local.parts import Part

async def main(directory):
    part = Part(name="a", command=(sys.executable, "-c", {waits!r}), health="", settings=())
    async with running("services", [part], directory, print) as group:
        while len(group.pids()) < 2:
            await asyncio.sleep(0.01)
        print(*group.pids().values(), flush=True)
        await asyncio.sleep(60)

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_nothing_is_left_when_the_launcher_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LAUNCHER.format(waits=WAITS), str(tmp_path)]
    launcher = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert launcher.stdout is not None
    pids = [int(pid) for pid in (await launcher.stdout.readline()).split()]
    assert len(pids) == 2
    assert all(map(alive, pids))
    launcher.kill()
    await launcher.wait()
    await eventually(lambda: not any(map(alive, pids)))
