"""Runs that are due go on. The database says which are: timers of the bus only remind of it in time, and a look from
time to time finds those that nothing reminded of."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from uuid import UUID

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from libs.bus import Consumer, Delivery, Poison, Unavailable
from libs.bus.topology import WORKFLOWS
from libs.contracts import subjects
from libs.contracts.codec import Message
from libs.store import StoreError, StoreRefused, StoreUnavailable
from libs.store.crm.runs import Due, Runs
from services.crm.workflows.graph import read_graph
from services.crm.workflows.walk import Program, Walk, broken, walk

log = structlog.get_logger()

CONSUMER = Consumer(WORKFLOWS.name, "crm-workflows-due", (subjects.ALL_DUE_RUNS,), batch=200, linger=0.02)
_MOST = 200
"""Runs in one transaction."""
_LEASE = 5.0
"""Seconds until another process takes a run that this one has claimed and not committed."""
_LOOK = 2.0
"""Seconds between two looks for what is due."""
_MOST_PROGRAMS = 500

_steps = Counter("pregao_crm_workflow_steps_total", "Steps of workflows", ["kind", "state"])
_moved = Counter("pregao_crm_workflow_walks_total", "Walks of runs, by where they led", ["to"])
_lag = Gauge("pregao_crm_workflow_lag_seconds", "How long the run that is due longest has waited")
_live = Gauge("pregao_crm_workflow_runs", "Contacts on their way through active workflows")
_pass = Histogram("pregao_crm_workflow_pass_seconds", "Time to claim, walk and commit what is due")


class RunDue(Message, frozen=True, kw_only=True):
    """What a timer says (`wf.due.{run}`)."""

    run: UUID


class Programs:
    """Published versions, which never change."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._known: dict[UUID, Program] = {}

    async def of(self, versions: Iterable[UUID]) -> dict[UUID, Program]:
        """Without those that nobody can read any more. Raises StoreError."""
        wanted = set(versions)
        if unknown := wanted - self._known.keys():
            if len(self._known) + len(unknown) > _MOST_PROGRAMS:
                self._known.clear()
                unknown = wanted
            for version in await self._runs.graphs(unknown):
                try:
                    self._known[version.id] = Program(read_graph(version.graph), version.settings)
                except msgspec.ValidationError:
                    log.exception("version_unreadable", version=str(version.id))
        return self._known


class Engine:
    """Any number of processes may run it: a run is one's at a time, and who is late changes nothing."""

    def __init__(self, runs: Runs, programs: Programs, told: Callable[[], None]) -> None:
        """`told()`: there is something to publish."""
        self._runs = runs
        self._programs = programs
        self._told = told
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Runs are due: do not wait for the next look."""
        self._nudged.set()

    async def follow(self, batch: list[Delivery]) -> None:
        """What timers remind of is done before they are acknowledged."""
        due = {delivery.decode(RunDue).run for delivery in batch}
        try:
            while await self._advance(due):
                pass
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                while await self._advance(None):
                    pass
                await self._look()
            except StoreError as error:
                log.warning("workflows_wait", error=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._nudged.wait()
            self._nudged.clear()

    async def _look(self) -> None:
        while await self._runs.arm_timers(_MOST) == _MOST:
            self._told()
        state = await self._runs.lag()
        _lag.set(state.lag)
        _live.set(state.live)

    async def _advance(self, only: Iterable[UUID] | None) -> bool:
        """Whether any of them went on, so that there may be more."""
        with _pass.time():
            claimed = await self._runs.claim(only, _MOST, _LEASE)
            if not claimed:
                return False
            programs = await self._programs.of(due.version for due in claimed)
            walks = [_walk(due, programs) for due in claimed]
            outcomes = await self._runs.commit(walks)
        for outcome in outcomes:
            _moved.labels(outcome).inc()
        for each in walks:
            for step in each.steps:
                _steps.labels(step.kind, step.state).inc()
        self._told()
        return True


def _walk(due: Due, programs: dict[UUID, Program]) -> Walk:
    """One that cannot be walked has failed, and does not hold up the others."""
    try:
        return walk(due, programs[due.version])
    except Exception:
        log.exception("run_broken", run=str(due.run), node=due.node)
        return broken(due, "it cannot be walked any further: the log of crm says why")
