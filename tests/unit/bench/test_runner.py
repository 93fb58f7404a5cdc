import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench import __main__ as runner
from tests.bench.result import Result


class Bench:
    def __init__(self, *results: Result, error: Exception | None = None) -> None:
        self.NAMES = tuple(result.name for result in results)
        self._results = list(results)
        self._error = error

    async def run(self) -> list[Result]:
        if self._error is not None:
            raise self._error
        return self._results


FAST = Result("gateway.order_ms", 4.0, "ms", baseline=2.0)
SLOW = Result("gateway.start_s", 1.5, "s")
ROWS = Result("analytics.rows_per_s", 1200, "1/s")

Given = Callable[..., None]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    def given(**benches: Bench) -> None:
        monkeypatch.setattr(runner, "benches", lambda: benches)

    return given


def written(directory: Path) -> set[str]:
    return {file.stem for file in directory.glob("*.json")}


def test_all_figures_are_written_one_file_each(given: Given, tmp_path: Path) -> None:
    given(gateway=Bench(FAST, SLOW), analytics=Bench(ROWS))
    assert runner.main("", tmp_path / "bench") == 0
    assert written(tmp_path / "bench") == {FAST.name, SLOW.name, ROWS.name}
    assert json.loads((tmp_path / "bench" / "gateway.order_ms.json").read_text()) == {
        "name": "gateway.order_ms",
        "value": 4.0,
        "unit": "ms",
        "baseline": 2.0,
        "ratio": 2.0,
    }


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("gateway.start_s", {SLOW.name}),
        ("gateway", {FAST.name, SLOW.name}),
        ("ledger", {ROWS.name}),
    ],
)
def test_one_figure_one_area_or_one_module(given: Given, tmp_path: Path, only: str, expected: set[str]) -> None:
    given(orders=Bench(FAST, SLOW), ledger=Bench(ROWS))
    assert runner.main(only, tmp_path) == 0
    assert written(tmp_path) == expected


def test_an_unknown_name_says_which_there_are(given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given(orders=Bench(FAST))
    assert runner.main("gateway.orders", tmp_path) == 2
    assert "gateway.order_ms" in capsys.readouterr().err


def test_a_broken_bench_hides_no_figure_of_the_others(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given(broken=Bench(SLOW, error=RuntimeError("no server")), ledger=Bench(ROWS))
    assert runner.main("", tmp_path) == 1
    assert written(tmp_path) == {ROWS.name}
    assert "no server" in capsys.readouterr().err


def test_the_table_shows_what_was_measured(given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given(orders=Bench(FAST))
    runner.main("", tmp_path)
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("gateway.order_ms", "4", "ms", "2"))


def test_every_bench_of_this_repository_names_its_figures() -> None:
    names = [name for bench in runner.benches().values() for name in bench.NAMES]
    assert len(names) == len(set(names))
    assert {"stack.start_s", "stack.idle_cpu_pct", "stack.memory_mib"} <= set(names)


def test_a_ratio_that_was_measured_is_kept() -> None:
    assert Result("a.b", 4.0, "", baseline=2.0, ratio=0.5).ratio == 0.5
    assert Result("a.b", 4.0, "").ratio is None
