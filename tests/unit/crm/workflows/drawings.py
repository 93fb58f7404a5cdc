"""Flows as a canvas saves them."""

from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from libs.contracts.ids import derived_id
from services.crm.workflows.graph import Known

TEMPLATE, STATIC, DYNAMIC, WEBHOOK = (derived_id("workflow tests", name) for name in "tsdw")
KNOWN = Known(
    templates={UUID(TEMPLATE): UUID(derived_id("version"))},
    segments={UUID(STATIC): "static", UUID(DYNAMIC): "dynamic"},
    webhooks=frozenset({UUID(WEBHOOK)}),
    custom_fields=frozenset({"city"}),
)
RULE = {"field": "score", "cmp": "gte", "value": 50}

PARAMS: dict[str, dict[str, Any]] = {
    "trigger": {"event": "contact_created"},
    "condition": {"rule": RULE},
    "switch": {
        "cases": [{"id": "hot", "rule": RULE}, {"id": "local", "rule": {"field": "custom.city", "cmp": "empty"}}]
    },
    "split": {"variants": [{"id": "a"}, {"id": "b", "weight": 3}]},
    "delay": {"seconds": 60},
    "wait_until": {"after": "09:00", "before": "18:00", "weekdays": [1, 2, 3, 4, 5]},
    "wait_for_event": {"event": "mail_opened", "timeout_seconds": 3600},
    "send_email": {"template_id": TEMPLATE, "topic": "news"},
    "send_notification": {"title": "Hello", "body": "There is news."},
    "update_contact": {"fields": {"status": "customer", "custom.city": "Recife"}},
    "add_tag": {"tag": "vip"},
    "remove_tag": {"tag": "vip"},
    "add_score": {"points": 5},
    "add_to_segment": {"segment_id": STATIC},
    "remove_from_segment": {"segment_id": STATIC},
    "webhook": {"webhook_id": WEBHOOK, "payload": {"plan": "gold"}},
    "create_task": {"text": "Call them", "due_in_seconds": 3600},
    "create_note": {"text": "Was here"},
    "goal": {"name": "customer"},
    "jump": {"to": "n1"},
    "exit": {},
}
HANDLES: dict[str, list[str | None]] = {
    "condition": ["true", "false"],
    "switch": ["hot", "local", "default"],
    "split": ["a", "b"],
    "wait_for_event": ["event", "timeout"],
    "goal": [],
    "jump": [],
    "exit": [],
}
"""Of every other kind the one that needs no name."""


def node(id: str, kind: str, params: dict[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    told = PARAMS[kind] if params is None else params
    return {"id": id, "type": kind, "position": {"x": 0, "y": 0}, "data": {"label": kind, "params": told, **data}}


def edge(source: str, target: str, handle: str | None = None) -> dict[str, Any]:
    named = {} if handle is None else {"sourceHandle": handle}
    return {"id": f"xy-edge__{source}{handle or ''}-{target}", "source": source, "target": target, **named}


def flow(nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> dict[str, Any]:
    return {"nodes": nodes, "edges": edges, "viewport": {"x": 0, "y": 0, "zoom": 1}}


def chain(*kinds: str) -> dict[str, Any]:
    """A trigger, these, and an exit, one behind another."""
    nodes = [node(f"n{index}", kind) for index, kind in enumerate(("trigger", *kinds, "exit"))]
    edges = [
        edge(f"n{index}", f"n{index + 1}", handle)
        for index, kind in enumerate(("trigger", *kinds))
        for handle in HANDLES.get(kind, [None])
    ]
    return flow(nodes, edges)


_INNER = [kind for kind in PARAMS if kind not in ("trigger", "jump", "exit", "goal")]


@st.composite
def sound_flows(draw: st.DrawFn) -> dict[str, Any]:
    """Of which nothing is wrong: every way leads to a later node, and so to an end."""
    kinds = ["trigger", *draw(st.lists(st.sampled_from(_INNER), max_size=12)), "exit"]
    nodes = [node(f"n{index}", kind) for index, kind in enumerate(kinds)]
    edges = []
    for index, kind in enumerate(kinds[:-1]):
        handles = HANDLES.get(kind, [None])
        for number, handle in enumerate(handles):
            # The first leads to the next node, so that each can be reached.
            target = index + 1 if number == 0 else draw(st.integers(index + 1, len(kinds) - 1))
            edges.append(edge(f"n{index}", f"n{target}", handle))
    return flow(nodes, draw(st.permutations(edges)))


_SCALARS = st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats(allow_nan=False) | st.text(max_size=8)
_WORDS = st.sampled_from(
    [
        "id",
        "type",
        "data",
        "params",
        "source",
        "target",
        "sourceHandle",
        "kind",
        "rule",
        "op",
        "children",
        "retry",
        "n1",
    ]
)
anything = st.recursive(
    _SCALARS | st.sampled_from(["n1", "n2", "trigger", "switch", "and"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def wild_flows(draw: st.DrawFn) -> dict[str, Any]:
    """Whatever somebody may send."""
    some = st.builds(
        lambda name, kind, params: {"id": name, "type": kind, "data": {"params": params}},
        st.sampled_from(["n1", "n2", "n3", "n4"]),
        st.sampled_from([*PARAMS, "group", "nonsense"]),
        st.sampled_from(list(PARAMS.values())) | anything,
    )
    ends = st.sampled_from(["n1", "n2", "n3", "n4", "n9"])
    handle = st.sampled_from([None, "", "out", "true", "false", "a", "b", "event", "error"])
    edges = st.builds(lambda *ends: {"id": "e", **edge(*ends)}, ends, ends, handle)
    return {
        "nodes": draw(st.lists(some | anything, max_size=6) | anything),
        "edges": draw(st.lists(edges | anything, max_size=8) | anything),
    }
