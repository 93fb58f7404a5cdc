"""Strategies of users: whatever one does, it costs nobody else anything."""

import asyncio
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from libs.strategies.loading import Source, sources
from libs.strategies.parameters import BadParameters
from libs.strategies.protocol import PackedPanel
from libs.strategies.sandbox import Sandbox, StrategyFailed
from libs.strategies.strategy import CALL, PUT
from tests.unit.strategies.authors import only_with, write
from tests.unit.strategies.series import bar, panel_of, random_walk

PANEL = PackedPanel.of(panel_of([bar(1.0, 1.5)], [bar(1.5, 1.0)]))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(["aggressive"])
    yield sandbox
    await sandbox.close()


async def load(sandbox: Sandbox, directory: Path) -> dict[str, str]:
    """Problems by file."""
    return {Path(source.text).stem: reason for source, reason in (await sandbox.load(sources(directory))).items()}


async def verdict(sandbox: Sandbox, name: str, least: float = 0.0) -> list[int]:
    signals = await sandbox.evaluate(name, {"least": least}, PANEL)
    return [int(direction) for direction in signals.directions]


async def test_a_good_one_is_described_checked_and_evaluated(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path, "follow", 'print("to nobody")')
    assert await load(sandbox, tmp_path) == {}
    description = sandbox.descriptions["follow"]
    assert (description.text, description.warm_up, description.source) == ("Follows the last candle.", 1, "follow.py")
    assert description.parameters["least"]["maximum"] == 1
    assert await verdict(sandbox, "follow") == [CALL, PUT]
    assert await verdict(sandbox, "follow", least=0.6) == [0, 0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"least": 2}, "`least`: Expected `float` <= 1"),
        ({"least": "much"}, "`least`: Expected `float`, got `str`"),
        ({"most": 1}, "`most`"),
    ],
)
async def test_a_bad_parameter_is_named(
    sandbox: Sandbox, tmp_path: Path, parameters: dict[str, object], message: str
) -> None:
    write(tmp_path, "follow")
    await load(sandbox, tmp_path)
    with pytest.raises(BadParameters, match=message):
        await sandbox.check("follow", parameters)
    await sandbox.check("follow", {"least": 1})


