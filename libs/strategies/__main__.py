"""`python -m libs.strategies list [DIRECTORY]`, `python -m libs.strategies check FILE…`: what strategies there are, and
what is wrong with one. `check` judges as bot-runtime does, in a process of its own; 1 when something is wrong."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from libs.contracts.strategies import StrategyDescription
from libs.strategies.description import describe
from libs.strategies.loading import Source, sources
from libs.strategies.registry import BUILT_IN
from libs.strategies.sandbox import Sandbox


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="strategies", description="Strategies of Pregão.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="every strategy with its parameters")
    listing.add_argument("directory", nargs="?", type=Path, help="strategies of users, as PREGAO_STRATEGIES_DIR")
    checking = commands.add_parser("check", help="whether strategies in files can be used")
    checking.add_argument("files", nargs="+", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.command == "list":
        return asyncio.run(_load(sources(chosen.directory), built_in=True))
    return asyncio.run(_load([Source(str(file.resolve()), is_file=True) for file in chosen.files], built_in=False))


async def _load(wanted: Sequence[Source], *, built_in: bool) -> int:
    sandbox = Sandbox(kind.name for kind in BUILT_IN)
    try:
        problems = await sandbox.load(wanted)
    finally:
        await sandbox.close()
    shown = [describe(kind) for kind in BUILT_IN] if built_in else []
    for description in [*shown, *sandbox.descriptions.values()]:
        print(_shown(description))
    for source, reason in problems.items():
        print(f"{source.text}: {reason}", file=sys.stderr)
    return 1 if problems else 0


def _shown(description: StrategyDescription) -> str:
    lines = [f"{description.name}  ({description.source or 'built in'}; {description.warm_up} candles)"]
    lines += [f"    {line}".rstrip() for line in description.text.splitlines()]
    for name, schema in description.parameters.items():
        lines.append(f"  {name} = {schema.get('default')}  {_bounds(schema)}  {schema.get('description', '')}".rstrip())
    return "\n".join(lines) + "\n"


def _bounds(schema: dict[str, object]) -> str:
    if "enum" in schema:
        return f"one of {schema['enum']}"
    low = f"{schema['minimum']}" if "minimum" in schema else f"more than {schema.get('exclusiveMinimum', '-∞')}"
    return f"[{low} … {schema['maximum']}]" if "maximum" in schema else str(schema.get("type", ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
