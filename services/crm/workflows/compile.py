"""From a drawing to a graph that runs, or to all that is wrong with it."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from libs.contracts.crm.workflows import Problem
from services.crm.workflows import checks, references
from services.crm.workflows import params as p
from services.crm.workflows.flow import Drawing, DrawnEdge, DrawnNode, read_flow
from services.crm.workflows.graph import Graph, Handling, Known, Node
from services.crm.workflows.kinds import ERROR, KINDS, OUT, read_params


class Compiled(NamedTuple):
    graph: Graph | None
    """None where anything is wrong."""
    problems: tuple[Problem, ...]


class _Read(NamedTuple):
    """A node of a kind that there is."""

    kind: str
    params: p.Params | None
    """None where they are wrong; then the ways out of it are not known either."""
    handling: Handling

    @property
    def handles(self) -> tuple[str, ...] | None:
        if self.params is None:
            return None
        failing = (ERROR,) if self.handling.on_error == "error_handle" else ()
        return KINDS[self.kind].handles(self.params) + failing


def compile_flow(flow: Mapping[str, Any], known: Known) -> Compiled:
    """Never raises, whatever the flow is."""
    drawing = read_flow(flow)
    problems = list(drawing.problems)
    nodes: dict[str, _Read] = {}
    for drawn in drawing.nodes.values():
        if drawn.kind in KINDS:
            nodes[drawn.id] = _read(drawn, known, problems)
        else:
            problems.append(Problem(code="unknown_kind", node_id=drawn.id, message=f"there is no kind {drawn.kind}"))
    out = _connect(drawing, nodes, problems)
    open_ended = frozenset(_open_ends(nodes, out, problems))
    ways = {node: frozenset(leads.values()) for node, leads in out.items()}
    kinds = {node: drawn.kind for node, drawn in drawing.nodes.items()}
    problems.extend(checks.wrong_with(kinds, ways, open_ended))
    if problems:
        return Compiled(None, tuple(problems))
    return Compiled(Graph(nodes={name: _node(name, read, out[name], known) for name, read in nodes.items()}), ())


def checksum(graph: Graph) -> str:
    """The same for all drawings that do the same, wherever their nodes stand on the canvas."""
    return hashlib.sha256(msgspec.json.encode(graph, order="sorted")).hexdigest()


def _read(drawn: DrawnNode, known: Known, problems: list[Problem]) -> _Read:
    def wrong(code: str, message: str) -> None:
        problems.append(Problem(code=code, node_id=drawn.id, message=message))

    params: p.Params | None = None
    try:
        params = read_params(drawn.kind, drawn.data.get("params", {}))
    except (msgspec.ValidationError, RecursionError) as error:
        wrong("bad_params", str(error))
    handling = Handling()
    try:
        said = {name: drawn.data[name] for name in Handling.__struct_fields__ if name in drawn.data}
        handling = msgspec.convert(said, Handling)
    except msgspec.ValidationError as error:
        wrong("bad_params", str(error))
    if handling != Handling(end_here=handling.end_here) and not KINDS[drawn.kind].acts:
        wrong(
            "bad_params", f"`retry`, `on_error` and `timeout_seconds` are only of what can fail: a {drawn.kind} cannot"
        )
        handling = Handling(end_here=handling.end_here)
    if params is not None:
        for code, message in references.wrong_with(params, known):
            wrong(code, message)
    return _Read(drawn.kind, params, handling)


def _connect(drawing: Drawing, nodes: Mapping[str, _Read], problems: list[Problem]) -> dict[str, dict[str, str]]:
    """Where each handle of each node leads."""
    out: dict[str, dict[str, str]] = {node: {} for node in drawing.nodes}
    seen: set[tuple[str, str, str, str]] = set()
    for edge in drawing.edges:
        wrong = _wrong_with(edge, drawing, nodes, out, seen)
        seen.add(edge[1:])
        if wrong is None:
            out[edge.source][edge.handle] = edge.target
        else:
            problems.append(Problem(code=wrong[0], edge_id=edge.id, message=wrong[1]))
    for node, read in nodes.items():
        if isinstance(read.params, p.Jump):
            wrong = _wrong_with_jump(node, read.params.to, drawing)
            if wrong is None:
                out[node][OUT] = read.params.to
            else:
                problems.append(Problem(code=wrong[0], node_id=node, message=wrong[1]))
    return out


def _wrong_with(
    edge: DrawnEdge,
    drawing: Drawing,
    nodes: Mapping[str, _Read],
    out: Mapping[str, Mapping[str, str]],
    seen: set[tuple[str, str, str, str]],
) -> tuple[str, str] | None:
    for end in (edge.source, edge.target):
        if end not in drawing.nodes:
            return "dangling_edge", f"{end} {'only decorates' if end in drawing.dropped else 'is no node'}"
    if edge.source == edge.target:
        return "self_loop", "it leads from a node to the same"
    if edge[1:] in seen:
        return "duplicate_edge", "another edge has the same ends"
    if drawing.nodes[edge.target].kind == "trigger":
        return "trigger_has_input", "nothing leads to a trigger"
    source = nodes.get(edge.source)
    handles = source.handles if source is not None else None
    if handles is not None and edge.handle not in handles:
        if not handles:
            return "trigger_has_input", f"nothing leads from a node of kind {drawing.nodes[edge.source].kind}"
        return "bad_handle", f"`{edge.handle[:60]}` is no way out of it; there are {', '.join(handles)}"
    if edge.target_handle not in ("", "in"):
        return "bad_handle", f"`{edge.target_handle[:60]}` is no way in: nodes have one, without a name"
    if edge.handle in out[edge.source]:
        return "handle_taken", f"`{edge.handle}` leads elsewhere already"
    return None


def _wrong_with_jump(id: str, to: str, drawing: Drawing) -> tuple[str, str] | None:
    if to not in drawing.nodes:
        return "dangling_edge", f"{to} {'only decorates' if to in drawing.dropped else 'is no node'}"
    if to == id:
        return "self_loop", "it jumps to itself"
    if drawing.nodes[to].kind == "trigger":
        return "trigger_has_input", "nothing leads to a trigger"
    return None


def _open_ends(
    nodes: Mapping[str, _Read], out: Mapping[str, Mapping[str, str]], problems: list[Problem]
) -> Iterator[str]:
    for node, read in nodes.items():
        open_handles = [handle for handle in read.handles or () if handle not in out[node]]
        if open_handles or read.handles is None:
            yield node
        if not read.handling.end_here:
            problems.extend(
                Problem(code="missing_handle", node_id=node, message=f"`{handle}` leads nowhere: `end_here` is missing")
                for handle in open_handles
            )


def _node(id: str, read: _Read, out: dict[str, str], known: Known) -> Node:
    told = read.params
    return Node(
        id=id,
        kind=read.kind,
        params=msgspec.to_builtins(told),
        out=out,
        handling=read.handling,
        template_version=known.templates[told.template_id] if isinstance(told, p.SendEmail) else None,
    )
