import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.store import Database
from tests.integration.store.catalog import Catalog
from tests.integration.supabase_server import Person, SupabaseServer


@pytest.fixture(scope="session")
def catalog(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    copy = tmp_path_factory.mktemp("catalog") / "copy"
    shutil.copytree(migrated_database, copy, symlinks=True)
    return Catalog(copy)


@pytest.fixture
async def database(supabase_server: SupabaseServer) -> AsyncIterator[Database]:
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        yield database


@pytest.fixture
async def owner(supabase_server: SupabaseServer) -> Person:
    """Of the rows that a test is about."""
    return await supabase_server.sign_up()


@pytest.fixture
async def stranger(supabase_server: SupabaseServer) -> Person:
    """Somebody else who is logged in."""
    return await supabase_server.sign_up()
