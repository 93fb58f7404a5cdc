"""Tasks that stand and fall together."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def until_one_ends(**parts: Coroutine[Any, Any, object]) -> None:
    """Runs all of them, as tasks of these names, until the first has ended or failed, which is raised; the others are
    cancelled, and have ended when this returns."""
    tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
