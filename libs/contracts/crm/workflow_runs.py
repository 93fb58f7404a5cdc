"""Contacts on their way through workflows: who is where, what was done, and what would be done."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, field

from libs.contracts.admin import Rows
from libs.contracts.codec import Message
from libs.contracts.crm.common import ListQuery, Of, OfBy
from libs.contracts.crm.workflows import Problem
from libs.contracts.pattern import END
from libs.contracts.rpc import Endpoint, ErrorCode

RunStatus = Literal["active", "waiting", "paused", "completed", "failed", "cancelled"]
Waits = Literal["time", "event", "result", "retry"]
"""`result`: of what was handed on to be sent."""


class Run(Message, frozen=True, kw_only=True):
    id: UUID
    workflow_id: UUID
    contact_id: UUID
    version: int
    """Of the workflow: the number of the one that was published when it began."""
    status: RunStatus
    node: str
    """Where it is."""
    waits: Waits | None
    steps: int
    due_at: datetime | None
    """When it goes on at the latest."""
    outcome: str | None
    """Of one that ended: `goal`, `exit`, `end`, `error`, `cancelled`, `workflow` (that was), `erased` or `merged` (the
    contact)."""
    error: str | None
    started_at: datetime
    ended_at: datetime | None


class Step(Message, frozen=True, kw_only=True):
    node_id: str
    visit: int
    """The first is 1."""
    number: int
    """Of the run's steps."""
    kind: str
    state: Literal["waiting", "done", "skipped", "failed"]
    attempt: int
    handle: str | None
    """The way that was taken out of it."""
    input_digest: str | None = None
    """Of what the node is told and of what it decided by, at its last decision: the same for the same. None: the step
    is from before there was one, or of somebody who was erased."""
    output: dict[str, Any]
    error: str | None
    started_at: datetime
    ended_at: datetime | None


class RunDetail(Run, frozen=True, kw_only=True):
    log: tuple[Step, ...]
    """In the order in which nodes were come to."""


class RunsQuery(ListQuery, frozen=True, kw_only=True, rename="camel"):
    id: UUID
    """Of a workflow, or of a contact."""

    status: RunStatus | None = None


class OfRun(Message, frozen=True, kw_only=True):
    id: UUID
    run: UUID


class MoveRun(OfBy, frozen=True, kw_only=True):
    run: UUID
    wanted: Literal["paused", "active", "cancelled"]


class Enrolment(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    contacts: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=1000)]
    data: Annotated[dict[str, Any], Meta(max_length=50)] = field(default_factory=dict)
    """What conditions find under `event.`."""


class Enrol(OfBy, frozen=True, kw_only=True):
    key: str
    """Of the request: the same lets in nobody twice."""
    enrolment: Enrolment


class Enrolled(Message, frozen=True, kw_only=True):
    runs: tuple[UUID, ...]
    """Of those whom its re-entry lets in."""


class Simulation(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    contact: UUID
    data: Annotated[dict[str, Any], Meta(max_length=50)] = field(default_factory=dict)
    """Of the event that begins it."""
    trigger: Annotated[str, Meta(max_length=64)] = ""
    """The id of the one that it begins at; the first, if empty."""
    events: bool = True
    """Whether events that are waited for come; else their time runs out."""
    sent: bool = True
    """Whether what is handed on is sent; else that fails."""


class Simulate(OfBy, frozen=True, kw_only=True):
    simulation: Simulation


class Letter(Message, frozen=True, kw_only=True):
    """A mail as the contact would read it."""

    subject: str = ""
    text: str = ""
    """Its plain-text part, the first 3,000 characters."""
    not_sent: str = ""
    """Why it would not be sent: `no_consent`, `unsubscribed`, `suppressed`, `no_address`, `frequency_cap`, `not_ready`,
    or `missing:` and a tag that has no value."""


class Simulated(Message, frozen=True, kw_only=True):
    node_id: str
    kind: str
    at: datetime
    """By a clock that does not wait."""
    state: str
    handle: str | None
    effect: dict[str, Any] | None
    """What would have been done."""
    mail: Letter | None = None
    """Of `send_email`."""
    until: datetime | None
    """How long it would have waited at most."""
    note: str = ""


class DryRun(Message, frozen=True, kw_only=True):
    """Nothing is written, and nothing is sent."""

    problems: tuple[Problem, ...] = ()
    """Of a flow that cannot run; then there are no steps."""
    steps: tuple[Simulated, ...] = ()
    outcome: str = ""
    error: str = ""


class NodeFigures(Message, frozen=True, kw_only=True):
    node_id: str
    entered: int
    waiting: int
    """Now."""
    done: int
    failed: int
    branches: dict[str, int] | None
    """How often each way out of it was taken."""


class WorkflowFigures(Message, frozen=True, kw_only=True):
    runs: dict[RunStatus, int]
    nodes: tuple[NodeFigures, ...]


class HookCall(Message, frozen=True, kw_only=True):
    """As it came: the signature is of the very text."""

    id: UUID
    event_id: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.:-]+" + END)]
    timestamp: Annotated[str, Meta(max_length=20)]
    signature: Annotated[str, Meta(max_length=2000)]
    body: Annotated[str, Meta(max_length=65536)]


class Hooked(Message, frozen=True, kw_only=True):
    began: bool
    """False: it was told before, is of nobody, or its re-entry does not let the contact in."""


_KNOWN = (ErrorCode.NOT_FOUND,)
_STATE = (ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)

RUNS = Endpoint("crm", "workflow_runs", RunsQuery, Rows[Run], _KNOWN)
RUNS_OF_CONTACT = Endpoint("crm", "contact_runs", RunsQuery, Rows[Run], _KNOWN)
RUN = Endpoint("crm", "workflow_run", OfRun, RunDetail, _KNOWN)
MOVE_RUN = Endpoint("crm", "move_run", MoveRun, Run, _STATE)
ENROL = Endpoint("crm", "enrol", Enrol, Enrolled, _STATE)
"""Without a trigger: by hand."""
SIMULATE = Endpoint("crm", "simulate_workflow", Simulate, DryRun, _KNOWN)
"""The flow as it is drawn now, published or not."""
FIGURES = Endpoint("crm", "workflow_figures", Of, WorkflowFigures, _KNOWN)
HOOK = Endpoint("crm", "workflow_hook", HookCall, Hooked, _KNOWN)
