"""One active's prices at every scale, from ticks to months, all cut from the same cloth.

Ticks are those of market time (hours.py), counted from the beginning of history; candles have the numbers of grid.py.
"""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from typing import NamedTuple, Protocol

import numpy as np

from services.paper_broker import noise
from services.paper_broker.bars import Bar, Bars, joined
from services.paper_broker.epoch import DAY, HALF_HOUR, TICKS_PER_SECOND
from services.paper_broker.freezes import Freezes
from services.paper_broker.grid import Grid
from services.paper_broker.hours import Place, hours
from services.paper_broker.noise import Integers
from services.paper_broker.refine import refine, ticks

_KEPT_ROWS = 4


class Source(Protocol):
    """Where candles come from; times are market time."""

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


class _Seen(NamedTuple):
    """A running candle as it was last asked for."""

    number: int
    tick: int
    bar: Bar


class Series:
    def __init__(
        self,
        source: Source,
        seed: int,
        active_id: int,
        place: Place = Place.ALWAYS,
        freezes: Freezes | None = None,
    ) -> None:
        self.freezes = freezes or Freezes()
        self._source = source
        self._place = place
        self._row_ticks = source.base * TICKS_PER_SECOND
        self._seconds_stream = noise.key(seed, active_id, "seconds")
        self._ticks_stream = noise.key(seed, active_id, "ticks")
        self._rows: OrderedDict[int, Integers] = OrderedDict()
        self._seen: dict[int, _Seen] = {}

    def bars(self, size: int, first: int, count: int) -> Bars:
        """Closed candles of any size, from the one with the number `first`; count ≥ 1."""
        bars = self._even(size, first - 1, count) if HALF_HOUR % size == 0 else self._uneven(size, first, count)
        return self._frozen(bars, size, first) if self.freezes else bars

    def running(self, size: int, number: int, tick: int) -> Bar:
        """A candle as it is when `tick` ticks are over; at least one of them is in it."""
        seen = self._seen.get(size)
        if seen is None or seen.number != number or seen.tick > tick:
            bar = self.over(Grid(self._place, size).opens(number) * TICKS_PER_SECOND, tick)
        elif seen.tick < tick:
            bar = joined((seen.bar, self.over(seen.tick, tick)))
        else:
            return seen.bar
        self._seen[size] = _Seen(number, tick, bar)
        return bar

    def price(self, tick: int) -> int:
        """The last price when `tick` ticks are over, in points."""
        row, offset = divmod(self.freezes.held(tick) - 1, self._row_ticks)
        return int(self._row(row)[offset])

    def over(self, begin: int, end: int) -> Bar:
        """One candle over the ticks [begin, end)."""
        if not self.freezes:
            return self._moving(begin, end)
        pieces = []
        for since, until in self.freezes.within(begin, end):
            if since > begin:
                pieces.append(self._moving(begin, since))
            price = self.price(since)
            pieces.append(Bar(price, price, price, price))
            begin = until
        if end > begin:
            pieces.append(self._moving(begin, end))
        return joined(pieces)

    def freeze(self, tick: int) -> bool:
        """The price stands still after `tick`; whether it moved before."""
        self._seen.clear()
        return self.freezes.begin(tick)

    def thaw(self, tick: int) -> bool:
        """The price moves on after `tick`, from where it would be without the freeze; whether it stood still before."""
        self._seen.clear()
        return self.freezes.end(tick)

    def _even(self, size: int, first: int, count: int) -> Bars:
        """Candles that a session is a multiple of."""
        if size % self._source.base == 0:
            return self._source.bars(size, first, count)
        return self._seconds(first * size, count * size).grouped(size)

    def _uneven(self, size: int, first: int, count: int) -> Bars:
        """Candles some of which a closing cuts short."""
        grid = Grid(self._place, size)
        unit = HALF_HOUR if size % DAY else hours(self._place).length
        begins = np.array([grid.opens(number) // unit for number in range(first, first + count + 1)])
        units = self._source.bars(unit, int(begins[0]), int(begins[-1] - begins[0]))
        return units.cut(begins[:-1] - begins[0])

    def _frozen(self, bars: Bars, size: int, first: int) -> Bars:
        """The same candles as they were shown, with the price standing still for part of them."""
        grid = Grid(self._place, size)
        begins = [grid.opens(number) * TICKS_PER_SECOND for number in range(first, first + bars.length + 1)]
        columns = [column.copy() for column in bars]
        for since, until in self.freezes.within(begins[0], begins[-1]):
            for index in range(bisect_right(begins, since) - 1, bisect_left(begins, until)):
                for column, price in zip(columns, self.over(begins[index], begins[index + 1]), strict=True):
                    column[index] = price
        return Bars(*columns)

    def _moving(self, begin: int, end: int) -> Bar:
        """As if nothing were frozen."""
        row = begin // self._row_ticks
        if end <= (row + 1) * self._row_ticks:
            return self._within(row, begin, end)
        head, tail = -(-begin // self._row_ticks), end // self._row_ticks
        pieces = [self._within(head - 1, begin, head * self._row_ticks)] if begin % self._row_ticks else []
        if tail > head:
            pieces.append(self._source.span(head * self._source.base, tail * self._source.base))
        if end % self._row_ticks:
            pieces.append(self._within(tail, tail * self._row_ticks, end))
        return joined(pieces)

    def _within(self, row: int, begin: int, end: int) -> Bar:
        """One candle over ticks of one row."""
        offset = row * self._row_ticks
        prices = self._row(row)[begin - offset : end - offset].tolist()
        return Bar(prices[0], max(prices), min(prices), prices[-1])

    def _seconds(self, first: int, count: int) -> Bars:
        base = self._source.base
        row, last = first // base, (first + count - 1) // base
        parents = self._source.bars(base, row, last - row + 1)
        return refine(parents, base, self._seconds_stream, row).part(first - row * base, count)

    def _row(self, index: int) -> Integers:
        """The ticks of one base candle; kept, because every tick of a live market asks for the current one."""
        row = self._rows.get(index)
        if row is None:
            base = self._source.base
            row = self._rows[index] = ticks(self._seconds(index * base, base), self._ticks_stream, index * base)
            if len(self._rows) > _KEPT_ROWS:
                self._rows.popitem(last=False)
        return row
