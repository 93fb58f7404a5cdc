"""The panels of closed candles, one per size, and the rounds in which they are evaluated."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog

from libs.bus import Bus, tracing
from libs.contracts import subjects
from libs.contracts.market import Candle, Feed
from libs.strategies.panel import Appended, Panel
from libs.strategies.strategy import DEPTH
from services.bot_runtime.history import History
from services.bot_runtime.rounds import Rounds

log = structlog.get_logger()


class Candles:
    def __init__(self, bus: Bus, evaluate: Callable[[Panel, int, Mapping[int, str]], Awaitable[None]]) -> None:
        """`evaluate(panel, end, causes)` is called once per size and candle end, one after the other. `causes`: of the
        actives whose candles are traced."""
        self._bus = bus
        self._evaluate = evaluate
        self._watched: frozenset[Feed] = frozenset()
        self._panels: dict[int, Panel] = {}
        self._rounds: dict[int, Rounds] = {}
        self._due: dict[int, int] = {}
        """The newest end that is to be evaluated, by size; what was due first is first."""
        self._causes: dict[int, dict[int, str]] = {}
        """Of the newest candles, by size and active."""
        self._any_due = asyncio.Event()
        # The newest candle of an answer may still be running.
        self._history = History(bus, lambda _: DEPTH + 1, lambda feed: feed in self._watched, self._load)

    async def follow(self) -> None:
        await self._bus.subscribe(subjects.ALL_CLOSED_CANDLES, Candle, self._closed)

    async def fetch(self) -> None:
        """Load the histories that are missing; until cancelled."""
        await self._history.run()

    async def judge(self) -> None:
        """Evaluate the rounds as they become due; until cancelled."""
        while True:
            await self._any_due.wait()
            self._any_due.clear()
            while self._due:
                size = next(iter(self._due))
                end = self._due.pop(size)
                try:
                    await self._evaluate(self._panels[size], end, self._causes.pop(size, {}))
                except Exception:
                    log.exception("round_failed", size=size, end=end)

    def watch(self, feeds: frozenset[Feed]) -> None:
        """From now on these; the candles of others are forgotten."""
        added, removed = feeds - self._watched, self._watched - feeds
        self._watched = feeds
        for feed in removed:
            self._panels[feed.size].clear(feed.active_id)
        for feed in added:
            self._ensure_panel(feed.size)
            self._history.ask(feed)
        for size in {feed.size for feed in added | removed}:
            self._rounds[size].want({feed.active_id for feed in feeds if feed.size == size})

    async def _closed(self, _: str, candle: Candle) -> None:
        feed = candle.feed
        if feed not in self._watched:
            return
        panel = self._panels[feed.size]
        if panel.append(candle) is Appended.GAP:
            log.info("candle_gap", active_id=feed.active_id, size=feed.size, candle=candle.id)
            self._history.ask(feed)
            return
        if cause := tracing.here():
            self._causes.setdefault(feed.size, {})[feed.active_id] = cause
        self._rounds[feed.size].closed(feed.active_id, candle.end)

    def _load(self, feed: Feed, candles: tuple[Candle, ...]) -> None:
        if feed in self._watched:
            closed = [candle for candle in candles if candle.at.timestamp() >= candle.end]
            self._panels[feed.size].load(feed.active_id, closed)

    def _ensure_panel(self, size: int) -> None:
        if size not in self._panels:
            self._panels[size] = Panel(size, DEPTH)
            self._rounds[size] = Rounds(size, partial(self._make_due, size), asyncio.get_running_loop().call_later)

    def _make_due(self, size: int, end: int) -> None:
        self._due[size] = end
        self._any_due.set()
