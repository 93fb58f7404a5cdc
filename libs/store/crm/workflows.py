"""Workflows and their published versions: tables `crm_workflows`, `crm_workflow_versions`."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.contracts.crm.workflows import VersionDetail, Workflow, WorkflowDetail, WorkflowVersion
from libs.store.database import Database
from libs.store.rows import read_optional, read_value


class WorkflowOutcome(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Literal["done", "not_found", "conflict"]
    message: str | None = None
    workflow: WorkflowDetail | None = None


class WorkflowPage(msgspec.Struct, frozen=True):
    rows: tuple[Workflow, ...]
    total: int


class Referable(msgspec.Struct, frozen=True):
    """What flows may refer to."""

    templates: dict[UUID, UUID]
    """Of those that can be sent, the version."""
    segments: dict[UUID, Literal["static", "dynamic"]]
    webhooks: frozenset[UUID]
    custom_fields: frozenset[str]


class PublishedTrigger(msgspec.Struct, frozen=True):
    node: str
    params: dict[str, Any]


class Published(msgspec.Struct, frozen=True):
    """Of which new runs are."""

    id: UUID
    triggers: tuple[PublishedTrigger, ...]


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """What is published of a workflow."""

    graph: Any
    checksum: str
    uses: Sequence[Mapping[str, str]]
    """Each a `segment_id`, `template_id` or `webhook_id`."""
    schedules: Sequence[Mapping[str, str | None]]
    """Triggers of a clock: `node_id`, `segment_id`, `due_at`."""


class Workflows:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, search: str, limit: int, offset: int) -> WorkflowPage:
        data = await self._database.call(
            "crm_find_workflows", search=search.strip() or None, at_most=limit, skipped=offset
        )
        return read_value(data, WorkflowPage)

    async def one(self, workflow: UUID) -> WorkflowDetail | None:
        return read_optional(await self._database.call("crm_one_workflow", workflow=str(workflow)), WorkflowDetail)

    async def save(
        self, workflow: UUID | None, given: Mapping[str, Any], expected: int | None = None
    ) -> WorkflowOutcome:
        """None: a new one."""
        return await self._outcome(
            "crm_save_workflow", workflow=str(workflow) if workflow else None, given=dict(given), expected=expected
        )

    async def drop(self, workflow: UUID, by: str) -> WorkflowOutcome:
        return await self._outcome("crm_drop_workflow", workflow=str(workflow), actor=by)

    async def activate(self, workflow: UUID, version: int, compiled: Compiled, by: str) -> WorkflowOutcome:
        """`version`: that of which it was compiled."""
        return await self._outcome(
            "crm_activate_workflow", workflow=str(workflow), expected=version, actor=by, **msgspec.to_builtins(compiled)
        )

    async def pause(self, workflow: UUID, by: str) -> WorkflowOutcome:
        return await self._outcome("crm_pause_workflow", workflow=str(workflow), why="", actor=by)

    async def resume(self, workflow: UUID, schedules: Sequence[Mapping[str, str | None]], by: str) -> WorkflowOutcome:
        return await self._outcome("crm_resume_workflow", workflow=str(workflow), schedules=[*schedules], actor=by)

    async def cancel(self, workflow: UUID, by: str) -> WorkflowOutcome:
        return await self._outcome("crm_cancel_workflow", workflow=str(workflow), actor=by)

    async def versions(self, workflow: UUID) -> tuple[WorkflowVersion, ...] | None:
        """The newest first."""
        data = await self._database.call("crm_workflow_versions_of", workflow=str(workflow))
        return read_optional(data, tuple[WorkflowVersion, ...])

    async def version(self, workflow: UUID, number: int) -> VersionDetail | None:
        data = await self._database.call("crm_workflow_version", workflow=str(workflow), of_number=number)
        return read_optional(data, VersionDetail)

    async def published(self, workflow: UUID) -> Published | None:
        return read_optional(await self._database.call("crm_published_workflow", workflow=str(workflow)), Published)

    async def referable(self) -> Referable:
        return read_value(await self._database.call("crm_workflow_known"), Referable)

    async def renew_hook_secret(self, workflow: UUID, sealed: str, by: str) -> bool:
        """False: there is no such workflow."""
        data = await self._database.call("crm_renew_hook_secret", workflow=str(workflow), secret=sealed, actor=by)
        return read_value(data, bool)

    async def _outcome(self, function: str, **arguments: Any) -> WorkflowOutcome:
        return read_value(await self._database.call(function, **arguments), WorkflowOutcome)
