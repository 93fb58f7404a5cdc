"""`python -m tests.bench [NAME]`: run the benches, print a table, write one JSON file per figure. Asserts nothing.

A bench is a module of this package with `NAMES: tuple[str, ...]`, the figures it measures, and
`async def run() -> list[Result]`. NAME is a figure, the beginning of one up to a dot, or a module.
"""

import asyncio
import importlib
import os
import pkgutil
import sys
import traceback
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from rich.console import Console
from rich.table import Table

import tests.bench
from tests.bench.result import Result


class Bench(Protocol):
    NAMES: tuple[str, ...]

    def run(self) -> Awaitable[list[Result]]: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for; an empty text is everything."""

    text: str

    def wants(self, name: str, module: str) -> bool:
        return self.text in ("", name, module) or name.startswith(f"{self.text}.")


def benches() -> dict[str, Bench]:
    """Every bench by the name of its module."""
    modules = {
        found.name: importlib.import_module(f"tests.bench.{found.name}")
        for found in pkgutil.iter_modules(tests.bench.__path__)
        if found.name != "__main__"
    }
    return {name: cast(Bench, module) for name, module in modules.items() if hasattr(module, "NAMES")}


def measure(name: str, bench: Bench, selection: Selection) -> list[Result]:
    results = asyncio.run(_run(bench))
    return [result for result in results if selection.wants(result.name, name)]


async def _run(bench: Bench) -> list[Result]:
    return await bench.run()


def table(results: list[Result]) -> Table:
    drawn = Table("name", "value", "unit", "baseline", "ratio")
    for result in results:
        drawn.add_row(result.name, _number(result.value), result.unit, _number(result.baseline), _number(result.ratio))
    return drawn


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def main(text: str, directory: Path) -> int:
    selection = Selection(text)
    wanted = {
        module: bench
        for module, bench in benches().items()
        if any(selection.wants(name, module) for name in bench.NAMES)
    }
    if not wanted:
        names = sorted(name for bench in benches().values() for name in bench.NAMES)
        print(f"no bench measures {text!r}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    results: list[Result] = []
    failed = False
    for module, bench in wanted.items():
        print(f"{module} …", flush=True)
        try:
            measured = measure(module, bench, selection)
        except Exception:  # noqa: BLE001 - one broken bench must not hide the figures of the others
            traceback.print_exc()
            failed = True
            continue
        for result in measured:
            result.write(directory)
        results += measured
    Console(width=None if sys.stdout.isatty() else 120).print(table(results))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:]), Path(os.environ.get("PREGAO_LOCAL_DIR", ".local")) / "bench"))
