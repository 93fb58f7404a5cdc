"""Times when many bots decide at once, at the close of a candle: what can wait leaves the process to their orders."""

import asyncio
from contextlib import suppress

from libs.contracts.clock import Clock

_CALM = 0.02
"""Seconds without a decision after which it is over."""
_LONGEST = 0.5
"""Seconds for which anybody waits."""


class Rush:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0.0
        """Monotonic seconds of the last decision."""
        self._over = asyncio.Event()
        self._over.set()

    def goes_on(self) -> None:
        """A bot has decided."""
        self._last = self._clock.monotonic()
        if self._over.is_set():
            self._over.clear()
            self._look_in(_CALM)

    async def over(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST):
                await self._over.wait()

    def _look(self) -> None:
        left = self._last + _CALM - self._clock.monotonic()
        if left > 0:
            self._look_in(left)
        else:
            self._over.set()

    def _look_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._look)
