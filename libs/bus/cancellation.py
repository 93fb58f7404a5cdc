"""Cancellations that nats-py loses.

Its requests use `asyncio.wait_for`, which until Python 3.12 returns an answer that arrives together with a cancellation
and forgets the cancellation (python/cpython#86296): the task would live on, and whoever ended it wait for ever.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cancellable() -> Iterator[None]:
    """Around a request: a cancellation while it ran is raised, whatever came of the request."""
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
