from collections.abc import Awaitable, Callable

import pytest

from libs.bus import Bus
from tests.integration.analytics.books import Books
from tests.integration.service_process import ServiceProcess, StartService
from tests.integration.supabase_server import SupabaseServer

StartAnalytics = Callable[[SupabaseServer], Awaitable[ServiceProcess]]


@pytest.fixture
async def start_analytics(start_service: StartService, bus: Bus) -> StartAnalytics:
    async def start(server: SupabaseServer) -> ServiceProcess:
        return await start_service("analytics", "analytics", **server.environment)

    return start


@pytest.fixture
async def books(bus: Bus, supabase_server: SupabaseServer) -> Books:
    """What is told of trades, and what the shared database knows of them."""
    books = Books(bus, supabase_server)
    await books.follow()
    return books
