"""Candle history as the broker answers it (quadcode-protocol §11.1, §11.2, §11.4)."""

from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from libs.contracts.market import CANDLE_SIZES
from services.paper_broker.bars import Bar, Bars
from services.paper_broker.catalogue import Active, Catalogue
from services.paper_broker.epoch import TICKS_PER_SECOND, candle_id, first_slot, slot_of, ticks_before
from services.paper_broker.errors import invalid
from services.paper_broker.market import Market

MAX_COUNT = 1000
MAX_IDS = 1001


class CandleQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `quotes-history.get-candles`; bounds are inclusive and in epoch seconds."""

    active_id: int
    size: int
    from_: int | None = msgspec.field(default=None, name="from")
    to: int | None = None
    from_id: int | None = None
    to_id: int | None = None
    count: int | None = None
    only_closed: bool = False


class Candle(msgspec.Struct, frozen=True):
    id: int
    from_: int = msgspec.field(name="from")
    to: int
    open: float
    close: float
    min: float
    max: float
    volume: int = 0
    at: int | UnsetType = UNSET
    """Epoch nanoseconds of the last update; only a running candle has it."""


class _Slots(NamedTuple):
    """A range of candle slots, `last` included."""

    first: int
    last: int


class History:
    def __init__(self, catalogue: Catalogue, market: Market) -> None:
        self._catalogue = catalogue
        self._market = market

    def candles(self, query: CandleQuery, now: int) -> list[Candle]:
        """Ascending and without holes; `now` in epoch milliseconds. Raises Refused (4220)."""
        active = self._validated(query, now // 1000)
        size, current = query.size, now // 1000 // query.size
        running = size > 1 and not query.only_closed
        wanted = _wanted(query, current if running else current - 1)
        closed = _Slots(max(wanted.first, first_slot(size)), min(wanted.last, current - 1))
        candles = self._closed(active, size, closed) if closed.first <= closed.last else []
        if wanted.first <= current <= wanted.last and running:
            candles += self._running(active, size, current, now)
        return candles

    def first(self, active_id: int) -> dict[str, Candle]:
        """The oldest candle of every size, by size. Raises Refused (4220)."""
        active = self._catalogue.get(active_id)
        if active is None:
            raise invalid("active_id", "unknown active")
        return {
            str(size): self._closed(active, size, _Slots(first_slot(size), first_slot(size)))[0]
            for size in CANDLE_SIZES
        }

    def _validated(self, query: CandleQuery, now: int) -> Active:
        active = self._catalogue.get(query.active_id)
        if active is None:
            raise invalid("active_id", "unknown active")
        if query.size not in CANDLE_SIZES:
            raise invalid("size", f"must be one of {', '.join(map(str, CANDLE_SIZES))}")
        if query.count is not None and query.count > MAX_COUNT:
            raise invalid("count", f"must be less than or equal to {MAX_COUNT}")
        if query.count is not None and query.count < 1:
            raise invalid("count", "must be greater than or equal to 1")
        if query.from_ is not None and query.from_ > now:
            raise invalid("from", ["from must not be in the future"])
        if query.from_id is not None and query.to_id is not None and query.to_id - query.from_id >= MAX_IDS:
            raise invalid("to_id", f"must be less than from_id + {MAX_IDS}")
        return active

    def _closed(self, active: Active, size: int, slots: _Slots) -> list[Candle]:
        bars = self._market.bars(active, size, slots.first, slots.last - slots.first + 1)
        return self._written(active, size, slots.first, bars)

    def _written(self, active: Active, size: int, first: int, bars: Bars) -> list[Candle]:
        scale = 10 ** self._market.precision(active)
        columns = ((column / scale).tolist() for column in (bars.open, bars.close, bars.low, bars.high))
        return [
            Candle(candle_id(size, slot), slot * size, slot * size + size, *prices)
            for slot, prices in enumerate(zip(*columns, strict=True), first)
        ]

    def _running(self, active: Active, size: int, slot: int, now: int) -> list[Candle]:
        tick = ticks_before(now)
        if tick <= slot * size * TICKS_PER_SECOND:
            return []
        bar = self._market.running(active, slot * size, tick)
        return [written(bar, size, slot, now * 1_000_000, 10 ** self._market.precision(active))]


def written(bar: Bar, size: int, slot: int, at: int, scale: int) -> Candle:
    """A running candle; `at` in epoch nanoseconds."""
    prices = (bar.open / scale, bar.close / scale, bar.low / scale, bar.high / scale)
    return Candle(candle_id(size, slot), slot * size, slot * size + size, *prices, at=at)


def _wanted(query: CandleQuery, newest: int) -> _Slots:
    """The slots asked for, capped; `newest` is the last one that may be shown."""
    size = query.size
    if query.from_id is not None or query.to_id is not None:
        return _by_id(query, newest)
    count = query.count or MAX_COUNT
    last = newest if query.to is None else min(query.to // size, newest)
    if query.from_ is not None:
        first = max(-(-query.from_ // size), first_slot(size))
        return _Slots(first, min(last, first + count - 1))
    return _Slots(last - count + 1, last)


def _by_id(query: CandleQuery, newest: int) -> _Slots:
    size = query.size
    if query.from_id is None:
        last = newest if query.to_id is None else min(slot_of(size, query.to_id), newest)
        return _Slots(last - MAX_COUNT + 1, last)
    first = slot_of(size, query.from_id)
    last = first + MAX_COUNT - 1 if query.to_id is None else slot_of(size, query.to_id)
    return _Slots(first, min(last, newest))
