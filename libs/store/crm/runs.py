"""Runs of workflows: tables `crm_workflow_runs`, `crm_workflow_steps`. Whoever decides where a run goes reads a `Due`
and commits a walk from there, which does nothing if somebody else was faster."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.contracts.crm.workflow_runs import Run, RunDetail, RunsQuery, RunStatus, Waits, WorkflowFigures
from libs.contracts.crm.workflows import WorkflowSettings
from libs.store.database import Database
from libs.store.rows import read_optional, read_value


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is to go on, and what that depends on."""

    run: UUID
    seq: int
    version: UUID
    contact: UUID
    node: str
    waits: Waits | None
    """For what it waited there; None: the node has yet to be entered."""
    visits: dict[str, int]
    """Of each node so far."""
    steps: int
    attempt: int
    now: datetime
    """By the database's clock, as are all times of runs."""
    due_at: datetime
    entered_at: datetime
    since: datetime | None
    found: tuple[dict[str, Any], ...] | None
    """Of an event that is waited for, the data of those that came; of a result, what it is."""
    event: dict[str, Any]
    facts: dict[str, Any] | None
    """None: the contact is gone."""


class VersionGraph(msgspec.Struct, frozen=True):
    id: UUID
    graph: Any
    settings: WorkflowSettings


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """That a contact is to be let in."""

    workflow: UUID
    version: UUID
    contact: UUID
    key: str
    """The same cause lets in once."""
    node: str
    event: Mapping[str, Any]


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    workflow: UUID
    version: UUID
    since: datetime
    """What happened before does not begin it."""
    node: str
    params: Any


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    run: UUID
    version: UUID
    node: str
    contact: UUID
    """As the event calls it."""
    type: str


class Interest(msgspec.Struct, frozen=True):
    triggers: tuple[Trigger, ...]
    waiting: tuple[Waiting, ...]


class Wake(msgspec.Struct, frozen=True):
    """That what a run waits for at a node has come."""

    run: UUID
    node: str
    at: datetime
    found: Mapping[str, Any]


class DueSchedule(msgspec.Struct, frozen=True):
    workflow: UUID
    node: str
    version: UUID


class Fired(msgspec.Struct, frozen=True):
    began: int
    more: bool


class Moved(msgspec.Struct, frozen=True):
    moved: bool
    run: Run


class Lag(msgspec.Struct, frozen=True):
    lag: float
    """Seconds that the oldest due run has waited."""
    live: int


class Standing(msgspec.Struct, frozen=True):
    contact_id: UUID
    facts: dict[str, Any]


class _Of(msgspec.Struct, frozen=True):
    id: UUID


class Hook(msgspec.Struct, frozen=True):
    secret: str
    version: UUID
    node: str
    params: Any


class RunPage(msgspec.Struct, frozen=True):
    rows: tuple[Run, ...]
    total: int


class Runs:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, only: Iterable[UUID] | None, most: int, lease: float) -> tuple[Due, ...]:
        """Those that are due (of these); theirs who asked, for `lease` seconds."""
        ids = None if only is None else [str(each) for each in only]
        data = await self._database.call("crm_claim_runs", these=ids, at_most=most, lease=lease)
        return read_value(data, tuple[Due, ...])

    async def commit(self, walks: Sequence[Any]) -> tuple[RunStatus | str, ...]:
        """What became of each, in some order; `stale`: somebody else was faster, and nothing was done."""
        data = await self._database.call("crm_commit_walks", walks=[msgspec.to_builtins(walk) for walk in walks])
        return read_value(data, tuple[str, ...])

    async def graphs(self, versions: Iterable[UUID]) -> tuple[VersionGraph, ...]:
        data = await self._database.call("crm_workflow_graphs", versions=[str(each) for each in versions])
        return read_value(data, tuple[VersionGraph, ...])

    async def enter(self, entries: Sequence[Entry]) -> tuple[UUID, ...]:
        """The runs that began."""
        data = await self._database.call("crm_enter_workflows", entries=[msgspec.to_builtins(each) for each in entries])
        return read_value(data, tuple[UUID, ...])

    async def interest(self, events: Iterable[tuple[UUID, str]]) -> Interest:
        """Whom events of these contacts and types concern."""
        told = [{"contact_id": str(contact), "type": type_} for contact, type_ in events]
        return read_value(await self._database.call("crm_workflow_interest", events=told), Interest)

    async def wake(self, wakes: Sequence[Wake]) -> int:
        data = await self._database.call("crm_wake_runs", wakes=[msgspec.to_builtins(each) for each in wakes])
        return read_value(data, int)

    async def arm_timers(self, most: int) -> int:
        return read_value(await self._database.call("crm_arm_timers", at_most=most), int)

    async def due_schedules(self) -> tuple[DueSchedule, ...]:
        return read_value(await self._database.call("crm_due_schedules"), tuple[DueSchedule, ...])

    async def fire(self, schedule: DueSchedule, next_time: str | None, most: int) -> Fired:
        data = await self._database.call(
            "crm_fire_schedule", of_workflow=str(schedule.workflow), node=schedule.node, next=next_time, at_most=most
        )
        return read_value(data, Fired)

    async def lag(self) -> Lag:
        return read_value(await self._database.call("crm_workflow_lag"), Lag)

    async def of_workflow(self, query: RunsQuery) -> RunPage | None:
        return await self._find(query, "of_workflow")

    async def of_contact(self, query: RunsQuery) -> RunPage | None:
        return await self._find(query, "of_contact")

    async def one(self, workflow: UUID, run: UUID) -> RunDetail | None:
        data = await self._database.call("crm_one_run", of_workflow=str(workflow), of_run=str(run))
        return read_optional(data, RunDetail)

    async def move(self, workflow: UUID, run: UUID, wanted: str, by: str) -> Moved | None:
        data = await self._database.call(
            "crm_move_run", of_workflow=str(workflow), of_run=str(run), wanted=wanted, actor=by
        )
        return read_optional(data, Moved)

    async def figures(self, workflow: UUID) -> WorkflowFigures | None:
        data = await self._database.call("crm_workflow_figures", of_workflow=str(workflow))
        return read_optional(data, WorkflowFigures)

    async def standing(self, contact: UUID) -> Standing | None:
        data = await self._database.call("crm_workflow_facts", of_contact=str(contact))
        return read_optional(data, Standing)

    async def hook(self, workflow: UUID) -> Hook | None:
        return read_optional(await self._database.call("crm_workflow_hook", of_workflow=str(workflow)), Hook)

    async def contact_by_email(self, address: str) -> UUID | None:
        found = read_optional(await self._database.call("crm_contact_by_email", address=address), _Of)
        return found.id if found is not None else None

    async def _find(self, query: RunsQuery, by: str) -> RunPage | None:
        """None: there is no such workflow, or contact."""
        asked = {"of_workflow": None, "of_contact": None, by: str(query.id)}
        data = await self._database.call(
            "crm_find_runs", **asked, of_status=query.status, at_most=query.limit, skipped=query.offset
        )
        return read_optional(data, RunPage)
