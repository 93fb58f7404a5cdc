"""A PostgreSQL database into a file and back, by its own programs (Debian: postgresql-client)."""

import asyncio
import os
from asyncio.subprocess import PIPE
from pathlib import Path

from libs.service import CannotStart


async def dump(url: str, file: Path) -> None:
    """All of it, as of one moment, while others go on. `url`: of a role that may read everything, past row-level
    security. Raises CannotStart."""
    await _run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={url}")


async def restore(url: str, file: Path) -> None:
    """Into a database whose roles are there, and nothing else that is not to be replaced. All or nothing. Raises
    CannotStart."""
    await _run(
        "pg_restore", "--clean", "--if-exists", "--single-transaction", "--exit-on-error", f"--dbname={url}", str(file)
    )


async def _run(program: str, *arguments: str) -> None:
    """Which one runs is decided by PATH; how it connects besides, by libpq's own variables."""
    try:
        process = await asyncio.create_subprocess_exec(program, *arguments, env=os.environ, stderr=PIPE)
    except FileNotFoundError as error:
        raise CannotStart(f"{program} is not in PATH (Debian: postgresql-client)") from error
    _, said = await process.communicate()
    if process.returncode != 0:
        raise CannotStart(f"{program} failed: {' '.join(said.decode(errors='replace').split())[-500:]}")
