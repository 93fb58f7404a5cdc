"""A backup: a directory, readable by its owner alone, with a file per stream, one of the database, and a list of them.

Streams come before the database. So the database is the newer one: what consumers are told again after a restore they
know by its id. The other way round, what was acknowledged in between would be in neither.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from deploy.backup import database, streams
from libs.service import CannotStart

_LIST = "backup.json"
_DATABASE = "database.dump"


@dataclass(frozen=True, slots=True)
class Archive:
    directory: Path

    async def make(self, client: Client, database_url: str | None, now: datetime) -> list[str]:
        """What it has. Raises CannotStart, also when something is there already."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(self.directory.iterdir()):
            raise CannotStart(f"{self.directory} is not empty")
        described: dict[str, streams.Description] = {}
        for name in streams.kept():
            with self._stream(name).open("wb") as file:
                told = await streams.snapshot(client, name, file)
            if told is None:
                self._stream(name).unlink()
            else:
                described[name] = told
        if database_url is not None:
            await database.dump(database_url, self.directory / _DATABASE)
        sums = {file.name: _sum(file) for file in sorted(self.directory.iterdir())}
        for name in sums:
            (self.directory / name).chmod(0o600)
        listed = {"made": now.isoformat(), "streams": described, "files": sums}
        (self.directory / _LIST).write_text(json.dumps(listed, indent=2))  # last: without it, it is no backup
        return sorted(sums)

    def forget_older(self, keep: int) -> None:
        """Remove those beside it that were made before the newest `keep`; what is no backup, or one that was not
        finished, stays."""
        made = {
            listed.parent: json.loads(listed.read_text())["made"] for listed in self.directory.parent.glob(f"*/{_LIST}")
        }
        for old in sorted(made, key=made.__getitem__, reverse=True)[keep:]:
            (old / _LIST).unlink()  # first: without it, it is no backup
            shutil.rmtree(old)

    async def restore(self, client: Client, database_url: str | None, replicas: int | None) -> list[str]:
        """Everything is checked before anything is done. `replicas`: of each stream, where the servers are others.
        Raises CannotStart."""
        listed = self._checked()
        if database_url is not None and not (self.directory / _DATABASE).exists():
            raise CannotStart(f"{self.directory} has no database")
        there = [name for name in listed["streams"] if await streams.exists(client, name)]
        if there:
            raise CannotStart(f"already there, and not to be overwritten: {', '.join(there)}")
        for name, description in listed["streams"].items():
            if replicas is not None:
                description["config"]["num_replicas"] = replicas
            with self._stream(name).open("rb") as file:
                await streams.restore(client, name, description, file)
        if database_url is not None:
            await database.restore(database_url, self.directory / _DATABASE)
        return sorted(listed["files"])

    def _checked(self) -> dict[str, Any]:
        try:
            listed: dict[str, Any] = json.loads((self.directory / _LIST).read_text())
        except (OSError, ValueError) as error:
            raise CannotStart(f"{self.directory} is no backup, or one that was not finished: {error}") from error
        for name, expected in listed["files"].items():
            file = self.directory / name
            if not file.exists() or _sum(file) != expected:
                raise CannotStart(f"{file} is missing or altered")
        return listed

    def _stream(self, name: str) -> Path:
        return self.directory / f"{name}.stream"


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
