"""A real Supabase-compatible server with this repository's migrations, run as the local stack runs it."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import aiohttp
import pytest

from deploy.local.secrets import generate
from deploy.local.supabase import Server
from libs.contracts.ids import new_id
from tests.ports import free_port

PASSWORD = "a-password-of-tests"
"""Of everybody who signs up here."""

_TIMEOUT = aiohttp.ClientTimeout(total=20)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed up."""

    user: str
    email: str
    token: str


class SupabaseServer:
    """A server process that tests may stop, kill, freeze and start again on the same data."""

    def __init__(self, directory: Path) -> None:
        secrets = generate()
        self.jwt_secret = secrets.supabase_jwt_secret
        self.publishable_key = secrets.supabase_publishable_key
        self.secret_key = secrets.supabase_secret_key
        self._server = Server(directory, free_port(), self.jwt_secret, self.publishable_key, self.secret_key)
        self.url = self._server.url
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Install the server and migrate its database, as far as that has not been done."""
        asyncio.run(self._server.prepare())

    def start(self) -> None:
        """Returns when it answers requests; one that does not is ended."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._server.command,
                cwd=self._server.directory,
                env={**os.environ, **self._server.environment},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(URLError, OSError), urlopen(self._server.health, timeout=1):  # noqa: S310 - loopback http
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"the Supabase-compatible server did not start: {self._log.read_text()}")

    def stop(self) -> None:
        """In order, if it runs; one that goes on waiting for its clients' connections is killed."""
        if self._process is not None:
            self._process.terminate()
            self._process.send_signal(signal.SIGCONT)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(timeout=10)
            self._process = None

    def kill(self) -> None:
        """At once, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def freeze(self) -> None:
        """It accepts connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make a service process use this server."""
        return {
            "PREGAO_SUPABASE_URL": self.url,
            "PREGAO_SUPABASE_PUBLISHABLE_KEY": self.publishable_key,
            "PREGAO_SUPABASE_SECRET_KEY": self.secret_key,
            "PREGAO_SUPABASE_JWT_SECRET": self.jwt_secret,
        }

    def mail_to(self, email: str) -> str:
        """The last that was sent there: the server prints them instead."""
        _, found, mail = self._log.read_text().rpartition(f"To: {email}\n")
        assert found, f"no mail was sent to {email}"
        return mail.partition("[@supabase/lite]")[0]

    async def sign_up(self, broker_user_id: object = None, email: str = "") -> Person:
        """As a browser does; without an address it is somebody nobody has seen before."""
        email = email or f"{new_id()}@example.test"
        profile = {} if broker_user_id is None else {"avalon_user_id": broker_user_id}
        credentials = {"email": email, "password": PASSWORD, "data": {"full_name": "Somebody New", **profile}}
        status, answer = await self.request("POST", "/auth/v1/signup", credentials)
        assert status == 200, answer
        return Person(answer["user"]["id"], email, answer["access_token"])

    async def appoint(self, person: Person, role: str, **columns: object) -> None:
        """Make somebody an administrator."""
        row = {"user_id": person.user, "email": person.email, "role": role, **columns}
        await self.as_service("POST", "/rest/v1/admin_users", row)

    async def as_person(self, person: Person | None, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """A request of that person's browser, or of one where nobody has logged in."""
        return await self.request(method, path, body, {"Authorization": f"Bearer {person.token}"} if person else {})

    async def as_service(self, method: str, path: str, body: object = None) -> Any:
        """What a request with the secret key answers; it must succeed."""
        status, answer = await self.request(method, path, body, {"apikey": self.secret_key})
        assert status < 300, answer
        return answer

    async def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON body; of a write, the rows written."""
        sent = {"apikey": self.publishable_key, "Prefer": "return=representation", **(headers or {})}
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as http,
            http.request(method, self.url + path, json=body, headers=sent) as response,
        ):
            answer = await response.json() if response.content_type == "application/json" else None
            return response.status, answer


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a server that was migrated and never started; every worker copies it, and nobody changes it."""
    mine = tmp_path_factory.getbasetemp()
    directory = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "migrated"
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            in_the_making = directory.with_suffix(".new")
            SupabaseServer(in_the_making).prepare()
            in_the_making.rename(directory)
    return directory


@pytest.fixture(scope="session")
def supabase_server(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupabaseServer]:
    """One server for all tests: make people of your own, and count on nothing else being there or not."""
    yield from running(migrated_database, tmp_path_factory.mktemp("supabase"))


@pytest.fixture
def own_supabase_server(migrated_database: Path, tmp_path: Path) -> Iterator[SupabaseServer]:
    """An empty server for a test that stops it, or counts everybody."""
    yield from running(migrated_database, tmp_path / "supabase")


@pytest.fixture(scope="module")
def scanner_server(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupabaseServer]:
    yield from running(migrated_database, tmp_path_factory.mktemp("scanner") / "supabase")


@pytest.fixture
async def no_signals(scanner_server: SupabaseServer) -> SupabaseServer:
    """A server without any signal of the scanner, for tests that count all of them."""
    for table in ("strategy_trades", "scanner_performance", "strategy_performance"):
        await scanner_server.as_service("DELETE", f"/rest/v1/{table}?active_id=not.is.null")
    return scanner_server


def running(migrated: Path, directory: Path) -> Iterator[SupabaseServer]:
    """On a copy of a migrated database."""
    shutil.copytree(migrated, directory, symlinks=True, dirs_exist_ok=True)
    server = SupabaseServer(directory)
    server.prepare()
    server.start()
    try:
        yield server
    finally:
        server.stop()
