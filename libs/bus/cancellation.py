"""Cancellations that nats-py loses.

Its requests use `asyncio.wait_for`, which until Python 3.12 returns an answer that arrives together with a cancellation
and forgets the cancellation (python/cpython#86296): the task would live on, and whoever ended it wait for ever.
"""

import asyncio


class Cancellable:
    """Around a request: a cancellation while it ran is raised, whatever came of the request."""

    __slots__ = ("_before", "_task")

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task is not None else 0

    def __exit__(self, *_: object) -> None:
        if self._task is not None and self._task.cancelling() > self._before:
            raise asyncio.CancelledError
