"""Contacts on their way through workflows."""

from typing import Literal

from libs.bus import Bus
from libs.contracts.crm import workflow_runs as rpc
from libs.contracts.crm.common import Of
from libs.contracts.ids import new_id
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, Listed, change, done, listed, read, told
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing
from services.socket_edge.route import Rate

_WORKFLOW = "workflows/{id}"
_RUN = f"{_WORKFLOW}/executions/{{run}}"
RUNS = read(f"{_WORKFLOW}/executions", "Runs of a workflow, the newest first", rpc.RunsQuery, Listed[rpc.Run])
RUN = read(_RUN, "A run, and what was done at each node", rpc.OfRun, Data[rpc.RunDetail])
OF_CONTACT = read("contacts/{id}/executions", "A contact's runs, the newest first", rpc.RunsQuery, Listed[rpc.Run])
ENROL = change(
    "POST",
    f"{_WORKFLOW}/execute",
    "Let contacts in, as far as its re-entry does",
    Of,
    rpc.Enrolment,
    Done[rpc.Enrolled],
)
SIMULATE = change(
    "POST", f"{_WORKFLOW}/dry-run", "What would become of a contact; nothing is done", Of, rpc.Simulation,
    Data[rpc.DryRun], Rate.COSTLY,
)  # fmt: skip
FIGURES = read(f"{_WORKFLOW}/stats", "How often each node and way was taken", Of, Data[rpc.WorkflowFigures])
PAUSE = change("POST", f"{_RUN}/pause", "Let a run stand still", rpc.OfRun, Nothing, Done[rpc.Run])
RESUME = change("POST", f"{_RUN}/resume", "Let a run go on", rpc.OfRun, Nothing, Done[rpc.Run])
CANCEL = change("POST", f"{_RUN}/cancel", "End a run", rpc.OfRun, Nothing, Done[rpc.Run])


def handlers(bus: Bus) -> Handlers:
    def enrolled(call: Call[Of, rpc.Enrolment]) -> rpc.Enrol:
        return rpc.Enrol(by=call.user, id=call.query.id, key=new_id(), enrolment=call.body)

    def moved(call: Call[rpc.OfRun, Nothing], wanted: Literal["paused", "active", "cancelled"]) -> rpc.MoveRun:
        return rpc.MoveRun(by=call.user, id=call.query.id, run=call.query.run, wanted=wanted)

    async def simulate(call: Call[Of, rpc.Simulation]) -> Data[rpc.DryRun]:
        request = rpc.Simulate(by=call.user, id=call.query.id, simulation=call.body)
        return Data(data=await bus.call(rpc.SIMULATE, request))

    return {
        RUNS: listed(bus, rpc.RUNS),
        RUN: told(bus, rpc.RUN),
        OF_CONTACT: listed(bus, rpc.RUNS_OF_CONTACT),
        ENROL: done(bus, rpc.ENROL, enrolled, "Contacts let in"),
        SIMULATE: simulate,
        FIGURES: told(bus, rpc.FIGURES),
        PAUSE: done(bus, rpc.MOVE_RUN, lambda call: moved(call, "paused"), "Run paused"),
        RESUME: done(bus, rpc.MOVE_RUN, lambda call: moved(call, "active"), "Run goes on"),
        CANCEL: done(bus, rpc.MOVE_RUN, lambda call: moved(call, "cancelled"), "Run cancelled"),
    }
