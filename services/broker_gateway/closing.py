"""When a candle is closed, and which were missed (quadcode-protocol §11.4)."""

from dataclasses import dataclass
from datetime import datetime

from libs.contracts.market import Candle

RESUMED = 60
"""Candles that are made up for when a feed changes hands; a longer hole is of a feed that nobody wanted."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one update of a feed means."""

    running: Candle | None = None
    """To be shown; None for an update that is older than what was seen."""
    closed: Candle | None = None
    """Complete with this update."""
    missing: tuple[int, int] | None = None
    """Inclusive range of ids of candles that ended without having been seen to close: history has them."""


class Closing:
    """Follows one feed. Every candle from the second one on is told closed exactly once, as `closed` or `missing`.

    A feed that was followed elsewhere a moment ago goes on where it was left.

    The broker sends a last update with `at` equal to the candle's end. If the next candle comes without it, the last
    one is not known exactly.
    """

    def __init__(self, stored: int | None = None) -> None:
        """`stored`: id of the last candle that was told closed before."""
        self._last: Candle | None = None
        self._closed_id = 0
        self._stored = stored

    def update(self, candle: Candle) -> Step:
        last = self._last
        if last is None:
            self._closed_id = self._resumed(candle.id - 1)
        elif candle.id < last.id or candle.id <= self._closed_id:
            return Step()
        self._last = candle
        missing = None
        if self._closed_id < candle.id - 1:
            missing = (self._closed_id + 1, candle.id - 1)
            self._closed_id = candle.id - 1
        if not _complete(candle):
            return Step(running=candle, missing=missing)
        self._closed_id = candle.id
        return Step(running=candle, closed=candle, missing=missing)

    def _resumed(self, before: int) -> int:
        """`before` is the last candle that ended before this feed is heard."""
        if self._stored is None or not before - RESUMED <= self._stored <= before:
            return before
        return self._stored


def _complete(candle: Candle) -> bool:
    return candle.at == datetime.fromtimestamp(candle.end, candle.at.tzinfo)
