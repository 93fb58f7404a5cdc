"""Workflows."""

from libs.bus import Bus
from libs.contracts.crm import workflows as rpc
from libs.contracts.crm.common import ListQuery, Of
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, Listed, change, done, listed, of_by, read, told
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing

_ONE = "workflows/{id}"
WORKFLOWS = read("workflows", "Workflows, the newest first", ListQuery, Listed[rpc.Workflow])
CREATE = change("POST", "workflows", "Save a new workflow", Nothing, rpc.NewWorkflow, Done[rpc.WorkflowDetail])
CHECK = change("POST", "workflows/check", "All that is wrong with a flow", Nothing, rpc.FlowToCheck, Data[rpc.Checked])
WORKFLOW = read(_ONE, "A workflow, and what keeps it from being published", Of, Data[rpc.WorkflowDetail])
REPLACE = change("PUT", _ONE, "Save a workflow", Of, rpc.WorkflowChange, Done[rpc.WorkflowDetail])
CHANGE = change("PATCH", _ONE, "Save a workflow", Of, rpc.WorkflowChange, Done[rpc.WorkflowDetail])
DROP = change("DELETE", _ONE, "Drop a workflow that nobody is on the way through", Of, Nothing, Done[rpc.Workflow])
DUPLICATE = change("POST", f"{_ONE}/duplicate", "Draw a workflow anew", Of, Nothing, Done[rpc.WorkflowDetail])
ACTIVATE = change("POST", f"{_ONE}/activate", "Publish a workflow and let it run", Of, Nothing, Done[rpc.Activated])
PAUSE = change("POST", f"{_ONE}/pause", "Let a workflow stand still", Of, Nothing, Done[rpc.Workflow])
RESUME = change("POST", f"{_ONE}/resume", "Let it go on, as it was published", Of, Nothing, Done[rpc.Workflow])
CANCEL = change("POST", f"{_ONE}/cancel", "Pause it and end everybody's way", Of, Nothing, Done[rpc.Workflow])
VERSIONS = read(f"{_ONE}/versions", "What was published of a workflow", Of, Listed[rpc.WorkflowVersion])
VERSION = read(f"{_ONE}/versions/{{number}}", "A version with its flow", rpc.OfVersion, Data[rpc.VersionDetail])
HOOK_SECRET = change(
    "POST", f"{_ONE}/hook-secret", "A new secret for calls from outside; it is told once", Of, Nothing,
    Done[rpc.HookSecret],
)  # fmt: skip


def handlers(bus: Bus) -> Handlers:
    def created(call: Call[Nothing, rpc.NewWorkflow]) -> rpc.CreateWorkflow:
        return rpc.CreateWorkflow(by=call.user, workflow=call.body)

    def changed(call: Call[Of, rpc.WorkflowChange]) -> rpc.ChangeWorkflow:
        return rpc.ChangeWorkflow(by=call.user, id=call.query.id, change=call.body)

    async def check(call: Call[Nothing, rpc.FlowToCheck]) -> Data[rpc.Checked]:
        return Data(data=await bus.call(rpc.CHECK_FLOW, call.body))

    async def activate(call: Call[Of, Nothing]) -> Done[rpc.Activated]:
        """Of a flow with problems nothing is done, and they are told: that is an answer, not an error."""
        activated = await bus.call(rpc.ACTIVATE_WORKFLOW, of_by(call))
        return Done(message="Workflow activated" if activated.workflow else "Workflow has problems", data=activated)

    return {
        WORKFLOWS: listed(bus, rpc.WORKFLOWS),
        CREATE: done(bus, rpc.CREATE_WORKFLOW, created, "Workflow saved"),
        CHECK: check,
        WORKFLOW: told(bus, rpc.WORKFLOW),
        REPLACE: done(bus, rpc.CHANGE_WORKFLOW, changed, "Workflow saved"),
        CHANGE: done(bus, rpc.CHANGE_WORKFLOW, changed, "Workflow saved"),
        DROP: done(bus, rpc.DROP_WORKFLOW, of_by, "Workflow dropped"),
        DUPLICATE: done(bus, rpc.DUPLICATE_WORKFLOW, of_by, "Workflow duplicated"),
        ACTIVATE: activate,
        PAUSE: done(bus, rpc.PAUSE_WORKFLOW, of_by, "Workflow paused"),
        RESUME: done(bus, rpc.RESUME_WORKFLOW, of_by, "Workflow goes on"),
        CANCEL: done(bus, rpc.CANCEL_WORKFLOW, of_by, "Workflow cancelled"),
        VERSIONS: listed(bus, rpc.WORKFLOW_VERSIONS),
        VERSION: told(bus, rpc.WORKFLOW_VERSION),
        HOOK_SECRET: done(bus, rpc.RENEW_HOOK_SECRET, of_by, "Secret renewed"),
    }
