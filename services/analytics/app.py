"""Where the parts of analytics meet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.bus.topology import ACCOUNTS, BOTS, DEAD_LETTERS, LEDGER, TRADES
from libs.contracts.rpc import RECORD_STATUS
from libs.service import Service
from libs.store import Database
from libs.store.bot_status import BotStatuses
from libs.store.trades import Trades
from services.analytics import ledger, statuses
from services.analytics.ledger import Ledger
from services.analytics.settings import Settings
from services.analytics.statuses import Statuses


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    bus = service.bus
    await bus.ensure(TRADES, LEDGER, DEAD_LETTERS, ACCOUNTS, BOTS)
    secret_key = settings.supabase_secret_key.get_secret_value()
    async with await Database.connect(settings.supabase_url, secret_key) as database:
        service.health.add("database", database.reachable)
        trades = Ledger(bus, Trades(database))
        users = Statuses(bus, BotStatuses(database))
        running = [await bus.consume(ledger.CONSUMER, trades.record)]
        running += [await bus.consume(consumer, users.follow) for consumer in statuses.CONSUMERS]
        served = await bus.serve("analytics", {RECORD_STATUS: users.record})
        yield
        await served.stop()
        await asyncio.gather(*(consumption.stop() for consumption in running))
