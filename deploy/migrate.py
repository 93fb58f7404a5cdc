"""`python -m deploy.migrate`: bring the database of `PREGAO_DATABASE_URL` up to date, before the services start.

What was applied is noted where the Supabase CLI notes it, so both may be used on one database. Several may run at
once: one applies, the others wait for it. A migration that fails leaves nothing behind, and what follows it waits.
"""

import asyncio
import sys
from pathlib import Path

import asyncpg
from pydantic import PostgresDsn
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.service import CannotStart
from libs.service.settings import PREFIX, load

MIGRATIONS = Path(__file__).parent / "local" / "supabase" / "supabase" / "migrations"

_LOCK = 0x70726567616F
"""Of PostgreSQL's advisory locks; `pregao` in ASCII."""
_CONNECT_TIMEOUT = 30.0
_NOTES = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text primary key, statements text[], name text
);
"""
_NOTE = "insert into supabase_migrations.schema_migrations (version, statements, name) values ($1, $2, $3)"


class MigrationSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: PostgresDsn
    """Of the role that owns the tables: `postgres` at Supabase. With `?sslmode=verify-full` outside one machine."""


async def migrate(url: str, directory: Path = MIGRATIONS) -> list[str]:
    """The names of the migrations that were applied now. Raises CannotStart."""
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise CannotStart(f"cannot connect to the database: {error!r}") from error
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(_NOTES)
        known = await connection.fetch("select version from supabase_migrations.schema_migrations")
        return await _apply(connection, _waiting(directory, {row["version"] for row in known}))
    finally:
        await connection.close()


def _waiting(directory: Path, known: set[str]) -> list[Path]:
    return [file for file in sorted(directory.glob("*.sql")) if _version(file) not in known]


def _version(file: Path) -> str:
    return file.stem.partition("_")[0]


async def _apply(connection: asyncpg.Connection, files: list[Path]) -> list[str]:
    for file in files:
        script = file.read_text()
        note = (_version(file), [script], file.stem.partition("_")[2])
        try:
            async with connection.transaction():
                await connection.execute(script)
                await connection.execute(_NOTE, *note)
        except asyncpg.PostgresError as error:
            raise CannotStart(f"{file.name} cannot be applied: {error!r}") from error
    return [file.name for file in files]


def main() -> None:
    try:
        applied = asyncio.run(migrate(str(load(MigrationSettings).database_url)))
    except CannotStart as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    print("\n".join([*applied, f"{len(applied)} migrations applied"]))


if __name__ == "__main__":
    main()
