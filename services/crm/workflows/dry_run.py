"""What would become of a contact: its way through a flow by a clock that does not wait, with nothing done."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import msgspec

from libs.contracts.crm import workflow_runs as rpc
from libs.contracts.crm.workflows import WorkflowSettings
from libs.contracts.ids import derived_id
from libs.store.crm.runs import Due, Standing
from services.crm.workflows import params as p
from services.crm.workflows.graph import Graph
from services.crm.workflows.walk import Place, Program, Taken, walk

_MOST = 500
"""Steps that are told."""


def simulated(
    graph: Graph, settings: WorkflowSettings, standing: Standing, wanted: rpc.Simulation, now: datetime
) -> rpc.DryRun:
    program = Program(graph, settings)
    begin = wanted.trigger or min(node.id for node in graph.triggers())
    due = Due(
        run=UUID(derived_id("dry run", str(standing.contact_id))), seq=0, version=UUID(int=0),
        contact=standing.contact_id, node=begin, waits=None, visits={}, steps=0, attempt=1, now=now, due_at=now,
        entered_at=now, since=None, found=None, event=wanted.data, facts=dict(standing.facts),
    )  # fmt: skip
    told: list[rpc.Simulated] = []
    while True:
        walked = walk(due, program)
        told += [_step(step, due.now, walked.place) for step in walked.steps]
        place = walked.place
        if place.status in ("completed", "failed") or len(told) >= _MOST:
            more = place.status not in ("completed", "failed")
            return rpc.DryRun(
                steps=tuple(told[:_MOST]),
                outcome=place.outcome or "",
                error=place.error or ("too long" if more else ""),
            )
        due = _later(due, walked.steps, place, program, wanted)


def _later(due: Due, steps: Iterable[Taken], place: Place, program: Program, wanted: rpc.Simulation) -> Due:
    """When it goes on, with all that has happened until then."""
    visits, facts = dict(due.visits), dict(due.facts or {})
    entered = due.steps
    for step in steps:
        entered += step.visit > visits.get(step.node, 0)
        visits[step.node] = step.visit
        if step.effect is not None:
            facts = _changed(facts, step.effect)
    _, told = program.nodes[place.node]
    found: tuple[dict[str, Any], ...] | None = None
    now = place.due_at or due.now
    if place.waits == "event" and wanted.events and isinstance(told, p.EventMatch):
        found, now = (_event(told),), due.now
    elif place.waits == "result":
        found, now = ({"outcome": "sent" if wanted.sent else "failed", "error": "not sent"},), due.now
    return msgspec.structs.replace(
        due, seq=due.seq + 1, node=place.node, waits=place.waits, visits=visits, steps=entered, attempt=place.attempt,
        now=now, due_at=now, entered_at=place.entered_at or due.now, since=place.since, found=found, facts=facts,
    )  # fmt: skip


def _event(told: p.EventMatch) -> dict[str, Any]:
    """The data of one that it matches."""
    data: dict[str, Any] = {"fields": list(told.fields), "tag": told.tag, "losses": told.losses, **told.where}
    if told.segment_id is not None:
        data["segment"] = str(told.segment_id)
    return data


def _changed(facts: Mapping[str, Any], effect: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of the contact after an effect."""
    after = dict(facts)
    match effect["do"]:
        case "add_tag":
            after["tags"] = sorted({*facts.get("tags", ()), effect["tag"].strip().lower()})
        case "remove_tag":
            after["tags"] = [tag for tag in facts.get("tags", ()) if tag != effect["tag"].strip().lower()]
        case "add_score":
            after["score"] = max(0, min(100, facts.get("score", 0) + effect["points"]))
        case "add_to_segment":
            after["segments"] = [*facts.get("segments", ()), effect["segment_id"]]
        case "remove_from_segment":
            after["segments"] = [one for one in facts.get("segments", ()) if one != effect["segment_id"]]
        case "update_contact":
            after.update(cast(Mapping[str, Any], effect["fields"]))
    return after


def _step(step: Taken, at: datetime, place: Place) -> rpc.Simulated:
    waits = step.state == "waiting" and place.node == step.node
    return rpc.Simulated(
        node_id=step.node, kind=step.kind, at=at, state=step.state, handle=step.handle,
        effect=dict(step.effect) if step.effect is not None else None, until=place.due_at if waits else None,
        note=step.error or "",
    )  # fmt: skip
