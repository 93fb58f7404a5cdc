"""Where the parts of the CRM meet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from libs.bus.rpc import Handler
from libs.bus.topology import CRM, DEAD_LETTERS, LEASES
from libs.contracts.rpc import CRM_STATS, Endpoint
from libs.service import Service
from libs.store import Database
from libs.store.crm.outbox import OutboxRows
from libs.store.people import People
from services.crm.outbox import Outbox
from services.crm.rpc import Stats
from services.crm.settings import Settings


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    bus = service.bus
    await bus.ensure(CRM, DEAD_LETTERS, LEASES)
    secret_key = settings.supabase_secret_key.get_secret_value()
    async with await Database.connect(settings.supabase_url, secret_key) as database:
        service.health.add("database", database.reachable)
        outbox = Outbox(bus, OutboxRows(database))
        service.health.add("outbox", outbox.flowing)
        answers: dict[Endpoint[Any, Any], Handler[Any, Any]] = {
            CRM_STATS: Stats(People(database), service.clock).stats,
        }
        served = await bus.serve("crm", answers)
        service.background(outbox.run(), "outbox")
        yield
        await served.stop()
