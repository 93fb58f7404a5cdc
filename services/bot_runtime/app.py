"""How the bot runtime is put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.bus.topology import ACCOUNTS, BOTS, CATALOGUE, DESIRED, FEEDS, LEASES, ORDERS, SIGNALS, TRADES
from libs.contracts.rpc import START_BOT, STOP_BOT
from libs.service.process import Service
from services.bot_runtime import trades
from services.bot_runtime.accounts import Accounts
from services.bot_runtime.actives import Actives
from services.bot_runtime.candles import Candles
from services.bot_runtime.choice import all_feeds
from services.bot_runtime.demand import Demand
from services.bot_runtime.desires import Desires
from services.bot_runtime.desk import Desk
from services.bot_runtime.fleet import Fleet
from services.bot_runtime.orders import Orders
from services.bot_runtime.partitions import Partitions
from services.bot_runtime.rpc import Endpoints
from services.bot_runtime.scanner.scanner import Scanner
from services.bot_runtime.settings import Settings


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    bus = service.bus
    await bus.ensure(ACCOUNTS, BOTS, CATALOGUE, DESIRED, FEEDS, LEASES, ORDERS, SIGNALS, TRADES)

    actives, accounts, desires = Actives(), Accounts(), Desires(bus)
    fleet = Fleet(Desk(bus, service.clock, actives, accounts, Orders(bus), desires, settings.order_lifetime))
    candles = Candles(bus, fleet.evaluate)
    demand = Demand(bus, "bots", lambda: all_feeds(fleet.configs(), actives, service.clock.now()), candles.watch)
    partitions = Partitions(bus, fleet, settings.lease_seconds)

    await actives.follow(bus)
    service.health.add("catalogue", lambda: actives.known)
    await accounts.follow(bus, fleet.wake)
    await trades.listen(bus, fleet.hear)
    await candles.follow()
    await fleet.follow(bus)
    await partitions.start()

    service.background(candles.fetch(), "history")
    service.background(demand.run(fleet.changed), "demand")
    service.background(partitions.keep(), "partitions")
    if settings.scanner:
        service.background(Scanner(bus, actives, settings.lease_seconds).run(), "scanner")
    endpoints = Endpoints(bus, actives, desires, real_accounts=settings.real_accounts)
    served = await bus.serve("bots", {START_BOT: endpoints.start, STOP_BOT: endpoints.stop})
    try:
        yield
    finally:
        await served.stop()
        await fleet.close()
        await partitions.release()
        await demand.withdraw()
