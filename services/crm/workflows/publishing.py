"""What is written when a workflow is published: its graph, and what is looked up in it without reading it."""

import hashlib
from collections.abc import Iterator
from datetime import datetime

import msgspec

from libs.contracts.crm.workflows import WorkflowSettings
from libs.store.crm.workflows import Compiled
from services.crm.workflows import params as p
from services.crm.workflows.compile import checksum
from services.crm.workflows.graph import Graph
from services.crm.workflows.references import segments_in


def to_publish(graph: Graph, settings: WorkflowSettings, now: datetime) -> Compiled:
    told = hashlib.sha256(checksum(graph).encode() + msgspec.json.encode(settings, order="sorted"))
    return Compiled(
        graph=msgspec.to_builtins(graph),
        checksum=told.hexdigest(),
        uses=[{name: value} for name, value in sorted(set(_uses(graph)))],
        schedules=first_times(graph, now),
    )


def first_times(graph: Graph, now: datetime) -> list[dict[str, str | None]]:
    """Of each trigger that a clock sets off: when that is the next time, and for whom."""
    schedules = [(node.id, told) for node in graph.triggers() if isinstance(told := node.told, p.Schedule)]
    return [
        {"node_id": node, "segment_id": str(told.segment_id), "due_at": time_of(told.next_after(now))}
        for node, told in schedules
    ]


def time_of(time: datetime | None) -> str | None:
    return time.isoformat() if time is not None else None


def _uses(graph: Graph) -> Iterator[tuple[str, str]]:
    for node in graph.nodes.values():
        told = node.told
        if isinstance(told, p.SendEmail):
            yield "template_id", str(told.template_id)
        elif isinstance(told, p.Webhook):
            yield "webhook_id", str(told.webhook_id)
        elif (segment := getattr(told, "segment_id", None)) is not None:
            yield "segment_id", str(segment)
        for name in segments_in(told):
            yield "segment_id", name
