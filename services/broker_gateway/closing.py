"""When a candle is closed, and which were missed (quadcode-protocol §11.4)."""

from dataclasses import dataclass
from datetime import datetime

from libs.contracts.market import Candle


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

    The broker sends a last update with `at` equal to the candle's end. If the next candle comes without it, the last
    one is not known exactly.
    """

    def __init__(self) -> None:
        self._last: Candle | None = None
        self._closed_id = 0

    def update(self, candle: Candle) -> Step:
        last = self._last
        if last is None:
            self._closed_id = candle.id - 1
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


def _complete(candle: Candle) -> bool:
    return candle.at == datetime.fromtimestamp(candle.end, candle.at.tzinfo)
