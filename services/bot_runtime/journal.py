"""What a bot last said and how it stands: KV `bots`, `{user}.status`, `.pnl` and `.signal`."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from libs.bus import Bus, Entry, Mirror, RevisionConflict
from libs.bus.topology import BOTS
from libs.contracts.bots import BotSignal, BotStatus
from libs.contracts.score import Score
from services.bot_runtime.status import says_the_same

T = TypeVar("T", bound=msgspec.Struct)


def status_key(user: str) -> str:
    return f"{user}.status"


def score_key(user: str) -> str:
    return f"{user}.pnl"


class Journals:
    """Everybody's, as last told: thousands of bots are recovered at once without asking for each."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._statuses: Mirror[BotStatus] | None = None
        self._scores: Mirror[Score] | None = None

    async def follow(self) -> None:
        """Current when it returns, and kept so until the bus is closed."""
        self._statuses = await self._bus.mirror(BOTS, status_key("*"), BotStatus)
        self._scores = await self._bus.mirror(BOTS, score_key("*"), Score)

    def status(self, user: str) -> BotStatus | None:
        return self._statuses.get(status_key(user)) if self._statuses is not None else None

    def of(self, user: str) -> "Journal":
        """What was told a moment ago may be missing: writing then raises RevisionConflict, and it must be loaded."""
        status = self._statuses.entry(status_key(user)) if self._statuses is not None else None
        score = self._scores.entry(score_key(user)) if self._scores is not None else None
        return Journal(self._bus, user, status, score)


class Journal:
    """One user's. Written with revision checks, so that an owner that was replaced cannot overwrite its successor."""

    def __init__(
        self, bus: Bus, user: str, status: Entry[BotStatus] | None = None, score: Entry[Score] | None = None
    ) -> None:
        self._bucket = bus.bucket(BOTS)
        self._status_key, self._score_key, self._signal_key = status_key(user), score_key(user), f"{user}.signal"
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
        self._status = await self._bucket.get(self._status_key, BotStatus)
        self._score = await self._bucket.get(self._score_key, Score)

    async def tell(self, status: BotStatus) -> None:
        """Raises RevisionConflict when somebody else told something since the last load or tell."""
        self._status = await self._write(self._status_key, status, self._status)

    async def tell_anyway(self, status: BotStatus, owned: Callable[[], bool]) -> None:
        """For the bot's owner: the endpoints write a status too when they answer, and then its own is the newer."""
        try:
            await self.tell(status)
        except RevisionConflict:
            if not owned():
                raise
            self._status = await self._bucket.get(self._status_key, BotStatus)
            if not says_the_same(self.status, status):
                await self.tell(status)

    async def count(self, score: Score) -> None:
        """Make the score durable; raises RevisionConflict when another owner counts."""
        self._score = await self._write(self._score_key, score, self._score)

    async def follow(self, signal: BotSignal) -> None:
        await self._bucket.put(self._signal_key, signal)

    async def _write(self, key: str, value: T, known: Entry[T] | None) -> Entry[T]:
        if known is None:
            revision = await self._bucket.create(key, value)
        else:
            revision = await self._bucket.update(key, value, known.revision)
        return Entry(key, value, revision, known.received if known is not None else 0.0)
