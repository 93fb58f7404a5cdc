"""Candle history as the broker answers it (quadcode-protocol §11.1, §11.2, §11.4)."""

from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from libs.contracts.market import CANDLE_SIZES
from services.paper_broker.catalogue import Active, Catalogue
from services.paper_broker.errors import invalid
from services.paper_broker.grid import Grid
from services.paper_broker.market import Market, Running

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
    backoff: int | None = None
    kind: str | None = None
    split_normalization: bool = False
    """These three change nothing: there is one price, without pauses to wait for and without splits."""


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


class _Range(NamedTuple):
    """Numbers of candles, `last` included."""

    first: int
    last: int


class History:
    def __init__(self, catalogue: Catalogue, market: Market) -> None:
        self._catalogue = catalogue
        self._market = market

    def candles(self, query: CandleQuery, now: int) -> list[Candle]:
        """Ascending and without holes; `now` in epoch milliseconds. Raises Refused (4220)."""
        active = self._validated(query, now // 1000)
        grid = Grid(active.hours, query.size)
        ended = grid.before(now // 1000 - query.size + 1)
        running = self._running(active, query, now, ended)
        wanted = _wanted(query, grid, ended + len(running))
        closed = _Range(max(wanted.first, 1), min(wanted.last, ended))
        candles = self._closed(active, grid, closed) if closed.first <= closed.last else []
        return candles + [candle for candle in running if wanted.first <= candle.id <= wanted.last]

    def first(self, active_id: int) -> dict[str, Candle]:
        """The oldest candle of every size, by size. Raises Refused (4220)."""
        active = self._catalogue.get(active_id)
        if active is None:
            raise invalid("active_id", "unknown active")
        return {str(size): self._closed(active, Grid(active.hours, size), _Range(1, 1))[0] for size in CANDLE_SIZES}

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

    def _closed(self, active: Active, grid: Grid, numbers: _Range) -> list[Candle]:
        bars = self._market.bars(active, grid.size, numbers.first, numbers.last - numbers.first + 1)
        scale = 10 ** self._market.precision(active)
        columns = ((column / scale).tolist() for column in (bars.open, bars.close, bars.low, bars.high))
        return [
            Candle(number, start := grid.start(number), start + grid.size, *prices)
            for number, prices in enumerate(zip(*columns, strict=True), numbers.first)
        ]

    def _running(self, active: Active, query: CandleQuery, now: int, ended: int) -> list[Candle]:
        """One or none; never one of a second, which the platform does not show before it is over."""
        if query.size == 1 or query.only_closed:
            return []
        running = self._market.running(active, query.size, now)
        if running is None or running.number <= ended:
            return []
        return [written(running, query.size, now * 1_000_000, 10 ** self._market.precision(active))]


def written(running: Running, size: int, at: int, scale: int) -> Candle:
    """`at` in epoch nanoseconds."""
    number, start, bar = running
    prices = (bar.open / scale, bar.close / scale, bar.low / scale, bar.high / scale)
    return Candle(number, start, start + size, *prices, at=at)


def _wanted(query: CandleQuery, grid: Grid, newest: int) -> _Range:
    """What is asked for, capped; `newest` is the last one that may be shown."""
    if query.from_id is not None or query.to_id is not None:
        return _by_id(query, newest)
    count = query.count or MAX_COUNT
    last = newest if query.to is None else min(grid.before(query.to + 1), newest)
    if query.from_ is not None:
        first = grid.before(query.from_) + 1
        return _Range(first, min(last, first + count - 1))
    return _Range(last - count + 1, last)


def _by_id(query: CandleQuery, newest: int) -> _Range:
    if query.from_id is None:
        last = newest if query.to_id is None else min(query.to_id, newest)
        return _Range(last - MAX_COUNT + 1, last)
    last = query.from_id + MAX_COUNT - 1 if query.to_id is None else query.to_id
    return _Range(query.from_id, min(last, newest))
