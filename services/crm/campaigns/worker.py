"""Lets campaigns go on: starts those whose time has come, puts recipients' mails into the queue as fast as they may go,
and tells how far each is."""

import asyncio
from contextlib import suppress

import structlog

from libs.bus import Bus, BusError
from libs.store import StoreError
from services.crm.campaigns.steps import Steps

log = structlog.get_logger()

_LOOK = 1.0
"""Seconds between two looks."""
_REST = 2.0
"""How many times as long as a look took nothing is asked of the database."""


class CampaignWorker:
    def __init__(self, bus: Bus, steps: Steps) -> None:
        self._bus = bus
        self._steps = steps
        self._news = asyncio.Event()

    def moved(self) -> None:
        """Look now."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled; of all processes one works."""
        lease = self._bus.lease("crm.campaigns")
        clock = self._bus.clock
        try:
            while True:
                began = clock.monotonic()
                try:
                    if lease.held or await lease.acquire():
                        await self._steps.look()
                except (StoreError, BusError) as error:
                    log.warning("campaigns_wait", error=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(_LOOK, _REST * (clock.monotonic() - began))):
                        await self._news.wait()
                self._news.clear()
        finally:
            await lease.release()
