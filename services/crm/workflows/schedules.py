"""Workflows that a clock begins, for everybody who is in a segment then."""

import asyncio
from collections.abc import Callable

import structlog

from libs.contracts.clock import Clock
from libs.store import StoreError
from libs.store.crm.runs import DueSchedule, Runs
from services.crm.workflows.engine import Programs
from services.crm.workflows.params import Schedule
from services.crm.workflows.publishing import time_of

log = structlog.get_logger()

_LOOK = 1.0
"""Seconds."""
_MOST = 500
"""Contacts in one transaction."""


class Schedules:
    """Any number of processes may run it: the database lets in each contact once for each time."""

    def __init__(self, runs: Runs, programs: Programs, clock: Clock, due: Callable[[], None]) -> None:
        """`due()`: runs are due."""
        self._runs = runs
        self._programs = programs
        self._clock = clock
        self._due = due

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                for schedule in await self._runs.due_schedules():
                    await self._fire(schedule)
            except StoreError as error:
                log.warning("schedules_wait", error=str(error))
            await asyncio.sleep(_LOOK)

    async def _fire(self, schedule: DueSchedule) -> None:
        programs = await self._programs.of([schedule.version])
        if schedule.version not in programs:
            return
        _, told = programs[schedule.version].nodes[schedule.node]
        again = told.next_after(self._clock.now()) if isinstance(told, Schedule) else None
        more = True
        while more:
            fired = await self._runs.fire(schedule, time_of(again), _MOST)
            more = fired.more
            if fired.began:
                self._due()
