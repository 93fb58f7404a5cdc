"""Something that is done when told, or by itself when nobody has told for long."""

import asyncio
from collections.abc import Awaitable, Callable


class Deferred:
    """Done once. As cheap as a timer when it is told in time."""

    def __init__(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        self._act = act
        self._timer = asyncio.get_running_loop().call_later(seconds, self._begin)
        self._task: asyncio.Task[None] | None = None

    async def now(self) -> None:
        """Returns when it is done; raises what it raises."""
        self._timer.cancel()
        if self._task is None:
            await self._act()
        else:
            await self._task

    def cancel(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        async def act() -> None:
            await self._act()

        self._task = asyncio.create_task(act())
