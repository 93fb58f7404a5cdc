from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.crm.stack import CrmStack, running
from tests.integration.postgres_server import postgres
from tests.integration.supabase_server import SupabaseServer

__all__ = ["postgres"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def crm(supabase_server: SupabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CrmStack]:
    """Shared: make contacts of your own, and count on nothing else being there or not."""
    async with running(tmp_path_factory.mktemp("crm"), supabase_server) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def own_crm(own_supabase_server: SupabaseServer, tmp_path: Path) -> AsyncIterator[CrmStack]:
    """With a database where nobody is yet."""
    async with running(tmp_path, own_supabase_server) as stack:
        yield stack
