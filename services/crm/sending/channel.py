"""What every way to a contact has in common."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from libs.contracts.crm.templates import Problem
from libs.store.crm.mails import ClaimedMail
from services.crm.templates.compiled import Compiled

__all__ = ["Channel", "Outcome", "Problem"]

Kind = Literal["sent", "retry", "failed", "skipped", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one that was handed over."""

    kind: Kind
    """`retry`: it was surely not taken, and may be later. `unknown`: nobody knows whether it was."""
    error: str = ""
    bounced: bool = False
    """There is no such address."""
    blameless: bool = False
    """Nobody took anything: it has nothing to do with this one."""


SENT = Outcome("sent")


class Channel(Protocol):
    """Its conformance is tested in one place for all: tests/unit/crm/sending/test_channels.py."""

    def prepare(self, mail: ClaimedMail, compiled: Compiled) -> Callable[[], Awaitable[Outcome]]:
        """All that can fail without anybody being written to; what it answers hands it over, once.

        Raises Unwritable."""
        ...

    async def close(self) -> None: ...


class Unwritable(Exception):
    """It cannot be written to this contact; the message says why."""


async def wait_until(news: asyncio.Event, seconds: float) -> None:
    """For that, but not longer."""
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        pass
    news.clear()
