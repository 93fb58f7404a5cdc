"""Prices of all actives, in points inside and as decimals outside."""

from math import ceil
from typing import NamedTuple

from services.paper_broker.bars import Bar, Bars
from services.paper_broker.catalogue import Active
from services.paper_broker.epoch import TICKS_PER_SECOND, ticks_before
from services.paper_broker.freezes import KeptFreezes
from services.paper_broker.grid import Grid
from services.paper_broker.hours import hours, market_time
from services.paper_broker.series import Series, Source
from services.paper_broker.walk import Walk

_PIP_DIGITS = 2
"""A pip is this many digits coarser than the price."""


class Replayed(NamedTuple):
    source: Source
    precision: int


class Quote(NamedTuple):
    value: float
    """Mid: what options are opened and settled at."""
    bid: float
    ask: float


class Swing(NamedTuple):
    low: Quote
    high: Quote


class Running(NamedTuple):
    """A candle that has begun and has not ended."""

    number: int
    start: int
    """Epoch seconds."""
    bar: Bar


class _Candle(NamedTuple):
    """Where one lies in time."""

    number: int
    start: int
    end: int
    """Epoch seconds, like `start`."""
    opens: int
    """Tick of market time before which it has no price."""


class Market:
    def __init__(self, seed: int, freezes: KeptFreezes, replayed: dict[int, Replayed] | None = None) -> None:
        """Actives that are not `replayed` (by id) walk at random."""
        self._seed = seed
        self._freezes = freezes
        self._replayed = replayed or {}
        self._series: dict[int, Series] = {}
        self._candles: dict[tuple[int, int], _Candle] = {}
        """The last one that was asked for, by active and size."""
        self._precisions: dict[int, int] = {}

    def precision(self, active: Active) -> int:
        precision = self._precisions.get(active.id)
        if precision is None:
            replayed = self._replayed.get(active.id)
            precision = active.precision if replayed is None else replayed.precision
            self._precisions[active.id] = precision
        return precision

    def pip_scale(self, active: Active) -> int:
        """A pip is 10 to the power of minus this."""
        return max(self.precision(active) - _PIP_DIGITS, 0)

    def bars(self, active: Active, size: int, first: int, count: int) -> Bars:
        """Closed candles, from the one with the number `first` (grid.py)."""
        return self._of(active).bars(size, first, count)

    def running(self, active: Active, size: int, time: int) -> Running | None:
        """The candle that a time (epoch milliseconds) is in or ends; None if the market has not been open in it yet.

        Until the market opens again a candle that a closing cut short goes on without moving.
        """
        candle, tick = self._candle(active, size, (time - 1) // 1000), self._tick(active, time)
        if candle is None or tick <= candle.opens:
            return None
        return Running(candle.number, candle.start, self._of(active).running(size, candle.number, tick))

    def quote(self, active: Active, tick: int) -> Quote:
        """The last price when `tick` ticks of the epoch are over."""
        price = self._of(active).price(market_time(active.hours, tick, TICKS_PER_SECOND))
        return self.quoted(active, price)

    def swing(self, active: Active, since: int, until: int) -> Swing | None:
        """How far its price went after `since` ticks of the epoch, until and with `until`; None if it had none."""
        begin, end = (market_time(active.hours, tick, TICKS_PER_SECOND) for tick in (since, until))
        if begin == end:
            return None
        bar = self._of(active).over(begin, end)
        return Swing(self.quoted(active, bar.low), self.quoted(active, bar.high))

    def quoted(self, active: Active, points: int) -> Quote:
        scale, half = 10 ** self.precision(active), self.half_spread(active, points)
        return Quote(points / scale, (points - half) / scale, (points + half) / scale)

    def half_spread(self, active: Active, points: int) -> int:
        """Between mid and ask, and between mid and bid, at a price; all in points."""
        return ceil(points * active.terms.spread / 2)

    def price_at(self, active: Active, second: int) -> float:
        """What an option that expires at that epoch second is settled at: the close of the second before it."""
        return self.quote(active, second * TICKS_PER_SECOND).value

    def freeze(self, active: Active, now: int) -> bool:
        """From now (epoch milliseconds) on its price stands still, candles included; whether it moved until now."""
        return self._kept(active, self._of(active).freeze(self._tick(active, now)))

    def thaw(self, active: Active, now: int) -> bool:
        """Its price is again what it would be without the freeze; whether it stood still until now."""
        return self._kept(active, self._of(active).thaw(self._tick(active, now)))

    def frozen(self, active: Active) -> bool:
        """Whether its price stands still until it is thawed."""
        return self._of(active).freezes.endless

    def _kept(self, active: Active, changed: bool) -> bool:
        if changed:
            self._freezes.keep(active.id, self._of(active).freezes)
        return changed

    def _candle(self, active: Active, size: int, second: int) -> _Candle | None:
        """The one that an epoch second is in, if there is one."""
        candle = self._candles.get((active.id, size))
        if candle is None or not candle.start <= second < candle.end:
            grid = Grid(active.hours, size)
            number = grid.before(second + 1)
            start = grid.start(number)
            if start + size <= second:
                return None
            candle = _Candle(number, start, start + size, grid.opens(number) * TICKS_PER_SECOND)
            self._candles[active.id, size] = candle
        return candle

    def _tick(self, active: Active, time: int) -> int:
        return market_time(active.hours, ticks_before(time), TICKS_PER_SECOND)

    def _of(self, active: Active) -> Series:
        series = self._series.get(active.id)
        if series is None:
            freezes = self._freezes.of(active.id)
            series = Series(self._source(active), self._seed, active.id, active.hours, freezes)
            self._series[active.id] = series
        return series

    def _source(self, active: Active) -> Source:
        replayed = self._replayed.get(active.id)
        if replayed is not None:
            return replayed.source
        middle = active.price * 10.0**active.precision
        return Walk(self._seed, active.id, middle, active.volatility, hours(active.hours).length)
