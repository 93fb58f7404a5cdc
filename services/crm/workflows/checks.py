"""Whether a graph makes sense as a whole: everything can be reached, ends somewhere, and does not spin."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from libs.contracts.crm.workflows import Problem
from services.crm.workflows.kinds import KINDS

DEEPEST = 100
Ways = Mapping[str, frozenset[str]]
"""From each node, to which."""


def wrong_with(kinds: Mapping[str, str], ways: Ways, open_ended: frozenset[str]) -> Iterator[Problem]:
    """`kinds`: of each node, by its id. `open_ended`: those with a way out that leads nowhere."""
    triggers = [node for node, kind in kinds.items() if kind == "trigger"]
    yield from _triggers(triggers, ways)
    distance = _distances(triggers, ways)
    for node in kinds:
        if node not in distance:
            yield Problem(code="unreachable", node_id=node, message="no trigger leads here")
    if max(distance.values(), default=0) > DEEPEST:
        yield Problem(code="limits", message=f"some node is more than {DEEPEST} steps from the beginning")
    ends = [node for node, kind in kinds.items() if node in open_ended or (kind in KINDS and KINDS[kind].ends)]
    ending = _distances(ends, _reversed(ways))
    for node in kinds:
        if node not in ending:
            yield Problem(code="no_exit", node_id=node, message="no end can be reached from here")
    for node in spinning(kinds, ways):
        yield Problem(
            code="cycle_without_wait", node_id=node, message="it comes back here without a delay or a wait for an event"
        )


def spinning(kinds: Mapping[str, str], ways: Ways) -> list[str]:
    """Nodes that are come back to although no time passes."""
    instant = {node for node, kind in kinds.items() if kind not in KINDS or not KINDS[kind].waits}
    among = {node: ways.get(node, frozenset()) & instant for node in instant}
    return [node for node in kinds if node in instant and node in _distances(among[node], among)]


def _triggers(triggers: list[str], ways: Ways) -> Iterator[Problem]:
    if not triggers:
        yield Problem(code="no_trigger", message="nothing begins it: a trigger is needed")
    if len(triggers) > 1:
        for node in triggers:
            if not ways.get(node):
                yield Problem(code="many_triggers", node_id=node, message="it leads nowhere, and there are others")


def _distances(begin: Iterable[str], ways: Ways) -> dict[str, int]:
    """Of all that can be reached; of the beginning 0."""
    distance = dict.fromkeys(begin, 0)
    waiting = deque(distance)
    while waiting:
        node = waiting.popleft()
        for following in ways.get(node, ()):
            if following not in distance:
                distance[following] = distance[node] + 1
                waiting.append(following)
    return distance


def _reversed(ways: Ways) -> Ways:
    back: dict[str, set[str]] = {}
    for node, following in ways.items():
        for each in following:
            back.setdefault(each, set()).add(node)
    return {node: frozenset(before) for node, before in back.items()}
