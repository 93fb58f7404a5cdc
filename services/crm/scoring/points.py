"""What happens to contacts gives them points."""

import asyncio
from collections.abc import Callable

import structlog

from libs.bus import Consumer, Delivery, Poison, Unavailable
from libs.bus.topology import CRM
from libs.contracts.crm.events import CrmEvent, EventType
from libs.store import StoreError, StoreRefused, StoreUnavailable
from libs.store.crm.scoring import Scoring

log = structlog.get_logger()

CONSUMER = Consumer(CRM.name, "crm-scoring", batch=200, linger=0.05)
_SETTLED_EVERY = 3600.0
"""Seconds between two looks for points that decayed."""
_MOST = 500


class Points:
    def __init__(self, scoring: Scoring, told: Callable[[], None]) -> None:
        """`told()`: there is something to publish."""
        self._scoring = scoring
        self._told = told

    async def follow(self, batch: list[Delivery]) -> None:
        """An event gives its points once, however often it comes."""
        events = [delivery.decode(CrmEvent) for delivery in batch]
        events = [event for event in events if event.type != EventType.SCORE_CHANGED]
        if not events:
            return
        try:
            if await self._scoring.score(events):
                self._told()
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                while await self._scoring.settle(_MOST):
                    self._told()
            except StoreError as error:
                log.warning("scores_wait", error=str(error))
            await asyncio.sleep(_SETTLED_EVERY)
