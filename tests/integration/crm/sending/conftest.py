from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.supabase_server import SupabaseServer, running


@pytest.fixture(scope="session")
def server_without_senders(
    migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SupabaseServer]:
    yield from running(migrated_database, tmp_path_factory.mktemp("quiet"))


@pytest.fixture
async def quiet_server(server_without_senders: SupabaseServer) -> SupabaseServer:
    """Nothing waits that others have queued."""
    await server_without_senders.as_service("DELETE", "/rest/v1/crm_mail_out?state=in.(queued,sending)")
    await server_without_senders.as_service("DELETE", "/rest/v1/crm_mail_pace?domain=not.is.null")
    return server_without_senders
