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
from services.crm.workflows.letters import Write
from services.crm.workflows.walk import Place, Program, Taken, walk

_MOST = 200
"""Steps that are told."""


def simulated(
    graph: Graph, settings: WorkflowSettings, standing: Standing, wanted: rpc.Simulation, now: datetime, write: Write
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
        place, facts, mail = walked.place, due.facts or {}, None
        for step in walked.steps:
            mail = write(step.effect, facts) if step.effect is not None and step.kind == "send_email" else None
            told.append(_step(step, due.now, place, mail))
            facts = _changed(facts, step.effect) if step.effect is not None else facts
        if place.status in ("completed", "failed") or len(told) >= _MOST:
            more = place.status not in ("completed", "failed")
            return rpc.DryRun(
                steps=tuple(told[:_MOST]),
                outcome=place.outcome or "",
                error=place.error or ("too long" if more else ""),
            )
        _, waiting = program.nodes[place.node]
        found = _found(place, waiting, wanted, mail)
        now = place.due_at if found is None and place.due_at is not None else due.now
        due = msgspec.structs.replace(
            _behind(due, walked.steps), node=place.node, waits=place.waits, attempt=place.attempt, since=place.since,
            now=now, due_at=now, entered_at=place.entered_at or due.now, found=found, facts=dict(facts),
        )  # fmt: skip


def _behind(due: Due, steps: Iterable[Taken]) -> Due:
    """With these steps taken."""
    visits, entered = dict(due.visits), due.steps
    for step in steps:
        entered += step.visit > visits.get(step.node, 0)
        visits[step.node] = step.visit
    return msgspec.structs.replace(due, seq=due.seq + 1, visits=visits, steps=entered)


def _found(
    place: Place, waiting: p.Params, wanted: rpc.Simulation, mail: rpc.Letter | None
) -> tuple[dict[str, Any], ...] | None:
    """What comes of that for which it waits; None: time passes."""
    if place.waits == "event" and wanted.events and isinstance(waiting, p.EventMatch):
        return (_event(waiting),)
    if place.waits != "result":
        return None
    if mail is not None and mail.not_sent:
        return ({"outcome": "skipped", "error": mail.not_sent},)
    return ({"outcome": "sent" if wanted.sent else "failed", "error": "not sent"},)


def _event(told: p.EventMatch) -> dict[str, Any]:
    """The data of one that it matches."""
    data: dict[str, Any] = {
        "fields": list(told.fields) or ["name"],
        "tag": told.tag,
        "losses": told.losses,
        **told.where,
    }
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


def _step(step: Taken, at: datetime, place: Place, mail: rpc.Letter | None) -> rpc.Simulated:
    waits = step.state == "waiting" and place.node == step.node
    return rpc.Simulated(
        node_id=step.node, kind=step.kind, at=at, state=step.state, handle=step.handle,
        effect=dict(step.effect) if step.effect is not None else None, mail=mail, until=place.due_at if waits else None,
        note=step.error or "",
    )  # fmt: skip
