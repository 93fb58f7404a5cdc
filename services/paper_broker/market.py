"""Prices of all actives, in points inside and as decimals outside."""

from math import ceil
from typing import NamedTuple

from services.paper_broker.bars import Bar, Bars
from services.paper_broker.catalogue import Active, Catalogue
from services.paper_broker.epoch import TICKS_PER_SECOND
from services.paper_broker.series import Series, Source
from services.paper_broker.walk import Walk


class Replayed(NamedTuple):
    source: Source
    precision: int


class Quote(NamedTuple):
    value: float
    """Mid: what options are opened and settled at."""
    bid: float
    ask: float


class Market:
    def __init__(self, catalogue: Catalogue, seed: int, replayed: dict[int, Replayed] | None = None) -> None:
        """Actives that are not `replayed` (by id) walk at random."""
        self._catalogue = catalogue
        self._seed = seed
        self._replayed = replayed or {}
        self._series: dict[int, Series] = {}

    def precision(self, active: Active) -> int:
        replayed = self._replayed.get(active.id)
        return active.precision if replayed is None else replayed.precision

    def bars(self, active: Active, size: int, first: int, count: int) -> Bars:
        """Closed candles, from the one that starts at `first * size`."""
        return self._of(active).bars(size, first, count)

    def running(self, active: Active, start: int, tick: int) -> Bar:
        """The candle from `start` on when `tick` ticks are over; at least one of them is in it."""
        return self._of(active).running(start, tick)

    def quote(self, active: Active, tick: int) -> Quote:
        """The last price when `tick` ticks are over."""
        return self.quoted(active, self._of(active).price(tick))

    def quoted(self, active: Active, points: int) -> Quote:
        scale = 10 ** self.precision(active)
        half = ceil(points * active.terms.spread / 2)
        return Quote(points / scale, (points - half) / scale, (points + half) / scale)

    def price_at(self, active: Active, second: int) -> float:
        """What an option that expires at that epoch second is settled at: the close of the second before it."""
        return self.quote(active, second * TICKS_PER_SECOND).value

    def _of(self, active: Active) -> Series:
        series = self._series.get(active.id)
        if series is None:
            series = self._series[active.id] = Series(self._source(active), self._seed, active.id)
        return series

    def _source(self, active: Active) -> Source:
        replayed = self._replayed.get(active.id)
        if replayed is not None:
            return replayed.source
        return Walk(self._seed, active.id, active.price * 10.0**active.precision, active.terms.volatility)
