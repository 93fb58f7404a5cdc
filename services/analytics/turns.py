"""What one of all processes does, again and again."""

import asyncio
from collections.abc import Awaitable, Callable

from libs.bus import Bus

_RETRY = 0.5
"""Seconds after which the others ask whether it is theirs now."""


async def take_turns(bus: Bus, name: str, turn: Callable[[], Awaitable[None]], pause: float) -> None:
    """Until cancelled; `pause`: seconds from the end of one turn to the next."""
    lease = bus.lease(f"analytics.{name}")
    try:
        while True:
            if lease.held or await lease.acquire():
                await turn()
                await asyncio.sleep(pause)
            else:
                await asyncio.sleep(_RETRY)
    finally:
        await lease.release()
