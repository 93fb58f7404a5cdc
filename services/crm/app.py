"""Where the parts of the CRM meet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.contracts.rpc import CRM_STATS
from libs.service import Service
from libs.store import Database
from libs.store.people import People
from services.crm.rpc import Stats
from services.crm.settings import Settings


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    secret_key = settings.supabase_secret_key.get_secret_value()
    async with await Database.connect(settings.supabase_url, secret_key) as database:
        service.health.add("database", database.reachable)
        served = await service.bus.serve("crm", {CRM_STATS: Stats(People(database), service.clock).stats})
        yield
        await served.stop()
