"""A value that many ask for and few compute."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from libs.contracts.clock import Clock

T = TypeVar("T")


class Latest(Generic[T]):
    """At most `age` seconds old; of all who ask at the same time one makes it anew."""

    def __init__(self, make: Callable[[], Awaitable[T]], age: float, clock: Clock) -> None:
        self._make = make
        self._age = age
        self._clock = clock
        self._lock = asyncio.Lock()
        self._made: tuple[float, T] | None = None

    async def get(self) -> T:
        """Raises what making it raises; the next who asks tries again."""
        async with self._lock:
            asked = self._clock.monotonic()
            if self._made is None or asked - self._made[0] > self._age:
                self._made = (asked, await self._make())
            return self._made[1]
