"""How the bot runtime is put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from libs.bus.rpc import Handler
from libs.bus.topology import (
    ACCOUNTS,
    ALERTS,
    BOTS,
    CATALOGUE,
    DESIRED,
    FEEDS,
    LEASES,
    ORDERS,
    PLATFORM,
    SIGNALS,
    TRADES,
)
from libs.contracts import rpc
from libs.contracts.rpc import Endpoint
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
from services.bot_runtime.journal import Journals
from services.bot_runtime.orders import Orders
from services.bot_runtime.partitions import Partitions
from services.bot_runtime.platform import PlatformDesk, PlatformRules
from services.bot_runtime.rpc import Endpoints
from services.bot_runtime.rush import Rush, collect_between_rushes
from services.bot_runtime.scanner.scanner import Scanner
from services.bot_runtime.settings import Settings
from services.bot_runtime.strategies import Strategies


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    collect_between_rushes()
    bus = service.bus
    await bus.ensure(ACCOUNTS, ALERTS, BOTS, CATALOGUE, DESIRED, FEEDS, LEASES, ORDERS, PLATFORM, SIGNALS, TRADES)

    actives, accounts, desires, platform = Actives(), Accounts(), Desires(bus), PlatformRules()
    journals, strategies = Journals(bus), Strategies(bus, lambda: fleet.wake_all())
    desk = Desk(
        bus, service.clock, actives, accounts, Orders(bus), desires, journals, platform, strategies,
        Rush(service.clock), settings.order_lifetime,
    )  # fmt: skip
    fleet = Fleet(desk)
    candles = Candles(bus, fleet.evaluate)
    demand = Demand(bus, "bots", lambda: all_feeds(fleet.configs(), actives, service.clock.now()), candles.watch)
    partitions = Partitions(bus, fleet, settings.lease_seconds)

    await strategies.load(settings.strategies_dir)
    await actives.follow(bus, fleet.wake_for)
    service.health.add("catalogue", lambda: actives.known)
    await accounts.follow(bus, fleet.wake)
    await platform.follow(bus, fleet.wake_all)
    await trades.listen(bus, fleet.hear)
    await candles.follow()
    await journals.follow()
    await fleet.follow(bus)
    await partitions.start()

    service.background(candles.fetch(), "history")
    service.background(candles.judge(), "rounds")
    service.background(demand.run(fleet.changed), "demand")
    service.background(partitions.keep(), "partitions")
    if settings.scanner:
        service.background(Scanner(bus, actives, strategies, settings.lease_seconds).run(), "scanner")
    bots = Endpoints(bus, actives, desires, platform, strategies, fleet.wanted, real_accounts=settings.real_accounts)
    served = await bus.serve("bots", _handlers(bots, PlatformDesk(bus), strategies))
    try:
        yield
    finally:
        await served.stop()
        await fleet.close()
        await partitions.release()
        await strategies.close()
        await demand.withdraw()


def _handlers(
    bots: Endpoints, platform: PlatformDesk, strategies: Strategies
) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
    return {
        rpc.START_BOT: bots.start,
        rpc.STOP_BOT: bots.stop,
        rpc.PREVIEW_BOT: bots.preview,
        rpc.PAUSE_BOT: bots.pause,
        rpc.RESUME_BOT: bots.resume,
        rpc.RECONFIGURE_BOT: bots.reconfigure,
        rpc.CHOOSE_ACCOUNT: bots.choose_account,
        rpc.PLATFORM: platform.platform,
        rpc.SET_PLATFORM: platform.set_platform,
        rpc.USER_LIMITS: platform.user_limits,
        rpc.SET_USER_LIMITS: platform.set_user_limits,
        rpc.STRATEGIES: strategies.list,
    }
