"""Candles: history and the running one (quadcode-protocol §11)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from msgspec import UNSET, Struct, UnsetType, field

from libs.quadcode.declarations import Call, Channel, Listener, Subscription, Topic
from libs.quadcode.epoch import NANOSECONDS
from libs.quadcode.streams import Conflated

SIZES = (
    1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 604800, 2592000,
)  # fmt: skip
"""Seconds (§11.1)."""
MOST = 1000
"""Candles in one answer by time; by ids it is one more."""

_WAITING = 64


class GetCandles(Struct, frozen=True, kw_only=True):
    """Bounds are inclusive; what is not set is left out."""

    active_id: int
    size: int
    """Seconds; one of SIZES."""
    from_: int | UnsetType = field(default=UNSET, name="from")
    """Epoch seconds: the candle starts then or later. The oldest come first."""
    to: int | UnsetType = UNSET
    """Epoch seconds: the candle starts then or earlier."""
    from_id: int | UnsetType = UNSET
    to_id: int | UnsetType = UNSET
    count: int | UnsetType = UNSET
    """With `to`: the newest that many."""
    only_closed: bool | UnsetType = UNSET
    backoff: int | UnsetType = UNSET
    """Seconds (assumed: §11.1)."""
    kind: str | UnsetType = UNSET
    """E.g. `mid`."""
    split_normalization: bool | UnsetType = UNSET


class Candle(Struct, frozen=True):
    """A candle of history."""

    id: int
    """Consecutive existing candles of one active and size differ by exactly 1 (§11.4)."""
    start: int = field(name="from")
    """Epoch seconds."""
    end: int = field(name="to")
    """Epoch seconds; `start + size`."""
    open: float
    close: float
    min: float
    max: float
    volume: float = 0.0
    at: int | None = None
    """Epoch nanoseconds of the last update of a running candle; closed ones have none."""

    @property
    def ended(self) -> bool:
        """Whether its last update is known (§11.4)."""
        return self.at is None or self.at >= self.end * NANOSECONDS


class CandleList(Struct, frozen=True):
    candles: tuple[Candle, ...]
    """Ascending."""


class GetFirstCandles(Struct, frozen=True):
    active_id: int
    split_normalization: bool = False


class FirstCandle(Struct, frozen=True):
    start: int = field(name="from")
    """Epoch seconds."""


class FirstCandles(Struct, frozen=True):
    candles_by_size: dict[int, FirstCandle]
    """By seconds; a size may be missing."""


class CandleGenerated(Struct, frozen=True):
    """A snapshot of the running candle; at least one per second."""

    active_id: int
    size: int
    id: int
    start: int = field(name="from")
    end: int = field(name="to")
    at: int
    """Epoch nanoseconds."""
    open: float
    close: float
    min: float
    max: float
    ask: float = 0.0
    bid: float = 0.0
    volume: float = 0.0
    phase: str = ""
    """A Phase, as of a quote."""

    @property
    def closed(self) -> bool:
        """Whether this is the last update of the candle (§11.4)."""
        return self.at == self.end * NANOSECONDS


GET_CANDLES = Call("quotes-history.get-candles", "2.0", GetCandles, CandleList)
GET_FIRST_CANDLES = Call("get-first-candles", "1.0", GetFirstCandles, FirstCandles)
CANDLE_GENERATED = Topic(
    "candle-generated", "1.0", "quotes", "candle-generated", CandleGenerated, ("active_id", "size"), frequent=True
)


class Candles:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def history(self, query: GetCandles) -> Sequence[Candle]:
        """Ascending. Raises NotConnected or RequestFailed (status 4220: bounds that make no sense)."""
        return (await self._channel.request(GET_CANDLES, query)).candles

    async def first(self, active_id: int) -> Mapping[int, FirstCandle]:
        """The oldest candle of each size, by its seconds. Raises NotConnected or RequestFailed."""
        return (await self._channel.request(GET_FIRST_CANDLES, GetFirstCandles(active_id))).candles_by_size

    async def watch(self, active_id: int, size: int, listener: Listener[CandleGenerated]) -> Subscription:
        """Every update, as it comes; `listener` must return quickly."""
        return await self._channel.subscribe(CANDLE_GENERATED, (active_id, size), listener)

    @asynccontextmanager
    async def stream(self, active_id: int, size: int) -> AsyncIterator[AsyncIterator[CandleGenerated]]:
        """Iterate over updates; a slow reader gets only the last one of each candle."""
        updates: Conflated[CandleGenerated] = Conflated(lambda candle: candle.id, _WAITING)
        subscription = await self.watch(active_id, size, updates.push)
        try:
            yield updates
        finally:
            await subscription.stop()
