"""Times when many bots decide at once, at the close of a candle: what can wait leaves the process to their orders."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from libs.contracts.clock import Clock

_CALM = 0.02
"""Seconds without a decision after which it is over."""
_LONGEST = 0.5
"""Seconds for which anybody waits."""
_MOST_YOUNG = 300_000
"""New objects after which the garbage collector looks at them all the same; more than a rush makes."""


def collect_between_rushes() -> None:
    """For the whole process: a look at what a rush has made takes as long as a dozen of its orders."""
    gc.set_threshold(_MOST_YOUNG, *gc.get_threshold()[1:])


class Rush:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0.0
        """Monotonic seconds of the last decision."""
        self._over = asyncio.Event()
        self._over.set()
        self._offering = 0
        """Signals that bots are being told of."""
        self._offered = asyncio.Event()
        self._offered.set()

    @contextmanager
    def offering(self) -> Iterator[None]:
        """While bots are told of a signal and decide, some of them in every turn of the event loop."""
        self._offering += 1
        self._offered.clear()
        try:
            yield
        finally:
            self._offering -= 1
            if not self._offering:
                self._offered.set()

    async def offered(self) -> None:
        """All have decided: submissions do not keep the last ones from being written down."""
        if self._offering:
            await self._offered.wait()

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
            gc.collect(0)

    def _look_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._look)
