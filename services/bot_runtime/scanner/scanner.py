"""Who scans, and when: one process at a time, at every close of the base candles."""

import asyncio
from collections.abc import Iterable

import structlog
from prometheus_client import Counter, Gauge, Histogram

from libs.bus import Bus, BusError, Lease
from libs.contracts import subjects
from libs.contracts.ids import derived_id
from libs.contracts.market import Candle, Feed, offered_size
from libs.contracts.scanner import ScannedCandle, StrategySignal
from libs.service.together import until_one_ends
from libs.strategies.panel import Appended
from libs.strategies.registry import STRATEGIES
from services.bot_runtime.actives import Actives
from services.bot_runtime.demand import Demand
from services.bot_runtime.history import History
from services.bot_runtime.rounds import Rounds
from services.bot_runtime.scanner.evaluation import Hearing
from services.bot_runtime.scanner.folding import Bar
from services.bot_runtime.scanner.panels import NotKnown, Panels, history_count
from services.bot_runtime.scanner.sizes import BASE, SIZES
from services.bot_runtime.strategies import Strategies

log = structlog.get_logger()

_RETRY = 1.0
_AT_ONCE = 32
"""Messages on their way to the server at a time."""

_acts = Gauge("pregao_scanner_acts", "Whether this process scans")
_seconds = Histogram(
    "pregao_scanner_pass_seconds",
    "Every strategy over all actives of one candle size, without publishing",
    ["size"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
)
_round = Histogram("pregao_scanner_round_seconds", "From a close to the last signal of it stored")
_signals = Counter("pregao_scanner_signals_total", "Signals published", ["size"])
_lost = Counter("pregao_scanner_candles_not_published_total", "Scanned candles dropped while NATS was away")


class Scanner:
    def __init__(self, bus: Bus, actives: Actives, strategies: Strategies, lease_seconds: int) -> None:
        self._bus = bus
        self._actives = actives
        self._strategies = strategies
        self._lease_seconds = lease_seconds

    async def run(self) -> None:
        """Scan whenever nobody else does; until cancelled."""
        lease = self._bus.lease("bots.scanner", self._lease_seconds)
        while True:
            if await lease.acquire():
                lost = asyncio.Event()
                lease.on_lost = lost.set
                _acts.set(1)
                log.info("scanner_acts")
                try:
                    await Tenure(self._bus, self._actives, self._strategies, lease).last(lost)
                except BusError as error:
                    log.warning("scanner_interrupted", error=str(error))
                except Exception:
                    # The bots of this process go on.
                    log.exception("scanner_failed")
                finally:
                    _acts.set(0)
                    await lease.release()
            await asyncio.sleep(_RETRY)


class Tenure:
    """The time in which this process scans. It begins without any candle, and ends for good."""

    def __init__(self, bus: Bus, actives: Actives, strategies: Strategies, lease: Lease) -> None:
        self._bus = bus
        self._actives = actives
        self._strategies = strategies
        self._lease = lease
        self._panels = Panels()
        self._history = History(bus, history_count, lambda feed: feed.active_id in self._watched, self._load)
        self._demand = Demand(bus, "scanner", self._wanted, self._watch)
        later = asyncio.get_running_loop().call_later
        self._rounds = Rounds(BASE, self._due, later)
        self._watched: frozenset[int] = frozenset()
        self._newest = 0
        self._round = asyncio.Event()
        self._told: dict[Feed, int] = {}
        """End of the last candle of each feed that had signals: the next one decides them."""

    async def last(self, lost: asyncio.Event) -> None:
        """Until the lease is lost, or cancelled."""
        candles = await self._bus.subscribe(subjects.closed_candles(BASE), Candle, self._closed)
        try:
            await until_one_ends(
                history=self._history.run(),
                demand=self._demand.run(asyncio.Event()),
                scan=self._scan(),
                lost=lost.wait(),
            )
        finally:
            await candles.stop()
            await self._demand.withdraw()

    def _wanted(self) -> frozenset[Feed]:
        return frozenset(Feed(active.id, BASE) for active in self._actives.tradable(self._bus.clock.now()))

    def _watch(self, feeds: frozenset[Feed]) -> None:
        actives = frozenset(feed.active_id for feed in feeds)
        gone, new = self._watched - actives, actives - self._watched
        self._watched = actives
        for active_id in gone:
            self._panels.clear(active_id)
        for active_id in sorted(new):
            for size in sorted({offered_size(size) for size in SIZES}):
                self._history.ask(Feed(active_id, size))
        self._rounds.want(set(actives))

    async def _closed(self, _: str, candle: Candle) -> None:
        if candle.active_id not in self._watched:
            return
        if self._panels.append(candle) is Appended.GAP:
            log.info("candle_gap", active_id=candle.active_id, size=BASE, candle=candle.id)
            self._history.ask(candle.feed)
            return
        self._rounds.closed(candle.active_id, candle.end)

    def _load(self, feed: Feed, candles: tuple[Candle, ...]) -> None:
        if feed.active_id in self._watched:
            self._panels.load(feed, [candle for candle in candles if candle.at.timestamp() >= candle.end])

    def _due(self, end: int) -> None:
        self._newest = end
        self._round.set()

    async def _scan(self) -> None:
        while True:
            await self._round.wait()
            self._round.clear()
            end = self._newest
            with _round.time():
                for size in SIZES:
                    await self._publish(await self._pass(size, end))
                    await asyncio.sleep(0)  # bots of this process have their rounds, too

    async def _pass(self, size: int, end: int) -> list[ScannedCandle]:
        """The candles of one size that closed by now; those that ended with this round have signals."""
        with _seconds.labels(size).time():
            closed = self._advance(size, end)
            fresh = {active_id for active_id, bars in closed.items() if bars[-1].end == end}
            hearing = Hearing(self._panels.of[size], fresh)
            if fresh:
                hearing.ask(STRATEGIES.values())
        if fresh:
            await self._strategies.hear_users(hearing.panel, hearing.hear)
        said = hearing.heard()
        return [
            candle
            for active_id, bars in closed.items()
            for candle in self._candles(Feed(active_id, size), bars, end, said.get(active_id, ()))
        ]

    def _advance(self, size: int, end: int) -> dict[int, list[Bar]]:
        closed = {}
        for active_id in self._watched:
            feed = Feed(active_id, size)
            try:
                bars = self._panels.advance(feed)
            except NotKnown:
                if end % size == 0:
                    self._history.ask(Feed(active_id, offered_size(size)))
                continue
            if bars:
                closed[active_id] = bars
        return closed

    def _candles(
        self, feed: Feed, bars: Iterable[Bar], newest: int, said: tuple[StrategySignal, ...]
    ) -> Iterable[ScannedCandle]:
        """`said` of the one that ended at `newest`: what is late is told only for the signals that it decides."""
        active = self._actives.by_id(feed.active_id)
        for bar in bars:
            signals = said if bar.end == newest else ()
            if signals or self._told.get(feed) == bar.end - feed.size:
                yield ScannedCandle(
                    id=derived_id("scanned", feed.active_id, feed.size, bar.end),
                    at=self._bus.clock.now(),
                    active_id=feed.active_id,
                    name=active.name if active is not None else str(feed.active_id),
                    size=feed.size,
                    end=bar.end,
                    close=bar.close,
                    signals=signals,
                )
            if signals:
                self._told[feed] = bar.end

    async def _publish(self, candles: list[ScannedCandle]) -> None:
        for first in range(0, len(candles), _AT_ONCE):
            await asyncio.gather(*(self._tell(candle) for candle in candles[first : first + _AT_ONCE]))

    async def _tell(self, candle: ScannedCandle) -> None:
        if not self._lease.held:
            return
        try:
            await self._bus.append(subjects.scanner_signal(candle.feed), candle, id=candle.id)
        except BusError as error:
            _lost.inc()
            log.warning("scanned_candle_not_published", active_id=candle.active_id, size=candle.size, error=str(error))
        else:
            _signals.labels(candle.size).inc(len(candle.signals))
