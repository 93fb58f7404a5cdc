"""The Supabase-compatible server: its project below the stack's directory, its migrations from this repository."""

import asyncio
import hashlib
import json
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.node import install, node_path
from deploy.local.private_file import write_private
from libs.service import CannotStart

PACKAGE = Path(__file__).parent / "supabase"
"""package.json, and the project whose migrations also work on hosted Supabase."""
MIGRATIONS = PACKAGE / "supabase" / "migrations"

_MIGRATE_TIMEOUT = 120.0

_CONFIG = """\
# Written by deploy/local/supabase.py at every start.
[api]
port = {port}

[db]
driver = "pglite"
url = "supabase/.temp/data"

[auth]
enabled = true
jwt_secret = {jwt_secret}
jwt_expiry = 3600
enable_signup = true
publishable_key = {publishable_key}
secret_key = {secret_key}

[auth.email]
enable_confirmations = false
"""


@dataclass(frozen=True, slots=True)
class Server:
    directory: Path
    """Of this server's own project and data."""
    port: int
    jwt_secret: str
    publishable_key: str
    secret_key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def health(self) -> str:
        """Answers 200 once it serves requests."""
        return f"{self.url}/auth/v1/health?apikey={self.publishable_key}"

    @property
    def command(self) -> tuple[str, ...]:
        """To be run in `directory` with `environment`."""
        return _lite("start", "--no-admin", "--host", "127.0.0.1")

    @property
    def environment(self) -> Mapping[str, str]:
        return {"NODE_ENV": "production", "DO_NOT_TRACK": "1"}

    async def prepare(self) -> None:
        """Install the server, write its project, apply what is new in the migrations. Raises CannotStart."""
        await asyncio.to_thread(install, PACKAGE)
        self._write_project()
        wanted, applied = _fingerprint(), self.directory / "migrated"
        if not applied.exists() or applied.read_text() != wanted:
            await self._migrate()
            applied.write_text(wanted)

    def _write_project(self) -> None:
        config = _CONFIG.format(
            port=self.port,
            jwt_secret=json.dumps(self.jwt_secret),
            publishable_key=json.dumps(self.publishable_key),
            secret_key=json.dumps(self.secret_key),
        )
        write_private(self.directory / "supabase" / "config.toml", config)
        link = self.directory / "supabase" / "migrations"
        link.unlink(missing_ok=True)
        link.symlink_to(MIGRATIONS)

    async def _migrate(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *_lite("migration", "up"), cwd=self.directory, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
        )
        try:
            async with asyncio.timeout(_MIGRATE_TIMEOUT):
                output, _ = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            said = " ".join(output.decode(errors="replace").split())
            raise CannotStart(f"the migrations of {MIGRATIONS} cannot be applied: {said[-300:]}")


def _lite(*arguments: str) -> tuple[str, ...]:
    script = PACKAGE / "node_modules" / "@supabase" / "lite" / "dist" / "cli" / "index.js"
    return (str(node_path()), str(script), "--no-telemetry", *arguments)


def _fingerprint() -> str:
    """Changes with every migration file."""
    digest = hashlib.sha256()
    for file in sorted(MIGRATIONS.glob("*.sql")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
