"""One user's events, in the order and with the numbers that every edge gives them.

Both follow from the stored messages alone (stream NEWS): what an edge tells now, another one tells again from the
stream to a client that comes back there. A message's number in the stream, times SLOTS, is the `seq` of its first
event; what was held until that message came follows in the slots behind it.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
import structlog

from libs.bus import Stored
from libs.contracts import subjects
from libs.contracts.account import Balances, SessionState, SessionStatus
from libs.contracts.bots import BotSignal, BotStatus
from libs.contracts.codec import decode
from libs.contracts.crm.notices import Notice
from libs.contracts.orders import TradeRecorded
from libs.contracts.score import Score
from services.socket_edge import events
from services.socket_edge.emissions import Emission
from services.socket_edge.news import News
from services.socket_edge.payloads import Event
from services.socket_edge.sequence import Sequence

T = TypeVar("T")

log = structlog.get_logger()

SLOTS = 64
_REMEMBERED = 64
_TYPES: dict[str, type[msgspec.Struct]] = {
    subjects.NEWS_TRADE: TradeRecorded,
    subjects.NEWS_STATUS: BotStatus,
    subjects.NEWS_SCORE: Score,
    subjects.NEWS_SIGNAL: BotSignal,
    subjects.NEWS_SESSION: SessionStatus,
    subjects.NEWS_BALANCE: Balances,
    subjects.NEWS_NOTICE: Notice,
}


@dataclass(frozen=True, slots=True)
class Told:
    emission: Emission
    payload: Event

    @property
    def seq(self) -> int:
        return self.payload.seq


class Line:
    def __init__(self, bot: Callable[[], BotStatus | None]) -> None:
        """`bot`: the user's bot, as it is shown now."""
        self.read = 0
        """Number of the last message."""
        self.latest: dict[object, Any] = {}
        """The last of each kind of state that it was given; by type, and account where each has its own."""
        self._bot = bot
        self._sequence = Sequence()
        self._seq = 0
        self._last: dict[str, int] = {}
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, stored: Stored) -> list[Told]:
        """What may be told now."""
        self.read = stored.sequence
        told = self._sequence.due(stored.at)
        news = self._news(stored)
        if news is not None:
            told += self._sequence.add(replace(news, number=stored.sequence), stored.at)
        return self._numbered(told)

    def due(self, now: float) -> list[Told]:
        """What waited long enough. `now`: epoch seconds, by the server's clock."""
        return self._numbered(self._sequence.due(now))

    @property
    def deadline(self) -> float | None:
        return self._sequence.deadline

    def covered(self, position: int) -> int:
        """Up to this `seq` everything was told, when all messages up to that number were added."""
        held = self._sequence.first
        return max(self._seq, (position + 1) * SLOTS - 1 if held is None else held * SLOTS - 1)

    def _news(self, stored: Stored) -> News | None:
        kind = _TYPES.get(stored.subject.rsplit(".", 1)[1])
        if kind is None or not stored.data:
            return None
        try:
            message = decode(stored.data, kind)
        except msgspec.DecodeError as error:
            log.error("undecodable_message", subject=stored.subject, error=str(error))
            return None
        return self._of(message)

    def _of(self, message: msgspec.Struct) -> News | None:
        match message:
            case TradeRecorded():
                return None if self._repeated(message.id) else events.of_ledger(message)
            case BotStatus():
                self.latest[BotStatus, message.config.account_type] = message
                return events.of_status(message)
            case Score():
                self.latest[Score, message.account_type] = message
                return events.of_score(message)
            case BotSignal():
                return events.of_signal(message)
            case Balances():
                self.latest[Balances] = message
                return events.of_balances(message)
            case Notice():
                return None if self._repeated(message.id) else events.of_notice(message)
            case SessionStatus():
                self.latest[SessionStatus] = message
                return self._of_session(message)
            case _:
                return None

    def _of_session(self, session: SessionStatus) -> News | None:
        """What a running bot does matters more than that its user is connected, and is told again instead."""
        if session.state is not SessionState.CONNECTED:
            return None
        bot = self._bot()
        if bot is not None and bot.state.alive:
            return News(events.of_status(bot).events)
        return events.of_connection(session.user, session.at)

    def _repeated(self, id: str) -> bool:
        """Whether this message came before: delivery is at least once."""
        if id in self._ids:
            return True
        self._ids[id] = None
        if len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)
        return False

    def _numbered(self, told: list[News]) -> list[Told]:
        return [self._number(news.number, emission, event) for news in told for emission, event in news.events]

    def _number(self, number: int, emission: Emission, event: Event) -> Told:
        self._seq = max(self._seq + 1, number * SLOTS)
        before = self._last.get(emission.namespace, 0)
        self._last[emission.namespace] = self._seq
        return Told(emission, msgspec.structs.replace(event, seq=self._seq, prev_seq=before))
