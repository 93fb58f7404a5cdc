"""One active's prices at every scale, from ticks to months, all cut from the same cloth."""

from collections import OrderedDict
from typing import NamedTuple, Protocol

from services.paper_broker import noise
from services.paper_broker.bars import Bar, Bars, joined
from services.paper_broker.epoch import TICKS_PER_SECOND
from services.paper_broker.noise import Integers
from services.paper_broker.refine import refine, ticks

_KEPT_ROWS = 4


class Source(Protocol):
    """Where candles come from."""

    @property
    def base(self) -> int:
        """Seconds of its finest candle, a divisor of 60; what is finer is drawn inside it."""
        ...

    def bars(self, size: int, first: int, count: int) -> Bars:
        """Candles of `size` seconds, a multiple of `base`, from the one that starts at `first * size`."""
        ...

    def span(self, start: int, end: int) -> Bar:
        """One candle over [start, end), which are multiples of `base`."""
        ...


class _Row(NamedTuple):
    """The inside of one base candle."""

    seconds: Bars
    ticks: Integers


class Series:
    def __init__(self, source: Source, seed: int, active_id: int) -> None:
        self._source = source
        self._seconds_stream = noise.key(seed, active_id, "seconds")
        self._ticks_stream = noise.key(seed, active_id, "ticks")
        self._rows: OrderedDict[int, _Row] = OrderedDict()

    def bars(self, size: int, first: int, count: int) -> Bars:
        """Closed candles of any size, from the one that starts at `first * size`; count ≥ 1."""
        if size % self._source.base == 0:
            return self._source.bars(size, first, count)
        return self._seconds(first * size, count * size).grouped(size)

    def running(self, start: int, tick: int) -> Bar:
        """The candle from `start` (epoch seconds) on when `tick` ticks of the epoch are over; at least one is in it."""
        second, base = (tick - 1) // TICKS_PER_SECOND, self._source.base
        row_start = max(start, second // base * base)
        pieces = [self._source.span(start, row_start)] if row_start > start else []
        row = self._row(second // base)
        offset = second // base * base
        if second > row_start:
            pieces.append(row.seconds.part(row_start - offset, second - row_start).whole())
        prices = row.ticks[(second - offset) * TICKS_PER_SECOND : tick - offset * TICKS_PER_SECOND].tolist()
        pieces.append(Bar(prices[0], max(prices), min(prices), prices[-1]))
        return joined(pieces)

    def price(self, tick: int) -> int:
        """The last price when `tick` ticks of the epoch are over, in points."""
        row, offset = divmod(tick - 1, self._source.base * TICKS_PER_SECOND)
        return int(self._row(row).ticks[offset])

    def _seconds(self, first: int, count: int) -> Bars:
        base = self._source.base
        row, last = first // base, (first + count - 1) // base
        parents = self._source.bars(base, row, last - row + 1)
        return refine(parents, base, self._seconds_stream, row).part(first - row * base, count)

    def _row(self, index: int) -> _Row:
        """Kept, because every tick of a live market asks for the current one."""
        row = self._rows.get(index)
        if row is None:
            base = self._source.base
            seconds = self._seconds(index * base, base)
            row = self._rows[index] = _Row(seconds, ticks(seconds, self._ticks_stream, index * base))
            if len(self._rows) > _KEPT_ROWS:
                self._rows.popitem(last=False)
        return row
