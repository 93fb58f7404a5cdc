"""What honcho is given: one line per process. Secrets stay off it, in a file per process."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.parts import Part
from deploy.local.private_file import write_private

GUARD = "launcher"
"""Reads the standard input that honcho has from the launcher. When the launcher is gone, however it went, this ends,
and honcho then ends all the others: nothing is left behind."""


def write_procfile(path: Path, parts: Sequence[Part], directory: Path) -> None:
    """Write the Procfile of these parts and, below `directory`/env, the environment of each."""
    for part in parts:
        write_private(_environment_file(part, directory), environment_file(part.environment))
    path.write_text(procfile(parts, directory))


def procfile(parts: Sequence[Part], directory: Path) -> str:
    return "".join(f"{line}\n" for line in (f"{GUARD}: exec cat", *(_line(part, directory) for part in parts)))


def _line(part: Part, directory: Path) -> str:
    """`exec`, so that the process is honcho's own child and receives its signals."""
    move = f"cd {shlex.quote(str(part.directory))} && " if part.directory else ""
    environment = shlex.quote(str(_environment_file(part, directory)))
    log = shlex.quote(str(part.log(directory)))
    return f"{part.name}: . {environment} && {move}exec {shlex.join(part.command)} </dev/null >>{log} 2>&1"


def environment_file(environment: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


def _environment_file(part: Part, directory: Path) -> Path:
    return directory / "env" / f"{part.name}.env"
