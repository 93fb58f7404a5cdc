"""A PostgreSQL server, where the machine has one: for what the local server cannot show, which runs one transaction
after the other."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.supabase import MIGRATIONS
from tests.integration.store.test_hosted import PROJECT
from tests.ports import free_port

_ACCOUNT = "postgres" if os.getuid() == 0 else None
"""It refuses to run as root."""
_OPTIONS = "-c fsync=off -c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={directory} -c jit=off"


def binaries() -> Path | None:
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), *(Path(at).parent for at in (shutil.which("psql"),) if at)]
    return next((path for path in found if (path / "initdb").exists() and (path / "psql").exists()), None)


class PostgresServer:
    def __init__(self, directory: Path, programs: Path) -> None:
        self._directory = directory
        self._programs = programs
        self._port = free_port()

    def start(self) -> None:
        self._run("initdb", "-D", self._directory / "data", "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = _OPTIONS.format(port=self._port, directory=self._directory)
        log = self._directory / "log"
        self._run("pg_ctl", "-D", self._directory / "data", "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._directory / "data", "-m", "immediate", "stop")

    def ask(self, sql: str, timeout: float = 60.0, **values: str) -> list[str]:
        """The lines it answers; columns are separated by tabs. `values`: of what `:'name'` stands for."""
        command = [*self._psql(), *(part for name, value in values.items() for part in ("-v", f"{name}={value}"))]
        run = subprocess.run(command, input=sql, capture_output=True, text=True, timeout=timeout, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout.splitlines()

    @contextmanager
    def session(self) -> Iterator["Session"]:
        process = subprocess.Popen(self._psql(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with process:
            yield Session(process)
            process.terminate()

    def _psql(self) -> list[str]:
        address = f"host=127.0.0.1 port={self._port} user=owner dbname=postgres"
        return [str(self._programs / "psql"), address, "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1"]

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        run = subprocess.run(
            command, user=_ACCOUNT, cwd=self._directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        assert run.returncode == 0, run.stderr


class Session:
    """A connection that keeps its transaction open between two requests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, sql: str) -> list[str]:
        """Returns when it is done, with the lines it answered."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{sql}\n\\echo done\n")
        self._process.stdin.flush()
        lines = []
        while (line := self._process.stdout.readline().rstrip("\n")) != "done":
            assert self._process.poll() is None, "psql ended"
            lines.append(line)
        return lines


@contextmanager
def migrated(programs: Path) -> Iterator[PostgresServer]:
    """With all migrations, as hosted Supabase has them."""
    directory = Path(tempfile.mkdtemp(prefix="pregao-postgres-"))
    shutil.chown(directory, _ACCOUNT) if _ACCOUNT else None
    server = PostgresServer(directory, programs)
    try:
        server.start()
        server.ask("\n".join((PROJECT, *(file.read_text() for file in sorted(MIGRATIONS.glob("*.sql"))))))
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """One for the tests of a file. Skips where PostgreSQL is not installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here")
    with migrated(programs) as server:
        yield server
