"""The gateway's own connections against a real paper broker, which brings every situation about."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp

from libs.bus import Bus
from libs.contracts.account import AccountType
from libs.contracts.market import Feed
from libs.contracts.orders import OptionKind, Order
from services.broker_gateway.quadcode import Credentials, Dial, QuadcodeConnection, dialer
from services.broker_gateway.quadcode_market import QuadcodeMarket
from services.broker_gateway.ssid import SessionIds
from services.broker_gateway.vault import Vault
from services.paper_broker.faults import (
    DropBeforeReply,
    DropConnections,
    RefuseLogin,
    RejectOrder,
    SuspendActive,
)
from tests.integration.broker_port.venue import Witness, ordinary
from tests.integration.nats_server import eventually
from tests.integration.paper_broker import PaperBroker

ACCOUNT = 5150
SEED = {
    "accounts": [
        {
            "id": ACCOUNT,
            "email": "trader@paper.invalid",
            "balances": [{"type": "demo", "amount": 10000}, {"type": "real", "amount": 500}],
        }
    ]
}
"""Accounts of the paper broker."""
_KEY = bytes(range(32))
_PERIODS = {OptionKind.TURBO: 60, OptionKind.BINARY: 900, OptionKind.DIGITAL: 60}
_ORDERS = (
    "binary-options.open-option",
    "digital-options.place-digital-option",
    "binary-options.sell-options",
    "digital-options.close-position",
)


class QuadcodeVenue:
    def __init__(self, paper: PaperBroker, dial: Dial, ids: SessionIds) -> None:
        self._paper = paper
        self._dial = dial
        self._ids = ids
        self.witness = Witness()
        self.account = str(ACCOUNT)
        self.broker = self.connection(self.account, self.witness)
        self.demo = self.real = 0

    async def open(self) -> None:
        await self.broker.open()
        balances = {balance.type: balance.id for balance in self.witness.balances[-1]}
        self.demo, self.real = balances[AccountType.DEMO], balances[AccountType.REAL]

    def connection(self, account: str, listener: Witness) -> QuadcodeConnection:
        return QuadcodeConnection(self._dial, Credentials(self._ids, account), listener, lambda _: 82)

    async def order(self, kind: OptionKind, **changes: Any) -> Order:
        if kind is not OptionKind.BLITZ:
            period = _PERIODS[kind]
            at = (int(self.broker.now().timestamp()) // period + 2) * period
            changes = {"option": kind, "expiration": datetime.fromtimestamp(at, UTC)} | changes
        return ordinary(**({"stake": Decimal(10)} | changes))

    async def booked(self) -> int:
        return len(await self._paper.positions(ACCOUNT))

    async def withdraw_offer(self, order: Order) -> None:
        await self._paper.inject(SuspendActive(active=order.active_id))

    async def refuse_next(self) -> None:
        await self._paper.inject(RejectOrder(user=ACCOUNT))

    async def lose_next_answer(self) -> None:
        for request in _ORDERS:
            await self._paper.inject(DropBeforeReply(user=ACCOUNT, request=request))

    async def refuse_log_ins(self) -> None:
        await self._paper.inject(RefuseLogin(user=ACCOUNT, count=100))

    async def drop(self) -> None:
        await self._paper.inject(DropConnections(user=ACCOUNT))

    async def cut(self) -> None:
        await self._paper.kill()
        await eventually(lambda: self.witness.links[-1:] == [False])


class QuadcodeMarketVenue:
    def __init__(self, paper: PaperBroker, dial: Dial, ids: SessionIds) -> None:
        self._paper = paper
        self.market = QuadcodeMarket(dial, Credentials(ids, str(ACCOUNT)), paper.api_url)
        self.feed = Feed(76, 1)

    async def drop(self) -> None:
        await self._paper.inject(DropConnections(user=ACCOUNT))

    async def cut(self) -> None:
        await self._paper.kill()

    async def suspend(self, active_id: int) -> None:
        await self._paper.inject(SuspendActive(active=active_id))


@asynccontextmanager
async def quadcode_venue(bus: Bus, paper: PaperBroker) -> AsyncIterator[QuadcodeVenue]:
    async with _parts(bus, paper) as (dial, ids):
        venue = QuadcodeVenue(paper, dial, ids)
        await venue.open()
        yield venue
        await venue.broker.close()


@asynccontextmanager
async def quadcode_market_venue(bus: Bus, paper: PaperBroker) -> AsyncIterator[QuadcodeMarketVenue]:
    async with _parts(bus, paper) as (dial, ids):
        venue = QuadcodeMarketVenue(paper, dial, ids)
        await venue.market.open()
        yield venue
        await venue.market.close()


@asynccontextmanager
async def _parts(bus: Bus, paper: PaperBroker) -> AsyncIterator[tuple[Dial, SessionIds]]:
    async with aiohttp.ClientSession() as http:
        chance, day = random.Random(1), timedelta(days=1).total_seconds()
        ids = SessionIds(bus, http, paper.session_url, paper.api_token, Vault(bus, (_KEY,), day), chance, day)
        yield dialer(paper.ws_url, 82, bus.clock, chance.random), ids
