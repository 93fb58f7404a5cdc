"""Where the parts of the gateway meet."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import aiohttp

from libs.bus import Entry
from libs.bus.topology import (
    ACCOUNTS,
    ALERTS,
    CATALOGUE,
    DESIRED,
    FEEDS,
    LEASES,
    MARKET,
    ORDERS,
    SESSIONS,
    TRADES,
)
from libs.contracts.market import Catalogue
from libs.contracts.orders import OptionKind
from libs.service import Service
from services.broker_gateway.broker import Listener
from services.broker_gateway.market import CATALOGUE_KEY, MarketDesk
from services.broker_gateway.quadcode import Credentials, QuadcodeConnection, dialer
from services.broker_gateway.quadcode_market import QuadcodeMarket
from services.broker_gateway.rpc import Desk
from services.broker_gateway.sessions import Sessions
from services.broker_gateway.settings import Settings
from services.broker_gateway.ssid import SessionIds
from services.broker_gateway.ssid_desk import SsidDesk
from services.broker_gateway.users import BrokerUsers
from services.broker_gateway.vault import Vault


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    bus, clock, chance = service.bus, service.clock, random.Random()  # noqa: S311 - jitter, no secret
    await bus.ensure(MARKET, TRADES, ALERTS, ACCOUNTS, DESIRED, ORDERS, FEEDS, CATALOGUE, LEASES, SESSIONS)
    payouts: dict[int, int] = {}

    def catalogue_changed(_key: str, entry: Entry[Catalogue] | None) -> None:
        payouts.clear()
        for active in entry.value.actives if entry else ():
            blitz = active.option(OptionKind.BLITZ)
            if blitz is not None and blitz.payout is not None:
                payouts[active.id] = blitz.payout

    await bus.mirror(CATALOGUE, CATALOGUE_KEY, Catalogue, catalogue_changed)
    async with aiohttp.ClientSession() as http:
        token = settings.broker_api_token.get_secret_value()
        vault = Vault(bus, settings.vault_keys(), settings.session_validity)
        ids = SessionIds(bus, http, settings.broker_session_url, token, vault, chance, settings.session_validity)
        await ids.follow()
        dial = dialer(settings.broker_ws_url, settings.broker_platform_id, clock, chance.random)

        def connect(broker_user_id: str, listener: Listener, since: datetime | None) -> QuadcodeConnection:
            return QuadcodeConnection(dial, Credentials(ids, broker_user_id, since), listener, payouts.get)

        def connect_market() -> QuadcodeMarket:
            return QuadcodeMarket(dial, Credentials(ids, settings.broker_system_user_id), settings.broker_api_host)

        market = MarketDesk(bus, connect_market)
        sessions = Sessions(bus, connect, timedelta(seconds=settings.order_grace))
        await sessions.start()
        service.background(market.run(), "market")
        service.background(sessions.run(), "sessions")
        users_token = settings.broker_users_token or settings.broker_api_token
        users = BrokerUsers(http, settings.broker_users_url, users_token.get_secret_value())
        desk = Desk(bus, ids, settings.broker_system_user_id, users, sessions.users_of)
        ssid_desk = SsidDesk(
            bus, ids, vault, settings.session_validity, settings.broker_system_user_id, sessions.users_of
        )
        await desk.start()
        await ssid_desk.start()
        yield
        await ssid_desk.stop()
        await desk.stop()
