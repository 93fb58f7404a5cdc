"""The way of one run from where it stands to where it next waits or ends: what it does at each node, to be committed as
a whole. The same run walks the same way, whoever walks it, and however often."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from libs.contracts.codec import Message
from libs.contracts.crm.workflow_runs import Waits
from libs.contracts.crm.workflows import WorkflowSettings
from libs.store.crm.runs import Due
from services.crm.workflows import params as p
from services.crm.workflows.deciding import Act, Decision, End, Fail, Go, Wait, digest_of, entered, resumed
from services.crm.workflows.graph import Graph, Node
from services.crm.workflows.kinds import ERROR, OUT

MOST_AT_ONCE = 25
"""Nodes in one walk; after more, the next one goes on."""


class Place(Message, frozen=True, kw_only=True):
    """Where a run is."""

    status: str
    node: str
    waits: Waits | None = None
    awaits: str | None = None
    """The type of event, or the key of what is sent."""
    attempt: int = 1
    due_at: datetime | None = None
    """None: now."""
    entered_at: datetime | None = None
    """None: now."""
    since: datetime | None = None
    """Events count that happened since then."""
    outcome: str | None = None
    error: str | None = None


class Failing(Message, frozen=True, kw_only=True):
    """What comes of a step whose effect cannot be had."""

    state: str
    handle: str | None
    place: Place


class Taken(Message, frozen=True, kw_only=True):
    """A step."""

    node: str
    visit: int
    kind: str
    state: str
    attempt: int
    key: str
    """What it brings about is done once under it."""
    input_digest: str
    """Of what it was decided by."""
    handle: str | None = None
    output: Mapping[str, Any] = {}
    error: str | None = None
    effect: Mapping[str, Any] | None = None
    failing: Failing | None = None


class Walk(Message, frozen=True, kw_only=True):
    run: str
    contact: str
    seq: int
    steps: tuple[Taken, ...]
    place: Place


class Program:
    """A published version, read once."""

    def __init__(self, graph: Graph, settings: WorkflowSettings) -> None:
        self.settings = settings
        self.nodes: dict[str, tuple[Node, p.Params]] = {name: (node, node.told) for name, node in graph.nodes.items()}


def walk(due: Due, program: Program) -> Walk:
    """Raises KeyError for a run that stands at a node that its version does not have."""
    walker = _Walker(due, program)
    place = walker.go()
    return Walk(run=str(due.run), contact=str(due.contact), seq=due.seq, steps=tuple(walker.steps), place=place)


def broken(due: Due, error: str) -> Walk:
    """Of one that cannot be walked at all."""
    place = Place(status="failed", node=due.node, outcome="error", error=error)
    return Walk(run=str(due.run), contact=str(due.contact), seq=due.seq, steps=(), place=place)


class _Walker:
    def __init__(self, due: Due, program: Program) -> None:
        self._due = due
        self._program = program
        self._visits = dict(due.visits)
        self._entered = due.steps
        self._changed = False
        """Whether the contact is another than what is known of it."""
        self._since = due.since if due.waits in (None, "event") and due.since else due.due_at
        self._digest = ""
        """Of what the node is given where the run is now."""
        self.steps: list[Taken] = []

    def go(self) -> Place:
        due = self._due
        place = Place(status="active", node=due.node, attempt=due.attempt)
        entering = due.waits is None
        for _ in range(MOST_AT_ONCE):
            node, told = self._program.nodes[place.node]
            if self._changed and isinstance(told, p.Condition | p.Switch):
                break  # what it asks is known after the commit
            again = not entering and due.waits != "retry"
            self._digest = digest_of(node, told, due, again)
            if entering and (stopped := self._runaway(node)) is not None:
                return stopped
            decision = resumed(told, due) if again else entered(node, told, due)
            place = self._take(node, place.attempt, decision)
            if place.status != "active":
                return place
            entering = True
        return Place(status="active", node=place.node, since=self._since)

    def _runaway(self, node: Node) -> Place | None:
        """Comes to the node; where that is once too often, the run has failed."""
        settings = self._program.settings
        self._entered += 1
        self._visits[node.id] = self._visits.get(node.id, 0) + 1
        if self._entered > settings.max_steps:
            error = f"more than {settings.max_steps} steps"
        elif self._visits[node.id] > settings.max_visits:
            error = f"more than {settings.max_visits} visits of one node"
        else:
            return None
        self._note(node, 1, "failed", error=error)
        return Place(status="failed", node=node.id, outcome="error", error=error)

    def _take(self, node: Node, attempt: int, decision: Decision) -> Place:
        match decision:
            case Go(handle, output, skipped):
                state = "skipped" if skipped else "done"
                self._note(node, attempt, state, handle, output=output, error=skipped or None)
                return self._after(node, handle)
            case Wait(waits, until, event):
                self._note(node, attempt, "waiting")
                first = until is None
                return Place(
                    status="waiting", node=node.id, waits=waits, awaits=event or None, due_at=until,
                    entered_at=None if first or waits != "event" else self._due.entered_at, since=self._since,
                )  # fmt: skip
            case Act(effect, until):
                self._changed = True
                failing = self._failing(node, attempt, Fail(""))
                if until is None:
                    self._note(node, attempt, "done", OUT, effect=effect, failing=failing)
                    return self._after(node, OUT)
                self._note(node, attempt, "waiting", effect=effect, failing=failing)
                return Place(
                    status="waiting", node=node.id, waits="result", awaits=self._key(node, attempt), due_at=until,
                    attempt=attempt, since=self._since,
                )  # fmt: skip
            case Fail(error, final):
                failing = self._failing(node, attempt, Fail(error, final))
                self._note(node, attempt, failing.state, failing.handle, error=error)
                return failing.place
            case End(outcome, output):
                self._note(node, attempt, "done", output=output)
                return Place(status="completed", node=node.id, outcome=outcome)

    def _after(self, node: Node, handle: str) -> Place:
        to = node.out.get(handle)
        if to is None:
            return Place(status="completed", node=node.id, outcome="end")
        return Place(status="active", node=to, since=self._since)

    def _failing(self, node: Node, attempt: int, fail: Fail) -> Failing:
        handling = node.handling
        if attempt < handling.retry.max_attempts and not fail.final:
            again = self._due.now + handling.retry.after(attempt)
            place = Place(
                status="waiting", node=node.id, waits="retry", attempt=attempt + 1, due_at=again, since=self._since
            )
            return Failing(state="waiting", handle=None, place=place)
        if handling.on_error == "fail":
            place = Place(status="failed", node=node.id, outcome="error", error=fail.error or None)
            return Failing(state="failed", handle=None, place=place)
        handle = ERROR if handling.on_error == "error_handle" else OUT
        return Failing(state="failed", handle=handle, place=self._after(node, handle))

    def _note(self, node: Node, attempt: int, state: str, handle: str | None = None, **more: Any) -> None:
        self.steps.append(
            Taken(
                node=node.id,
                visit=self._visits[node.id],
                kind=node.kind,
                state=state,
                attempt=attempt,
                key=self._key(node, attempt),
                input_digest=self._digest,
                handle=handle,
                **more,
            )
        )

    def _key(self, node: Node, attempt: int) -> str:
        return f"wf:{self._due.run}:{node.id}:{self._visits[node.id]}:{attempt}"
