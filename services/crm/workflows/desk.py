"""Workflows as administrators draw, publish, pause and drop them."""

from collections.abc import Callable
from typing import Any, cast

import msgspec

from libs.contracts.admin import Rows
from libs.contracts.clock import Clock
from libs.contracts.crm import workflows as rpc
from libs.contracts.crm.common import ListQuery, Of, OfBy
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.crm.workflows import WorkflowOutcome, Workflows
from services.crm.answering import Answer, not_found
from services.crm.workflows.compile import Compiled, compile_flow
from services.crm.workflows.flow import MOST_BYTES, normalised, read_flow
from services.crm.workflows.graph import Known
from services.crm.workflows.hook_secrets import HookSecrets
from services.crm.workflows.publishing import first_times, to_publish


class WorkflowDesk:
    """Raises RpcError: NOT_FOUND, CONFLICT, INVALID_REQUEST."""

    def __init__(self, workflows: Workflows, secrets: HookSecrets, clock: Clock, changed: Callable[[], None]) -> None:
        """`changed()`: runs may be due that were not before."""
        self._workflows = workflows
        self._secrets = secrets
        self._clock = clock
        self._changed = changed

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.WORKFLOWS: self.find,
            rpc.WORKFLOW: self.one,
            rpc.CREATE_WORKFLOW: self.create,
            rpc.CHANGE_WORKFLOW: self.change,
            rpc.DUPLICATE_WORKFLOW: self.duplicate,
            rpc.DROP_WORKFLOW: self.drop,
            rpc.CHECK_FLOW: self.check,
            rpc.ACTIVATE_WORKFLOW: self.activate,
            rpc.PAUSE_WORKFLOW: self.pause,
            rpc.RESUME_WORKFLOW: self.resume,
            rpc.CANCEL_WORKFLOW: self.cancel,
            rpc.WORKFLOW_VERSIONS: self.versions,
            rpc.WORKFLOW_VERSION: self.version,
            rpc.RENEW_HOOK_SECRET: self.renew_hook_secret,
        }

    async def find(self, query: ListQuery) -> Rows[rpc.Workflow]:
        page = await self._workflows.find(query.search, query.limit, query.offset)
        return Rows(rows=page.rows, total=page.total)

    async def one(self, query: Of) -> rpc.WorkflowDetail:
        return await self._checked(await self._known(query.id))

    async def create(self, request: rpc.CreateWorkflow) -> rpc.WorkflowDetail:
        given = _drawn(msgspec.to_builtins(request.workflow))
        return await self._checked(_workflow_of(await self._workflows.save(None, given)))

    async def change(self, request: rpc.ChangeWorkflow) -> rpc.WorkflowDetail:
        given = _drawn(msgspec.to_builtins(request.change))
        expected = given.pop("version", None)
        return await self._checked(_workflow_of(await self._workflows.save(request.id, given, expected)))

    async def duplicate(self, request: OfBy) -> rpc.WorkflowDetail:
        known = await self._known(request.id)
        given = {
            "name": f"{known.name[:190]} (copy)",
            "description": known.description,
            "workflow_definition": known.workflow_definition,
            "settings": msgspec.to_builtins(known.settings),
        }
        return await self._checked(_workflow_of(await self._workflows.save(None, _drawn(given))))

    async def drop(self, request: OfBy) -> rpc.Workflow:
        return _brief(_workflow_of(await self._workflows.drop(request.id, request.by)))

    async def check(self, request: rpc.FlowToCheck) -> rpc.Checked:
        problems = (await self.compiled(normalised(request.workflow_definition))).problems
        return rpc.Checked(valid=not problems, problems=problems)

    async def activate(self, request: OfBy) -> rpc.Activated:
        known = await self._known(request.id)
        compiled = await self.compiled(known.workflow_definition)
        if compiled.graph is None:
            return rpc.Activated(problems=compiled.problems)
        publish = to_publish(compiled.graph, known.settings, self._clock.now())
        done = await self._workflows.activate(request.id, known.version, publish, request.by)
        self._changed()
        return rpc.Activated(workflow=_brief(_workflow_of(done)))

    async def pause(self, request: OfBy) -> rpc.Workflow:
        return _brief(_workflow_of(await self._workflows.pause(request.id, request.by)))

    async def resume(self, request: OfBy) -> rpc.Workflow:
        known = await self._known(request.id)
        published = await self._workflows.version(request.id, known.published or 0)
        times: list[dict[str, str | None]] = []
        if published is not None:
            graph = (await self.compiled(published.workflow_definition)).graph
            times = first_times(graph, self._clock.now()) if graph is not None else []
        resumed = _workflow_of(await self._workflows.resume(request.id, times, request.by))
        self._changed()
        return _brief(resumed)

    async def cancel(self, request: OfBy) -> rpc.Workflow:
        return _brief(_workflow_of(await self._workflows.cancel(request.id, request.by)))

    async def versions(self, query: Of) -> Rows[rpc.WorkflowVersion]:
        versions = await self._workflows.versions(query.id)
        if versions is None:
            raise not_found("workflow")
        return Rows(rows=versions, total=len(versions))

    async def version(self, query: rpc.OfVersion) -> rpc.VersionDetail:
        version = await self._workflows.version(query.id, query.number)
        if version is None:
            raise not_found("version")
        return version

    async def renew_hook_secret(self, request: OfBy) -> rpc.HookSecret:
        secret = await self._secrets.renew(request.id, request.by)
        if secret is None:
            raise not_found("workflow")
        return rpc.HookSecret(secret=secret)

    async def compiled(self, flow: dict[str, Any]) -> Compiled:
        known = await self._workflows.referable()
        return compile_flow(flow, msgspec.convert(known, Known, from_attributes=True))

    async def _known(self, id: Any) -> rpc.WorkflowDetail:
        workflow = await self._workflows.one(id)
        if workflow is None:
            raise not_found("workflow")
        return workflow

    async def _checked(self, workflow: rpc.WorkflowDetail) -> rpc.WorkflowDetail:
        problems = (await self.compiled(workflow.workflow_definition)).problems
        return msgspec.structs.replace(workflow, problems=problems)


def _drawn(given: dict[str, Any]) -> dict[str, Any]:
    """With what the drawing says of itself; of version 11 of the canvas, as version 12 would have saved it. What is
    too large to be read is not kept either. Raises RpcError."""
    flow = given.get("workflow_definition")
    if flow is None:
        return given
    if len(msgspec.json.encode(flow)) > MOST_BYTES:
        raise RpcError(ErrorCode.INVALID_REQUEST, f"`workflow_definition` is longer than {MOST_BYTES // 1024} kB")
    flow = normalised(flow)
    params = [node.data.get("params") for node in read_flow(flow).nodes.values() if node.kind == "trigger"]
    events = [each.get("event") for each in params if isinstance(each, dict)]
    trigger = next((event for event in events if isinstance(event, str)), "")
    return given | {"workflow_definition": flow, "trigger_type": trigger[:50].replace("\x00", "")}


def _brief(workflow: rpc.WorkflowDetail) -> rpc.Workflow:
    return msgspec.convert(workflow, rpc.Workflow, from_attributes=True)


def _workflow_of(outcome: WorkflowOutcome) -> rpc.WorkflowDetail:
    """Raises RpcError when it was not done."""
    if outcome.outcome == "not_found":
        raise not_found("workflow")
    if outcome.outcome == "conflict":
        raise RpcError(ErrorCode.CONFLICT, outcome.message or "Something is in the way")
    return cast(rpc.WorkflowDetail, outcome.workflow)
