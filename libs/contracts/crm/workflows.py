"""What is done with a contact, step by step: how it is written, checked and published. What became of it is in
`workflow_runs`."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from libs.contracts.admin import Rows, Text
from libs.contracts.codec import Message
from libs.contracts.crm.common import By, ListQuery, Name, Of, OfBy
from libs.contracts.rpc import Endpoint, ErrorCode

EventType = Literal[
    "contact_created", "contact_updated", "contact_merged", "tag_added", "tag_removed", "score_changed",
    "segment_entered", "segment_left", "form_submitted", "consent_changed", "mail_sent", "mail_opened",
    "mail_clicked", "mail_bounced", "mail_complained", "unsubscribed", "signed_up", "first_deposit", "bot_started",
    "bot_stopped", "losses_in_a_row", "inactive",
]  # fmt: skip
"""Of the events of contacts, those that begin runs and can be waited for."""
WorkflowStatus = Literal["draft", "active", "paused"]


class Problem(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Something that keeps a flow from being published."""

    code: str
    """Of `services/crm/workflows/checks.py` and the modules beside it; docs/workflows.md has them."""
    message: str
    node_id: str = ""
    edge_id: str = ""


class WorkflowSettings(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Published with the flow."""

    re_entry: Literal["once", "once_per_window", "always", "only_if_not_running"] = "once"
    """When a contact may enter (again)."""
    window_seconds: Annotated[int, Meta(ge=60, le=400 * 86400)] | None = None
    """Of `once_per_window`: so long after the last time it entered."""
    max_steps: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    """A run that takes more has failed…"""
    max_visits: Annotated[int, Meta(ge=1, le=1000)] = 50
    """…as has one that comes to a node more often."""
    runs_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 10_000
    """With more the workflow is paused, and operators are told; a clock lets in no more…"""
    failure_percent: Annotated[int, Meta(ge=1, le=100)] = 20
    """…as they are when more of the runs that ended within an hour have failed, once twenty have ended."""

    def __post_init__(self) -> None:
        if (self.re_entry == "once_per_window") != (self.window_seconds is not None):
            raise ValueError("`window_seconds` is needed with `once_per_window`, and only there")


class NewWorkflow(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name
    description: Text = ""
    workflow_definition: dict[str, Any] = field(default_factory=lambda: {"nodes": [], "edges": []})
    """What React Flow saves, kept as it is."""
    settings: WorkflowSettings = WorkflowSettings()


class WorkflowChange(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    workflow_definition: dict[str, Any] | UnsetType = UNSET
    settings: WorkflowSettings | UnsetType = UNSET
    version: int | UnsetType = UNSET
    """The one that was changed: if it is not the latest any more, nothing is done."""


class Workflow(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    description: str
    status: WorkflowStatus
    paused_because: str
    """Empty where an administrator did it."""
    trigger_type: str
    """What begins it, as it was drawn last."""
    execution_count: int
    version: int
    """Counts saves."""
    published: int | None
    """Number of the version that new runs are of."""
    created_at: datetime
    updated_at: datetime


class WorkflowDetail(Workflow, frozen=True, kw_only=True):
    workflow_definition: dict[str, Any]
    settings: WorkflowSettings
    problems: tuple[Problem, ...] = ()
    """What keeps it from being published as it is now."""


class WorkflowVersion(Message, frozen=True, kw_only=True):
    id: UUID
    number: int
    checksum: str
    published_by: str
    published_at: datetime
    settings: WorkflowSettings


class VersionDetail(WorkflowVersion, frozen=True, kw_only=True):
    workflow_definition: dict[str, Any]


class OfVersion(Of, frozen=True, kw_only=True):
    number: Annotated[int, Meta(ge=1, le=1_000_000)]


class CreateWorkflow(By, frozen=True, kw_only=True):
    workflow: NewWorkflow


class ChangeWorkflow(OfBy, frozen=True, kw_only=True):
    change: WorkflowChange


class FlowToCheck(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    workflow_definition: dict[str, Any]


class Checked(Message, frozen=True, kw_only=True):
    valid: bool
    problems: tuple[Problem, ...]


class Activated(Message, frozen=True, kw_only=True):
    """Of a flow with problems nothing is published."""

    problems: tuple[Problem, ...] = ()
    workflow: Workflow | None = None


class HookSecret(Message, frozen=True, kw_only=True):
    """Told once."""

    secret: str


_KNOWN = (ErrorCode.NOT_FOUND,)
_STATE = (ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)

WORKFLOWS = Endpoint("crm", "workflows", ListQuery, Rows[Workflow])
WORKFLOW = Endpoint("crm", "workflow", Of, WorkflowDetail, _KNOWN)
CREATE_WORKFLOW = Endpoint("crm", "create_workflow", CreateWorkflow, WorkflowDetail)
CHANGE_WORKFLOW = Endpoint("crm", "change_workflow", ChangeWorkflow, WorkflowDetail, _STATE)
DUPLICATE_WORKFLOW = Endpoint("crm", "duplicate_workflow", OfBy, WorkflowDetail, _KNOWN)
"""A draft of its own."""
DROP_WORKFLOW = Endpoint("crm", "drop_workflow", OfBy, Workflow, _STATE)
"""Refused while a run of it goes on."""
CHECK_FLOW = Endpoint("crm", "check_flow", FlowToCheck, Checked)
ACTIVATE_WORKFLOW = Endpoint("crm", "activate_workflow", OfBy, Activated, _STATE)
"""Publishes it, if it does something else than what is published, and lets it run."""
PAUSE_WORKFLOW = Endpoint("crm", "pause_workflow", OfBy, Workflow, _STATE)
"""Nothing begins, and runs stand still."""
RESUME_WORKFLOW = Endpoint("crm", "resume_workflow", OfBy, Workflow, _STATE)
"""As it was published last."""
CANCEL_WORKFLOW = Endpoint("crm", "cancel_workflow", OfBy, Workflow, _STATE)
"""Pauses it, and ends all runs of it."""
WORKFLOW_VERSIONS = Endpoint("crm", "workflow_versions", Of, Rows[WorkflowVersion], _KNOWN)
WORKFLOW_VERSION = Endpoint("crm", "workflow_version", OfVersion, VersionDetail, _KNOWN)
RENEW_HOOK_SECRET = Endpoint("crm", "renew_hook_secret", OfBy, HookSecret, _KNOWN)
"""What calls from outside that begin it are signed with; the one before is valid no longer."""
