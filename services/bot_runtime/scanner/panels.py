"""The panels of the scanner, one per candle size: begun with the broker's history, carried on with base candles."""

from collections.abc import Sequence
from datetime import UTC, datetime

from libs.contracts.market import Candle, Feed, offered_size
from libs.strategies.panel import Appended, Panel
from libs.strategies.strategy import DEPTH
from services.bot_runtime.scanner.folding import Bar, fold
from services.bot_runtime.scanner.sizes import BASE, SIZES

REACH = SIZES[-1] // BASE + 40
"""Base candles kept per active: more than the largest candle is made of."""


def history_count(feed: Feed) -> int:
    """Candles to ask for; the newest of an answer may still be running, and the oldest not begin one of ours."""
    if feed.size == BASE:
        return REACH + 1
    return (DEPTH + 1) * max(size // feed.size for size in SIZES if offered_size(size) == feed.size) + 1


class NotKnown(Exception):
    """Candles are missing; their history must be loaded."""


class Panels:
    def __init__(self) -> None:
        self.of = {size: Panel(size, DEPTH) for size in SIZES}
        """Evaluated by strategies."""
        self._base = Panel(BASE, REACH)
        self._last: dict[Feed, tuple[int, int]] = {}
        """End and number of the newest candle of each row that was loaded."""

    def load(self, feed: Feed, candles: Sequence[Candle]) -> None:
        """Begin the rows that are made of this history: closed candles, ascending."""
        if feed.size == BASE:
            self._base.load(feed.active_id, candles)
        for size in SIZES:
            if offered_size(size) != feed.size:
                continue
            made = candles if size == feed.size else _made(feed, candles, size)
            self.of[size].load(feed.active_id, made)
            if made:
                self._last[Feed(feed.active_id, size)] = (made[-1].end, made[-1].id)

    def append(self, candle: Candle) -> Appended:
        """Add a closed base candle."""
        return self._base.append(candle)

    def clear(self, active_id: int) -> None:
        for panel in (self._base, *self.of.values()):
            panel.clear(active_id)
        for size in SIZES:
            self._last.pop(Feed(active_id, size), None)

    def advance(self, feed: Feed) -> list[Bar]:
        """Carry a row on by the candles that are complete by now, and answer them. Raises NotKnown."""
        row = self._base.row(feed.active_id)
        if row is None or not self._base.counts[row]:
            return []
        if feed not in self._last:
            raise NotKnown
        end, number = self._last[feed]
        bars = fold(self._base, row, feed.size, end)
        if bars and self._known_since(row) > end:
            raise NotKnown
        for bar in bars:
            number += 1
            self.of[feed.size].append(_candle(feed, number, bar))
            self._last[feed] = (bar.end, number)
        return bars

    def _known_since(self, row: int) -> int:
        """From when on all base candles are there: what is kept is unbroken, and begins here."""
        return int(self._base.ends[row, -int(self._base.counts[row])]) - BASE


def _made(feed: Feed, candles: Sequence[Candle], size: int) -> list[Candle]:
    """Of a history; its first candles may be the end of one that began before."""
    if not candles:
        return []
    panel = Panel(feed.size, len(candles))
    panel.load(feed.active_id, candles)
    known_since = int(panel.ends[0, -int(panel.counts[0])]) - feed.size
    whole_since = -(-known_since // size) * size
    made = Feed(feed.active_id, size)
    return [_candle(made, number, bar) for number, bar in enumerate(fold(panel, 0, size, whole_since), start=1)]


def _candle(feed: Feed, number: int, bar: Bar) -> Candle:
    return Candle(
        active_id=feed.active_id, size=feed.size, id=number, start=bar.end - feed.size, end=bar.end,
        open=bar.open, high=bar.high, low=bar.low, close=bar.close, at=datetime.fromtimestamp(bar.end, UTC),
    )  # fmt: skip
