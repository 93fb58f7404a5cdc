"""What a bot last said and how it stands: KV `bots`, `{bot}.status`, `.pnl` and `.signal`."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from libs.bus import Bus, Entry, Mirror, RevisionConflict
from libs.bus.topology import BOTS
from libs.contracts import keys
from libs.contracts.bots import BotSignal, BotStatus
from libs.contracts.ids import BotId
from libs.contracts.score import Score
from services.bot_runtime.status import says_the_same

T = TypeVar("T", bound=msgspec.Struct)


class Journals:
    """Everybody's, as last told: thousands of bots are recovered at once without asking for each."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._statuses: Mirror[BotStatus] | None = None
        self._scores: Mirror[Score] | None = None

    async def follow(self) -> None:
        """Current when it returns, and kept so until the bus is closed."""
        self._statuses = await self._bus.mirror(BOTS, keys.bot_status(keys.EVERY_BOT), BotStatus)
        self._scores = await self._bus.mirror(BOTS, keys.bot_score(keys.EVERY_BOT), Score)

    def status(self, bot: BotId) -> BotStatus | None:
        return self._statuses.get(keys.bot_status(bot)) if self._statuses is not None else None

    def of(self, bot: BotId) -> "Journal":
        """What was told a moment ago may be missing: writing then raises RevisionConflict, and it must be loaded."""
        status = self._statuses.entry(keys.bot_status(bot)) if self._statuses is not None else None
        score = self._scores.entry(keys.bot_score(bot)) if self._scores is not None else None
        return Journal(self._bus, bot, status, score)


class Journal:
    """One bot's. Written with revision checks, so that an owner that was replaced cannot overwrite its successor."""

    def __init__(
        self, bus: Bus, bot: BotId, status: Entry[BotStatus] | None = None, score: Entry[Score] | None = None
    ) -> None:
        self._bucket = bus.bucket(BOTS)
        self._bot = bot
        self._status = status
        self._score = score

    @property
    def status(self) -> BotStatus | None:
        return None if self._status is None else self._status.value

    @property
    def score(self) -> Score | None:
        return None if self._score is None else self._score.value

    @property
    def last_word(self) -> datetime | None:
        """When anything was written here; None if nothing was."""
        return max((entry.value.at for entry in (self._status, self._score) if entry is not None), default=None)

    async def load(self) -> None:
        self._status = await self._bucket.get(keys.bot_status(self._bot), BotStatus)
        self._score = await self._bucket.get(keys.bot_score(self._bot), Score)

    async def tell(self, status: BotStatus) -> None:
        """Raises RevisionConflict when somebody else told something since the last load or tell."""
        self._status = await self._write(keys.bot_status(self._bot), status, self._status)

    async def tell_anyway(self, status: BotStatus, owned: Callable[[], bool]) -> None:
        """For the bot's owner: the endpoints write a status too when they answer, and then its own is the newer."""
        try:
            await self.tell(status)
        except RevisionConflict:
            if not owned():
                raise
            self._status = await self._bucket.get(keys.bot_status(self._bot), BotStatus)
            if not says_the_same(self.status, status):
                await self.tell(status)

    async def count(self, score: Score) -> None:
        """Make the score durable; raises RevisionConflict when another owner counts."""
        self._score = await self._write(keys.bot_score(self._bot), score, self._score)

    async def follow(self, signal: BotSignal) -> None:
        await self._bucket.put(keys.bot_signal(self._bot), signal)

    async def _write(self, key: str, value: T, known: Entry[T] | None) -> Entry[T]:
        if known is None:
            revision = await self._bucket.create(key, value)
        else:
            revision = await self._bucket.update(key, value, known.revision)
        return Entry(key, value, revision, known.received if known is not None else 0.0)
