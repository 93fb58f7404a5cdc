"""What everybody is told of the bots."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

from libs.bus import Bus
from libs.contracts import subjects
from libs.contracts.bots import BotConfig, BotSignal, BotStatus
from libs.contracts.rpc import START_BOT, STOP_BOT, Endpoint, OfBots, StartBot, StopBot
from libs.contracts.score import Score
from tests.messages import USER

_PATIENCE = 30.0
"""Seconds: nothing takes so long, but machines may be busy."""


class Observer:
    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.statuses: dict[str, list[BotStatus]] = defaultdict(list)
        self.scores: dict[str, list[Score]] = defaultdict(list)
        self.signals: dict[str, list[BotSignal]] = defaultdict(list)
        self._told = asyncio.Event()

    async def follow(self) -> None:
        """Every value, not only the last: as browsers are told."""
        await self.bus.subscribe(subjects.ALL_BOT_STATUSES, BotStatus, self._status_told)
        await self.bus.subscribe(subjects.ALL_BOT_SCORES, Score, self._score_told)
        await self.bus.subscribe(subjects.ALL_BOT_SIGNALS, BotSignal, self._signal_told)

    async def start_bot(self, user: str = USER, config: BotConfig | None = None) -> BotStatus:
        return await self.bus.call(START_BOT, StartBot(user=user, config=config or BotConfig()))

    async def stop_bot(self, user: str = USER) -> BotStatus:
        return await self.bus.call(STOP_BOT, StopBot(user=user))

    async def ask(self, endpoint: Endpoint[OfBots, BotStatus], user: str = USER) -> BotStatus:
        return await self.bus.call(endpoint, OfBots(user=user))

    def labels(self, user: str = USER) -> list[str]:
        return [status.label for status in self.statuses[user]]

    async def label(self, label: str, user: str = USER, timeout: float = _PATIENCE) -> BotStatus:
        """The last status, once it says so."""
        await self.until(lambda: self.labels(user)[-1:] == [label], timeout)
        return self.statuses[user][-1]

    async def score(self, sequence: int, user: str = USER, timeout: float = _PATIENCE) -> Score:
        """The score that counts so many orders."""
        await self.until(lambda: self.scores[user] and self.scores[user][-1].sequence >= sequence, timeout)
        return self.scores[user][-1]

    async def until(self, condition: Callable[[], object], timeout: float = _PATIENCE) -> None:
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            raise AssertionError(f"it did not happen; told: {self.labels()}, {self.scores[USER]}") from None

    async def _status_told(self, _: str, status: BotStatus) -> None:
        self.statuses[status.user].append(status)
        self._told.set()

    async def _score_told(self, _: str, pnl: Score) -> None:
        self.scores[pnl.user].append(pnl)
        self._told.set()

    async def _signal_told(self, _: str, signal: BotSignal) -> None:
        self.signals[signal.user].append(signal)
        self._told.set()
