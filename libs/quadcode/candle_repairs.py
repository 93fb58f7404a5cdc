"""Missing candles, asked for by their ids (quadcode-protocol §11.6)."""

import asyncio
from collections.abc import Sequence

import structlog

from libs.quadcode.backoff import Backoff, Jitter
from libs.quadcode.candles import Candle, Candles, GetCandles
from libs.quadcode.errors import ConnectionLost, RequestFailed

log = structlog.get_logger()

WIDEST = 1000
"""Difference of the ids of one request (§11.1)."""
_TRIES = 11
"""The first, and ten more."""


class Repairs:
    """One request at a time, first come first served, however many series have holes."""

    def __init__(self, candles: Candles, jitter: Jitter) -> None:
        self._candles = candles
        self._jitter = jitter
        self._one_at_a_time = asyncio.Lock()

    async def run(self, active_id: int, size: int, first: int, last: int) -> Sequence[Candle] | None:
        """Every candle from `first` to `last`, or None when the broker does not give them all in eleven tries.

        Raises NotConnected or ConnectionLost: to be asked again on the next connection.
        """
        query = GetCandles(active_id=active_id, size=size, from_id=first, to_id=last)
        backoff = Backoff(first=0.1, cap=10.0, spread=0.1, jitter=self._jitter)
        async with self._one_at_a_time:
            for _ in range(_TRIES):
                try:
                    found = await self._candles.history(query)
                except ConnectionLost:
                    raise
                except RequestFailed as problem:
                    log.info("candles_not_repaired_yet", active_id=active_id, size=size, problem=str(problem))
                else:
                    if _whole(found, first, last):
                        return found
                await asyncio.sleep(backoff.next())
        log.warning("candles_not_repaired", active_id=active_id, size=size, first=first, last=last)
        return None


def _whole(found: Sequence[Candle], first: int, last: int) -> bool:
    """None is missing, and all that another one follows have ended."""
    return [candle.id for candle in found] == list(range(first, last + 1)) and all(each.ended for each in found[:-1])
