"""Publishing candles: running ones at most once, closed ones stored, each under an id of its own."""

import asyncio

import structlog
from prometheus_client import Counter

from libs.bus import Bus, BusError, tracing
from libs.bus.topology import MARKET
from libs.contracts import subjects
from libs.contracts.market import Candle, Feed
from services.broker_gateway.tenure import Right

log = structlog.get_logger()

_LANES = 8
_WAITING = 2000
"""Closed candles per lane that wait for NATS; when it is away longer, the oldest are dropped: who needs them finds
the gap by the candle numbers and asks for history."""

_published = Counter("pregao_candles_total", "Candles published", ["kind"])
_dropped = Counter("pregao_closed_candles_dropped_total", "Closed candles dropped while NATS was away")


class Tape:
    """Closed candles of one feed are stored in order, different feeds beside each other.

    What the broker sent while this process was frozen is not published late: another gateway holds the market by then.
    """

    def __init__(self, bus: Bus, right: Right) -> None:
        self._bus = bus
        self._right = right
        self._lanes: list[asyncio.Queue[Candle]] = [asyncio.Queue(_WAITING) for _ in range(_LANES)]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number, lane in enumerate(self._lanes):
                group.create_task(self._run(lane), name=f"tape:{number}")

    async def last_closed(self, feed: Feed) -> Candle | None:
        """What was stored last of a feed, by whichever gateway. Raises BusError."""
        return await self._bus.last(MARKET, subjects.closed_candle(feed), Candle)

    async def show(self, candle: Candle) -> bool:
        """Whether it was ours to publish."""
        if self._right.held:
            with tracing.begin("candle", active=str(candle.active_id), size=str(candle.size)):
                await self._bus.publish(subjects.candle(candle.feed), candle)
            _published.labels("running").inc()
        return self._right.held

    def close(self, candle: Candle) -> None:
        """It will be stored."""
        lane = self._lanes[candle.active_id % _LANES]
        if lane.full():
            lane.get_nowait()
            _dropped.inc()
        lane.put_nowait(candle)

    async def store(self, candle: Candle) -> None:
        """A closed candle, without a queue: whoever has many of them is held up."""
        if not self._right.held:
            return
        identity = f"{candle.active_id}.{candle.size}.{candle.start}"
        try:
            with tracing.begin("closed candle", active=str(candle.active_id), size=str(candle.size)):
                await self._bus.append(subjects.closed_candle(candle.feed), candle, id=identity, timeout=30.0)
        except BusError as error:
            _dropped.inc()
            log.warning("closed_candle_dropped", candle=identity, error=str(error))
        else:
            _published.labels("closed").inc()

    async def _run(self, lane: "asyncio.Queue[Candle]") -> None:
        while True:
            await self.store(await lane.get())