async def test_of_bad_ones_it_is_told_what_is_wrong_and_the_good_ones_are_used(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    write(tmp_path, "raises", "1 / 0")
    write(tmp_path, "dies", "import os; os._exit(3)")
    write(tmp_path, "leaves", "raise SystemExit")
    write(tmp_path, "crashes", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    write(tmp_path, "shape", "return Signals.where(move[:1] > 0, move[:1] < 0, 60)")
    write(tmp_path, "types", "return Signals(move > 0, move)")
    write(tmp_path, "list", "return []")
    write(tmp_path, "sure", "return Signals.where(move > 0, move < 0, 101)")
    write(tmp_path, "writes", "panel.close[:] = 1")
    write(tmp_path, "neighbour", "move = move - move.mean() if len(move) else move")
    write(tmp_path, "eager", "pass", ("return 1", "return 20"))
    write(tmp_path, "greedy", "pass", ("return 1", "return 500"))
    write(tmp_path, "slow", "n = sum(range(6_000_000))")
    write(tmp_path, "aggressive")
    write(tmp_path, "Bad_Name")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "broken.py").write_text("def")
    (tmp_path / "_helper.py").write_text("raise RuntimeError")
    write(tmp_path, "follow")
    problems = await load(sandbox, tmp_path)
    words = {
        "raises": "ZeroDivisionError: division by zero (line 23 of",
        "dies": "its process ended with 3",
        "leaves": "SystemExit",
        "crashes": "SIGSEGV",
        "shape": "one entry per row, (3,)",
        "types": "`directions` must be an array of int8",
        "list": "must return Signals, not list",
        "sure": "0 to 100",
        "writes": "changed the panel",
        "neighbour": "depends on the other actives",
        "eager": "fewer candles than `warm_up`, 20",
        "greedy": "1 to 200 candles, not 500",
        "slow": "ms of CPU for 200 actives; 50 are allowed",
        "aggressive": "another strategy named `aggressive`",
        "Bad_Name": "`name` must be lower case",
        "empty": "defines no subclass",
        "broken": "cannot be imported: SyntaxError",
    }
    assert {name for name, text in words.items() if text not in problems.get(name, "")} == set(), problems
    assert problems.keys() == words.keys()
    assert set(sandbox.descriptions) == {"follow"}
    assert await verdict(sandbox, "follow") == [CALL, PUT]


async def test_an_endless_loop_ends_and_the_others_go_on(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path, "follow")
    write(tmp_path, "loops", only_with("0.5", "[None for _ in iter(int, 1)]"))
    assert await load(sandbox, tmp_path) == {}
    begun = time.monotonic()
    with pytest.raises(StrategyFailed, match="did not answer in time") as failed:
        await verdict(sandbox, "loops", least=0.5)
    assert failed.value.fatal
    assert time.monotonic() - begun < 8
    assert await verdict(sandbox, "follow") == [CALL, PUT]
    assert await verdict(sandbox, "loops") == [CALL, PUT]


async def test_an_exception_costs_the_parameters_that_raised_it(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path, "raises", only_with("0.5", "raise KeyError('x')"))
    await load(sandbox, tmp_path)
    with pytest.raises(StrategyFailed, match="KeyError: 'x'") as failed:
        await verdict(sandbox, "raises", least=0.5)
    assert not failed.value.fatal
    assert await verdict(sandbox, "raises") == [CALL, PUT]


async def test_a_slow_one_is_told_after_three_rounds(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path, "slow", only_with("0.5", "sum(range(8_000_000))"))
    await load(sandbox, tmp_path)
    for _ in range(2):
        assert await verdict(sandbox, "slow", least=0.5) == [0, 0]
    with pytest.raises(StrategyFailed, match="more than 50 3 times in a row"):
        await verdict(sandbox, "slow", least=0.5)


async def test_one_that_eats_memory_does_not_eat_ours(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path, "eats", only_with("0.5", "import numpy; numpy.ones(2**33)"))
    await load(sandbox, tmp_path)
    with pytest.raises(StrategyFailed, match="MemoryError"):
        await verdict(sandbox, "eats", least=0.5)
    assert await verdict(sandbox, "eats") == [CALL, PUT]


def worker_of_this_test() -> psutil.Process:
    [worker] = psutil.Process().children()
    return worker


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
async def test_a_signal_from_outside_is_nobodys_fault(sandbox: Sandbox, tmp_path: Path, sent: signal.Signals) -> None:
    """A process group that is told to end must not leave a strategy, and so the bots that follow it, in disgrace."""
    write(tmp_path, "follow")
    await load(sandbox, tmp_path)
    worker_of_this_test().send_signal(sent)
    assert await verdict(sandbox, "follow") == [CALL, PUT]


async def test_a_worker_that_is_killed_at_work_is_asked_again(sandbox: Sandbox, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    kill_once = (
        f"import pathlib, os; p = pathlib.Path({str(begun)!r}); p.exists() or (p.touch(), os.kill(os.getpid(), 9))"
    )
    write(tmp_path, "follow", only_with("0.2", f"exec({kill_once!r})"))
    await load(sandbox, tmp_path)
    assert await verdict(sandbox, "follow", least=0.2) == [CALL, PUT]
    assert begun.exists()


async def test_a_worker_ends_with_its_parent() -> None:
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "libs.strategies.worker"), stdin=asyncio.subprocess.PIPE
    )
    assert worker.stdin is not None
    worker.stdin.close()
    async with asyncio.timeout(10):
        assert await worker.wait() == 0


async def test_what_cannot_be_loaded_again_is_left_out(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path, "follow")
    gone = write(tmp_path, "gone", only_with("0.5", "import os; os._exit(1)"))
    await load(sandbox, tmp_path)
    gone.write_text("import os; os._exit(1)")
    with pytest.raises(StrategyFailed):
        await verdict(sandbox, "gone", least=0.5)
    assert await verdict(sandbox, "follow") == [CALL, PUT]
    with pytest.raises(StrategyFailed, match="not loaded"):
        await verdict(sandbox, "gone")


async def test_a_whole_market_arrives_as_it_is(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path, "follow")
    await load(sandbox, tmp_path)
    walks = [random_walk(random.Random(seed), 10 + seed, 1e-3) for seed in range(150)]
    signals = await sandbox.evaluate("follow", {}, PackedPanel.of(panel_of(*walks, depth=200)))
    assert signals.directions.tolist() == [(walk[-1][3] > walk[-1][0]) - (walk[-1][3] < walk[-1][0]) for walk in walks]


async def test_secrets_do_not_reach_it(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREGAO_NATS_PASSWORD", "secret")
    write(tmp_path, "nosy", "import os; assert 'PREGAO_NATS_PASSWORD' not in os.environ")
    assert await load(sandbox, tmp_path) == {}


async def test_a_package_gives_strategies_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from libs.strategies.loading import load as load_source

    write(tmp_path, "follow_package", "", ("class Follow(", "class Follow("))
    (tmp_path / "follow-1.dist-info").mkdir()
    (tmp_path / "follow-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: follow\nVersion: 1\n")
    points = (
        "[pregao.strategies]\nfollow = follow_package\nitself = follow_package:Follow\nnothing = follow_package:nan\n"
    )
    (tmp_path / "follow-1.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = sources(None)
    assert found == [Source(name, is_file=False) for name in ("follow", "itself", "nothing")]
    assert [kind.__name__ for source in found[:2] for kind in load_source(source)] == ["Follow", "Follow"]
