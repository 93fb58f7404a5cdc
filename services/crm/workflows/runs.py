"""Runs as administrators see, begin, pause and end them."""

from collections.abc import Awaitable, Callable
from typing import Any

from libs.contracts.admin import Rows
from libs.contracts.clock import Clock
from libs.contracts.crm import workflow_runs as rpc
from libs.contracts.crm.common import Of
from libs.contracts.crm.workflows import WorkflowDetail
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.crm.runs import Entry, RunPage, Runs
from libs.store.crm.workflows import Workflows
from services.crm.answering import Answer, not_found
from services.crm.workflows.compile import Compiled
from services.crm.workflows.dry_run import simulated
from services.crm.workflows.graph import Graph
from services.crm.workflows.letters import Letters


class RunDesk:
    """Raises RpcError: NOT_FOUND, CONFLICT, INVALID_REQUEST."""

    def __init__(
        self,
        runs: Runs,
        workflows: Workflows,
        compiled: Callable[[dict[str, Any]], Awaitable[Compiled]],
        letters: Letters,
        clock: Clock,
        due: Callable[[], None],
    ) -> None:
        """`due()`: runs are due."""
        self._runs = runs
        self._workflows = workflows
        self._compiled = compiled
        self._letters = letters
        self._clock = clock
        self._due = due

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.RUNS: self.of_workflow,
            rpc.RUNS_OF_CONTACT: self.of_contact,
            rpc.RUN: self.one,
            rpc.MOVE_RUN: self.move,
            rpc.ENROL: self.enrol,
            rpc.SIMULATE: self.simulate,
            rpc.FIGURES: self.figures,
        }

    async def of_workflow(self, query: rpc.RunsQuery) -> Rows[rpc.Run]:
        return _page(await self._runs.of_workflow(query), "workflow")

    async def of_contact(self, query: rpc.RunsQuery) -> Rows[rpc.Run]:
        return _page(await self._runs.of_contact(query), "contact")

    async def one(self, query: rpc.OfRun) -> rpc.RunDetail:
        run = await self._runs.one(query.id, query.run)
        if run is None:
            raise not_found("run")
        return run

    async def move(self, request: rpc.MoveRun) -> rpc.Run:
        moved = await self._runs.move(request.id, request.run, request.wanted, request.by)
        if moved is None:
            raise not_found("run")
        if not moved.moved:
            raise RpcError(ErrorCode.CONFLICT, f"The run is {moved.run.status}")
        self._due()
        return moved.run

    async def enrol(self, request: rpc.Enrol) -> rpc.Enrolled:
        """At a trigger for that, or else at the first there is."""
        workflow = await self._known(request.id)
        published = await self._workflows.published(request.id)
        if workflow.status != "active" or published is None:
            raise RpcError(ErrorCode.CONFLICT, "The workflow is not active")
        triggers = sorted(published.triggers, key=lambda one: one.params.get("event") != "manual")
        entries = [
            Entry(
                workflow=request.id, version=published.id, contact=contact, key=f"hand:{request.key}",
                node=triggers[0].node, event={**request.enrolment.data, "type": "manual"},
            )
            for contact in sorted(set(request.enrolment.contacts))
        ]  # fmt: skip
        began = await self._runs.enter(entries)
        self._due()
        return rpc.Enrolled(runs=began)

    async def simulate(self, request: rpc.Simulate) -> rpc.DryRun:
        workflow, wanted = await self._known(request.id), request.simulation
        standing = await self._runs.standing(wanted.contact)
        if standing is None:
            raise not_found("contact")
        compiled = await self._compiled(workflow.workflow_definition)
        if compiled.graph is None:
            return rpc.DryRun(problems=compiled.problems)
        _check_trigger(compiled.graph, wanted.trigger)
        write = await self._letters.to(standing.contact_id, compiled.graph)
        return simulated(compiled.graph, workflow.settings, standing, wanted, self._clock.now(), write)

    async def figures(self, query: Of) -> rpc.WorkflowFigures:
        figures = await self._runs.figures(query.id)
        if figures is None:
            raise not_found("workflow")
        return figures

    async def _known(self, id: Any) -> WorkflowDetail:
        workflow = await self._workflows.one(id)
        if workflow is None:
            raise not_found("workflow")
        return workflow


def _check_trigger(graph: Graph, id: str) -> None:
    if id and id not in {node.id for node in graph.triggers()}:
        raise RpcError(ErrorCode.INVALID_REQUEST, f"`trigger`: {id} is none")


def _page(page: RunPage | None, what: str) -> Rows[rpc.Run]:
    if page is None:
        raise not_found(what)
    return Rows(rows=page.rows, total=page.total)
