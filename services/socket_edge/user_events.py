"""A user's trades, score and bot status, to the sockets of that user only."""

import asyncio
from collections import OrderedDict

import msgspec

from libs.bus import Bus
from libs.contracts import subjects
from libs.contracts.bots import BotStatus
from libs.contracts.clock import Clock
from libs.contracts.orders import TradeRecorded
from libs.contracts.score import Score
from services.socket_edge import events
from services.socket_edge.fanout import Fanout
from services.socket_edge.news import News
from services.socket_edge.sequence import Sequence

_REMEMBERED = 64


def room(user: str) -> str:
    return f"user:{user}"


class _Line:
    """What is on its way to one user."""

    def __init__(self) -> None:
        self.sequence = Sequence()
        self.timer: asyncio.TimerHandle | None = None
        self.seq = 0
        self._ids: OrderedDict[str, None] = OrderedDict()

    def repeated(self, id: str) -> bool:
        """Whether this message came before: delivery is at least once."""
        if id in self._ids:
            return True
        self._ids[id] = None
        if len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)
        return False


class UserEvents:
    """Users without a socket here cost nothing: what happens to them is dropped, they read the database later."""

    def __init__(self, fanout: Fanout, clock: Clock) -> None:
        self._fanout = fanout
        self._clock = clock
        self._lines: dict[str, _Line] = {}

    async def follow(self, bus: Bus) -> None:
        await bus.subscribe(subjects.ALL_LEDGER, TradeRecorded, self._on_ledger)
        await bus.subscribe(subjects.ALL_BOT_SCORES, Score, self._on_score)
        await bus.subscribe(subjects.ALL_BOT_STATUSES, BotStatus, self._on_status)

    def arrived(self, user: str) -> None:
        """The user has a socket here now."""
        self._lines.setdefault(user, _Line())

    def left(self, user: str) -> None:
        """The user's last socket here is gone."""
        line = self._lines.pop(user, None)
        if line is not None and line.timer is not None:
            line.timer.cancel()

    def connected(self, user: str, bot: BotStatus | None) -> None:
        """Their session to the broker is open. What a running bot does matters more, and is told again instead."""
        if bot is not None and bot.state.alive:
            self._add(user, "", events.of_status(bot))
        else:
            self._add(user, "", events.of_connection(user, self._clock.now()))

    async def _on_ledger(self, subject: str, recorded: TradeRecorded) -> None:
        news = events.of_ledger(recorded)
        if news is not None:
            self._add(_user(subject), recorded.id, news)

    async def _on_score(self, subject: str, score: Score) -> None:
        self._add(_user(subject), score.id, events.of_score(score))

    async def _on_status(self, subject: str, status: BotStatus) -> None:
        self._add(_user(subject), status.id, events.of_status(status))

    def _add(self, user: str, id: str, news: News) -> None:
        line = self._lines.get(user)
        if line is not None and not (id and line.repeated(id)):
            self._tell(user, line, line.sequence.add(news, self._clock.monotonic()))

    def _tell(self, user: str, line: _Line, told: list[News]) -> None:
        for news in told:
            for event, payload in news.events:
                # Milliseconds, so that it also grows from one process, or one visit, to the next.
                line.seq = max(line.seq + 1, int(self._clock.now().timestamp() * 1000))
                self._fanout.deliver_to_room(room(user), event, msgspec.structs.replace(payload, seq=line.seq))
        self._wait(user, line)

    def _wait(self, user: str, line: _Line) -> None:
        if line.timer is not None:
            line.timer.cancel()
            line.timer = None
        deadline = line.sequence.deadline
        if deadline is not None:
            delay = max(0.0, deadline - self._clock.monotonic())
            line.timer = asyncio.get_running_loop().call_later(delay, self._overdue, user, line)

    def _overdue(self, user: str, line: _Line) -> None:
        self._tell(user, line, line.sequence.due(self._clock.monotonic()))


def _user(subject: str) -> str:
    """The second token; only the service that tells of a user may publish there."""
    return subject.split(".")[1]
