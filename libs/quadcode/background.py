"""Work that goes on beside whoever owns it, and ends with it."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any


def run_beside(owner: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    """Until `owner` is closed."""
    task = asyncio.create_task(work, name=name)
    owner.push_async_callback(_end, task)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
