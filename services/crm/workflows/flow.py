"""What the canvas saves (React Flow's `toObject()`): read as far as it matters to us, whatever else is in it. What is
wrong with it is told, not raised: a flow is saved while it is being drawn."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from libs.contracts.crm.workflows import Problem
from services.crm.workflows import kinds

MOST_NODES = 200
MOST_EDGES = 400
MOST_BYTES = 512 * 1024
LONGEST_ID = 64
_SECRET = ("secret", "password", "passwd", "api_key", "apikey", "token", "authorization", "private_key")


class DrawnNode(NamedTuple):
    id: str
    kind: str
    data: Mapping[str, Any]


class DrawnEdge(NamedTuple):
    id: str
    source: str
    handle: str
    target: str
    target_handle: str


class Drawing(NamedTuple):
    nodes: dict[str, DrawnNode]
    """Those that run."""
    dropped: frozenset[str]
    """Ids of those that only decorate."""
    edges: list[DrawnEdge]
    problems: list[Problem]


def normalised(flow: Mapping[str, Any]) -> dict[str, Any]:
    """As version 12 of React Flow writes it; all that is not version 11's stays as it is."""
    nodes = flow.get("nodes")
    return {**flow, "nodes": [_of_v12(node) for node in nodes]} if isinstance(nodes, list) else dict(flow)


def read_flow(flow: Mapping[str, Any]) -> Drawing:
    problems = list(_limits(flow))
    nodes, edges = (each if isinstance(each, list) else [] for each in (flow.get("nodes"), flow.get("edges")))
    found: dict[str, DrawnNode] = {}
    dropped = _read_nodes(found, nodes, problems)
    return Drawing(found, dropped, _read_edges(found, edges, problems), problems)


def _of_v12(node: Any) -> Any:
    if not isinstance(node, dict) or not node.keys() & {"parentNode", "positionAbsolute"}:
        return node
    renamed = {name: value for name, value in node.items() if name not in ("parentNode", "positionAbsolute")}
    if "parentNode" in node:
        renamed.setdefault("parentId", node["parentNode"])
    if "width" in node and "height" in node and "measured" not in node:  # version 11 wrote there what it measured
        renamed["measured"] = {"width": renamed.pop("width"), "height": renamed.pop("height")}
    return renamed


def _limits(flow: Mapping[str, Any]) -> Iterator[Problem]:
    for name, most in (("nodes", MOST_NODES), ("edges", MOST_EDGES)):
        listed = flow.get(name)
        if not isinstance(listed, list):
            yield Problem(code="limits", message=f"`{name}` must be a list")
        elif len(listed) > most:
            yield Problem(code="limits", message=f"there are {len(listed)} {name}, and {most} at most")
    if len(msgspec.json.encode(flow)) > MOST_BYTES:
        yield Problem(code="limits", message=f"the flow is longer than {MOST_BYTES // 1024} kB")


def _read_nodes(found: dict[str, DrawnNode], nodes: list[Any], problems: list[Problem]) -> frozenset[str]:
    dropped: set[str] = set()
    for index, node in enumerate(nodes[: MOST_NODES + 1]):
        if not isinstance(node, Mapping) or not _is_id(node.get("id")):
            problems.append(
                Problem(code="bad_node", message=f"node {index + 1} has no id of 1 to {LONGEST_ID} letters")
            )
            continue
        name, data = node["id"], node.get("data")
        if name in found or name in dropped:
            problems.append(Problem(code="limits", node_id=name, message="another node has the same id"))
            continue
        if not isinstance(data, Mapping):
            problems.append(Problem(code="bad_node", node_id=name, message="it has no `data`"))
            data = {}
        kind = kinds.kind_of(data, node.get("type"))
        if kind in kinds.DROPPED:
            dropped.add(name)
        else:
            found[name] = DrawnNode(name, kind, data)
        problems.extend(
            Problem(
                code="secret_in_flow", node_id=name, message=f"`{path}` looks like a secret; refer to a webhook instead"
            )
            for path in _secrets(data, "data")
        )
    return frozenset(dropped)


def _read_edges(nodes: Mapping[str, DrawnNode], edges: list[Any], problems: list[Problem]) -> list[DrawnEdge]:
    read: list[DrawnEdge] = []
    names: set[str] = set()
    for index, edge in enumerate(edges[: MOST_EDGES + 1]):
        if not isinstance(edge, Mapping) or not _is_text(edge.get("source")) or not _is_text(edge.get("target")):
            problems.append(Problem(code="bad_edge", message=f"edge {index + 1} has no `source` or no `target`"))
            continue
        # The canvas makes its name of the names of two nodes and two handles.
        name = edge["id"] if _is_text(edge.get("id")) else f"{edge['source']}-{edge['target']}"
        if name in names:
            problems.append(Problem(code="limits", edge_id=name, message="another edge has the same id"))
        names.add(name)
        source, way_in = nodes.get(edge["source"]), edge.get("targetHandle")
        handle = kinds.handle_of(source.kind if source else "", edge.get("sourceHandle"))
        read.append(DrawnEdge(name, edge["source"], handle, edge["target"], way_in if isinstance(way_in, str) else ""))
    return read


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 400


def _secrets(value: object, path: str) -> Iterator[str]:
    """Where a text is kept under a name that says that it should not be."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            plain = str(name).lower().replace("-", "_")
            if isinstance(part, str) and part and any(word in plain for word in _SECRET):
                yield f"{path}.{name}"
            else:
                yield from _secrets(part, f"{path}.{name}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _secrets(part, f"{path}.{index}")
