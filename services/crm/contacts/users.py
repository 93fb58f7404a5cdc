"""Trading users become contacts by themselves: the database notes what they do, here it is worked off."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from libs.contracts.clock import Clock
from libs.contracts.crm.stats import CRM_STATS, CrmStats
from libs.contracts.rpc import Nothing
from libs.store import StoreError
from libs.store.crm.users import CrmUsers
from services.crm.answering import Answer

log = structlog.get_logger()

_MOST = 500
"""Rows in one transaction."""
_IDLE = 0.5
"""Seconds between two looks."""
_INACTIVE_DAYS = (7, 30, 90)
_INACTIVE_EVERY = 3600.0


class Users:
    """Any number of processes may run it: the database lets one at a time."""

    def __init__(self, users: CrmUsers, clock: Clock, told: Callable[[], None]) -> None:
        """`told()`: there is something to publish."""
        self._users = users
        self._clock = clock
        self._told = told

    def endpoints(self) -> dict[Any, Answer]:
        return {CRM_STATS: self.stats}

    async def stats(self, _: Nothing) -> CrmStats:
        """What the database counts now."""
        figures = await self._users.figures()
        of = figures.statuses
        return CrmStats(
            at=self._clock.now(), contacts=sum(of.values()), leads=of.get("lead", 0), prospects=of.get("prospect", 0),
            customers=of.get("customer", 0), inactive=of.get("inactive", 0), churned=of.get("churned", 0),
            segments=figures.segments, workflows=figures.workflows, campaigns=figures.campaigns,
            templates=figures.templates, mails=figures.mails,
        )  # fmt: skip

    async def run(self) -> None:
        """Until cancelled."""
        inactive_told = float("-inf")
        while True:
            try:
                while done := await self._users.apply(_MOST):
                    self._told()
                    if done < _MOST:
                        break
                if self._clock.monotonic() - inactive_told > _INACTIVE_EVERY:
                    await self._tell_inactive()
                    inactive_told = self._clock.monotonic()
            except StoreError as error:
                log.warning("users_wait", error=str(error))
            await asyncio.sleep(_IDLE)

    async def _tell_inactive(self) -> None:
        for days in _INACTIVE_DAYS:
            while await self._users.tell_inactive(days, _MOST):
                self._told()
