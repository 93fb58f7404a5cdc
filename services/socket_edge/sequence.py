"""The order in which one user hears of their trades.

The ledger, a bot's score and its status come from two services over separate paths. Of each closed trade, clients need
the trade (its row is committed), then the score, then the status (api-contract §8.1). What comes early is held, but
never longer than two seconds; everything else keeps its place in the queue behind it.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass

from services.socket_edge.news import News, Step

PATIENCE = 2.0
"""Seconds."""
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class _Held:
    news: News
    deadline: float


class Sequence:
    """Of one user. Times are seconds, by the clock of the server that stored the messages: so it is the same order
    whoever reads them, and whenever."""

    def __init__(self) -> None:
        self._queue: deque[_Held] = deque()
        self._seen: OrderedDict[tuple[str, Step], None] = OrderedDict()

    def add(self, news: News, now: float) -> list[News]:
        """What may be told now. Of what is held, `due` must be asked first: whose wait is over does not wait on."""
        if news.order_id:
            self._seen[news.order_id, news.step] = None
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        self._queue.insert(self._place(news), _Held(news, now + PATIENCE))
        return self.due(now)

    def due(self, now: float) -> list[News]:
        """What may be told now, because it came or because the wait is over."""
        told = []
        while self._queue and (self._queue[0].deadline <= now or self._complete(self._queue[0].news)):
            told.append(self._queue.popleft().news)
        return told

    @property
    def first(self) -> int | None:
        """The lowest number of what is held."""
        return min((held.news.number for held in self._queue), default=None)

    @property
    def deadline(self) -> float | None:
        """When `due` should be asked again; None when nothing is held."""
        return self._queue[0].deadline if self._queue else None

    def _place(self, news: News) -> int:
        """Before later steps of the same trade, else at the end."""
        for place, held in enumerate(self._queue):
            if news.order_id and held.news.order_id == news.order_id and held.news.step > news.step:
                return place
        return len(self._queue)

    def _complete(self, news: News) -> bool:
        return not news.order_id or all((news.order_id, step) in self._seen for step in Step if step < news.step)
