"""A day of many bots while processes die: a real broker, bus and database, and every service twice or once.

The seed decides what dies when. Options last seconds, and the broker's time is everybody's.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from libs.bus import Bus, BusError
from libs.bus.topology import BOTS, ORDERS, TRADES
from libs.contracts import keys, subjects
from libs.contracts.bots import BotConfig, BotStatus
from libs.contracts.ids import BotId
from libs.contracts.orders import OrderRecord, OrderState, TradeClosed
from libs.contracts.rpc import CONNECT, START_BOT, STOP_BOT, ConnectSession, ErrorCode, RpcError, StartBot, StopBot
from libs.contracts.score import Score
from tests.chaos.book import Book
from tests.integration.nats_server import NatsServer
from tests.integration.paper_broker import PaperBroker
from tests.integration.service_process import ServiceProcess
from tests.integration.supabase_server import SupabaseServer

_FIRST_ACCOUNT = 8_000_000
_PAUSE = (1.0, 4.0)
"""Seconds between two deaths."""
_FROZEN = (4.0, 7.0)
"""Seconds for which a process stands still: longer than its lease."""
_SHORT = {"maxTimeframe": 5, "protections": {"assetHold": None}}
RULES: Sequence[dict[str, Any]] = (
    {"amount": 5, **_SHORT},
    {"amount": 2, "leverageEnabled": True, "leverage": 2, "maxMartingaleSteps": 3, **_SHORT},
    {"amount": 5, "stopLoss": 12, **_SHORT},
    {"amount": 3, "safetyStopEnabled": True, "safetyStop": 2, **_SHORT},
    {"amount": 12, "dailyGoalEnabled": True, "dailyGoal": 10, **_SHORT},
    {"amount": 4, "limits": {"maxTradesPerDay": 3}, **_SHORT},
    {"amount": 3, "maxOpenPositions": 3, "maxTimeframe": 10},
    {"amount": 2, "stakePlan": {"kind": "soros", "levels": 2}, **_SHORT},
    {"amount": 5, "maxOpenPositions": 3, "stopLoss": 33, **_SHORT},
    {"amount": 6, "limits": {"maxDrawdown": 16}, **_SHORT},
    {"amount": 2, "stakePlan": {"kind": "percent", "percent": "0.1"}, "limits": {"stopLossPercent": "0.25"}, **_SHORT},
)
"""Of the bots, in turn."""


@dataclass(frozen=True, slots=True)
class Player:
    user: str
    account: int
    config: BotConfig

    @property
    def bot(self) -> BotId:
        return BotId(self.user, self.config.account_type)


class Day:
    def __init__(
        self,
        bus: Bus,
        nats: NatsServer | None,
        broker: PaperBroker,
        database: SupabaseServer,
        processes: Sequence[ServiceProcess],
        seed: int,
    ) -> None:
        """`processes` may die at any time, and so may `nats`; the database is stopped, as for maintenance."""
        self._bus = bus
        self._nats = nats
        self._broker = broker
        self._database = database
        self._processes = processes
        self._chance = random.Random(seed)
        self._players: list[Player] = []
        self.deaths: list[str] = []

    async def begin(self, bots: int) -> None:
        players = []
        for number in range(bots):
            person = await self._database.sign_up()
            config = msgspec.convert(RULES[number % len(RULES)], BotConfig)
            players.append(Player(person.user, _FIRST_ACCOUNT + number, config))
        await self.join(players)

    async def join(self, players: Sequence[Player]) -> None:
        self._players += players
        await asyncio.gather(*map(self._start, players))

    async def trouble(self, seconds: float) -> None:
        """Something dies every few seconds, and is started again."""
        async with asyncio.timeout(seconds + 60):
            until = self._bus.clock.monotonic() + seconds
            while self._bus.clock.monotonic() < until:
                await asyncio.sleep(self._chance.uniform(*_PAUSE))
                await self._kill()

    async def calm(self, trades: int, patience: float = 60.0) -> None:
        """Nothing dies any more: returns when so many trades of the whole day have ended. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            while await self._trades() < trades:
                await asyncio.sleep(0.5)

    async def more(self, trades: int, patience: float = 90.0) -> float:
        """Returns when so many more have ended at the broker than until now; after how many seconds. Raises
        TimeoutError."""
        began, known = self._bus.clock.monotonic(), -1
        async with asyncio.timeout(patience):
            while True:
                now = sum([await self._ended(player) for player in self._players])
                known = now if known < 0 else known
                if now >= known + trades:
                    return self._bus.clock.monotonic() - began
                await asyncio.sleep(0.2)

    async def end(self, patience: float = 90.0) -> None:
        """Returns when every bot has stopped and the database knows every trade, or the patience is over:
        then `compare` tells what is missing."""
        with suppress(TimeoutError):
            await self._settle(patience)

    async def _settle(self, patience: float) -> None:
        async with asyncio.timeout(patience):
            await asyncio.gather(*map(self._stop, self._players))
            for player in self._players:
                while not await self._recorded(player):
                    await asyncio.sleep(0.2)

    async def compare(self) -> list[str]:
        """What does not agree or was against the rules, with the user's story."""
        found: list[str] = []
        for player in self._players:
            book = await self._book(player)
            if problems := "; ".join(book.problems()):
                found.append(f"{player.user} ({player.account}): {problems}\n{book.story()}")
        return found

    async def _ended(self, player: Player) -> int:
        return sum(position["status"] == "closed" for position in await self._broker.positions(player.account))

    async def _trades(self) -> int:
        return sum([len(await self._closed(player)) for player in self._players])

    async def _kill(self) -> None:
        number = self._chance.randrange(len(self._processes) + 2)
        if number > len(self._processes):
            self._tell("database stopped")
            self._database.stop()
            await asyncio.sleep(self._chance.uniform(*_FROZEN))
            await asyncio.to_thread(self._database.start)
            return
        if number == len(self._processes):
            self._tell("nats killed")
            assert self._nats is not None
            self._nats.kill()
            self._nats.start()
            return
        process = self._processes[number]
        if self._chance.random() < 0.3:
            self._tell(f"{process.module} {number} frozen")
            process.pause()
            await asyncio.sleep(self._chance.uniform(*_FROZEN))
            process.resume()
        else:
            self._tell(f"{process.module} {number} killed")
            await process.kill()
            await process.start()

    def _tell(self, death: str) -> None:
        self.deaths.append(f"{self._bus.clock.now():%H:%M:%S.%f} {death}")

    async def _start(self, player: Player) -> None:
        async def connect() -> None:
            await self._bus.call(CONNECT, ConnectSession(user=player.user, broker_user_id=str(player.account)))

        await _insist(connect)

        async def start() -> None:
            await self._bus.call(START_BOT, StartBot(user=player.user, config=player.config))

        await _insist(start, ErrorCode.ALREADY_RUNNING)

    async def _stop(self, player: Player) -> None:
        async def stop() -> None:
            await self._bus.call(STOP_BOT, StopBot(user=player.user))

        await _insist(stop, ErrorCode.NOT_RUNNING)
        while (status := await self._status(player)) is None or status.state.alive:
            await asyncio.sleep(0.2)

    async def _status(self, player: Player) -> BotStatus | None:
        try:
            entry = await self._bus.bucket(BOTS).get(keys.bot_status(player.bot), BotStatus)
        except BusError:
            return None
        return None if entry is None else entry.value

    async def _recorded(self, player: Player) -> bool:
        rows = await self._rows(player)
        closed = {row["external_id"] for row in rows if row["status"] == "closed"}
        booked = await self._broker.positions(player.account)
        return len(rows) == len(closed) and closed == {position["external_id"] for position in booked}

    async def _rows(self, player: Player) -> list[dict[str, Any]]:
        path = f"/rest/v1/trade_history?user_id=eq.{player.user}"
        rows: list[dict[str, Any]] = await self._database.as_service("GET", path)
        return rows

    async def _closed(self, player: Player) -> list[TradeClosed]:
        """Once each; a repetition that JetStream did not recognise has the same id."""
        since = self._bus.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        subject = subjects.trade(player.user, OrderState.CLOSED)
        events = await self._bus.past(TRADES, subject, TradeClosed, since)
        return list({event.id: event for event in events}.values())

    async def _book(self, player: Player) -> Book:
        records = await self._bus.bucket(ORDERS).entries(f"{player.user}.*", OrderRecord)
        score = await self._bus.bucket(BOTS).get(keys.bot_score(player.bot), Score)
        return Book(
            config=player.config,
            records=sorted((entry.value for entry in records), key=lambda record: record.order.sequence),
            positions=await self._broker.positions(player.account),
            balances=await self._broker.balances(player.account),
            ledger=await self._broker.ledger(player.account),
            closings=await self._closed(player),
            rows=await self._rows(player),
            score=None if score is None else score.value,
            status=await self._status(player),
        )


async def _insist(ask: Any, *good: ErrorCode) -> None:
    """Until it is done, or answered with an error that means the same."""
    while True:
        try:
            await ask()
        except RpcError as error:
            if error.code in good:
                return
            await asyncio.sleep(0.3)
        else:
            return
