"""Workflows as tests draw, publish and follow them."""

import asyncio
from itertools import pairwise
from typing import Any

from libs.contracts.ids import new_id
from tests.integration.crm.stack import CrmStack
from tests.unit.crm.workflows.drawings import HANDLES, edge, flow, node

__all__ = ["edge", "flow", "node"]

MANUAL = {"event": "manual"}


def line(*nodes: dict[str, Any], trigger: dict[str, Any] | None = None) -> dict[str, Any]:
    """A trigger, these one behind another, and an exit."""
    all_ = [node("begin", "trigger", trigger or MANUAL), *nodes, node("end", "exit", {})]
    edges = [
        edge(one["id"], other["id"], handle)
        for one, other in pairwise(all_)
        for handle in HANDLES.get(one["type"], [None])
    ]
    return flow(all_, edges)


async def a_workflow(crm: CrmStack, drawn: dict[str, Any], **settings: Any) -> str:
    """The id of one that runs."""
    body = {"name": f"Workflow {new_id()}", "workflow_definition": drawn, "settings": settings}
    made = (await crm.ask("POST", "workflows", body))["data"]
    assert made["problems"] == []
    activated = (await crm.ask("POST", f"workflows/{made['id']}/activate"))["data"]
    assert activated["problems"] == []
    return str(made["id"])


async def enrol(crm: CrmStack, workflow: str, *contacts: str, **data: Any) -> list[str]:
    """The runs that began."""
    body = {"contacts": [*contacts], "data": data}
    runs: list[str] = (await crm.ask("POST", f"workflows/{workflow}/execute", body))["data"]["runs"]
    return runs


async def run_of(crm: CrmStack, workflow: str, run: str, *statuses: str) -> dict[str, Any]:
    """Once it has one of these statuses."""
    async with asyncio.timeout(20):
        while True:
            found: dict[str, Any] = (await crm.ask("GET", f"workflows/{workflow}/executions/{run}"))["data"]
            if found["status"] in statuses:
                return found
            await asyncio.sleep(0.05)


async def ended(crm: CrmStack, workflow: str, run: str) -> dict[str, Any]:
    return await run_of(crm, workflow, run, "completed", "failed", "cancelled")


def way(run: dict[str, Any]) -> list[tuple[str, str]]:
    """Nodes, and how each was left."""
    return [(step["node_id"], step["handle"]) for step in run["log"]]
