"""The way of a run through any sound graph: it ends, follows edges, and is the same however often it is walked."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.crm.workflows import WorkflowSettings
from libs.contracts.ids import derived_id
from libs.store.crm.runs import Due
from services.crm.workflows import params as p
from services.crm.workflows.compile import compile_flow
from services.crm.workflows.deciding import opening, variant_of
from services.crm.workflows.graph import Graph
from services.crm.workflows.walk import Place, Program, Taken, walk
from tests.unit.crm.workflows.drawings import KNOWN, chain, edge, node, sound_flows

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
RUN = UUID(derived_id("a run"))


def graph_of(drawn: dict[str, Any]) -> Graph:
    graph = compile_flow(drawn, KNOWN).graph
    assert graph is not None
    return graph


def due_at(place: str, **more: Any) -> Due:
    plain = Due(
        run=RUN, seq=0, version=RUN, contact=RUN, node=place, waits=None, visits={}, steps=0, attempt=1, now=NOW,
        due_at=NOW, entered_at=NOW, since=None, found=None, event={}, facts={"tags": [], "score": 60},
    )  # fmt: skip
    return msgspec.structs.replace(plain, **more)


def committed(due: Due, steps: tuple[Taken, ...], place: Place, found: Any) -> Due:
    """As the database leaves it, and hands it out when it is due."""
    visits = due.visits | {step.node: step.visit for step in steps}
    entered = due.steps + sum(step.visit > due.visits.get(step.node, 0) for step in steps)
    now = max(due.now, place.due_at or due.now) if found is None else due.now
    return msgspec.structs.replace(
        due, seq=due.seq + 1, node=place.node, waits=place.waits, visits=visits, steps=entered, attempt=place.attempt,
        now=now, due_at=now, entered_at=place.entered_at or due.now, since=place.since, found=found,
    )  # fmt: skip


def lived(graph: Graph, data: st.DataObject, settings: WorkflowSettings) -> tuple[list[Taken], Place]:
    """A run from its beginning to its end, with whatever comes or does not."""
    program, due = Program(graph, settings), due_at("n0")
    steps: list[Taken] = []
    for _ in range(settings.max_steps * 4):
        walked = walk(due, program)
        assert walk(due, program) == walked
        steps += walked.steps
        place = walked.place
        if place.status in ("completed", "failed"):
            return steps, place
        found: Any = None
        if place.waits == "result":
            outcome = data.draw(st.sampled_from(["sent", "skipped", "failed", "unknown", None]))
            found = outcome and ({"outcome": outcome, "error": None},)
        elif place.waits == "event" and data.draw(st.booleans()):
            found = ({},)
        due = committed(due, walked.steps, place, found)
    raise AssertionError("it does not end")


@given(sound_flows(), st.data())
def test_every_run_ends_and_follows_the_edges(drawn: dict[str, Any], data: st.DataObject) -> None:
    graph = graph_of(drawn)
    steps, place = lived(graph, data, WorkflowSettings())
    left = [step for step in steps if step.state != "waiting"]
    for one, other in pairwise(left):
        assert one.handle is not None
        assert graph.nodes[one.node].out[one.handle] == other.node
    assert graph.nodes[left[0].node].kind == "trigger"
    assert place.node == left[-1].node
    assert (place.status, place.outcome) in {("completed", "exit"), ("completed", "goal"), ("failed", "error")}
    effects = Counter(step.key for step in steps if step.effect is not None)
    assert not effects or max(effects.values()) == 1


@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_who_goes_round_is_stopped(most_steps: int, most_visits: int, data: st.DataObject) -> None:
    drawn = chain("delay", "add_tag")
    drawn["nodes"][-1] = node("n3", "jump", {"to": "n1"})
    drawn["nodes"] += [node("out", "exit"), node("is", "split")]
    drawn["edges"][-1:] = [edge("n2", "is"), edge("is", "n3", "a"), edge("is", "out", "b")]
    settings = WorkflowSettings(max_steps=most_steps, max_visits=most_visits)
    steps, place = lived(graph_of(drawn), data, settings)
    entered = {(step.node, step.visit) for step in steps}
    assert len(entered) <= most_steps + 1
    assert max(Counter(name for name, _ in entered).values()) <= most_visits + 1
    assert place.status == "completed" or "more than" in (place.error or "")


def test_retries_back_off_and_then_the_run_fails() -> None:
    drawn = chain("send_email")
    drawn["nodes"][1]["data"]["retry"] = {"max_attempts": 3, "backoff_seconds": 60}
    program = Program(graph_of(drawn), WorkflowSettings())
    due, waited = due_at("n0"), []
    failed = ({"outcome": "failed", "error": "550"},)
    while True:
        walked = walk(due, program)
        place = walked.place
        if place.status == "failed":
            break
        if place.waits == "retry":
            assert place.due_at is not None
            waited.append(place.due_at - due.now)
        due = committed(due, walked.steps, place, failed if place.waits == "result" else None)
    assert (waited, place.error) == ([timedelta(seconds=60), timedelta(seconds=120)], "550")


def test_what_nobody_knows_is_not_tried_again() -> None:
    drawn = chain("send_email")
    drawn["nodes"][1]["data"]["retry"] = {"max_attempts": 3}
    due = due_at("n1", waits="result", visits={"n1": 1}, found=None)
    place = walk(due, Program(graph_of(drawn), WorkflowSettings())).place
    assert (place.status, place.error) == ("failed", "nobody told in time what became of it")


def test_what_a_contact_is_after_an_effect_is_asked_after_the_commit() -> None:
    drawn = chain("add_tag", "condition")
    walked = walk(due_at("n0"), Program(graph_of(drawn), WorkflowSettings()))
    assert ([step.node for step in walked.steps], walked.place.status, walked.place.node) == (
        ["n0", "n1"],
        "active",
        "n2",
    )


def digest_at(kind: str, params: dict[str, Any] | None = None, **more: Any) -> str:
    """Of the step at a node of that kind."""
    drawn = chain(kind)
    if params is not None:
        drawn["nodes"][1]["data"]["params"] = params
    return walk(due_at("n1", **more), Program(graph_of(drawn), WorkflowSettings())).steps[0].input_digest


SCORE = {"field": "score", "cmp": "gte", "value": 50}
OPENED = {"waits": "event", "visits": {"n1": 1}, "now": NOW + timedelta(minutes=1)}


@pytest.mark.parametrize(
    ("kind", "same", "other"),
    [
        (
            "condition",
            {"facts": {"score": 60, "name": "Ada"}, "now": NOW + timedelta(days=1)},
            {"facts": {"score": 61}},
        ),
        ("condition", {"run": UUID(int=7)}, {"params": {"rule": SCORE | {"value": 51}}}),
        ("condition", {"event": {"a": 1}}, {"params": {"rule": SCORE | {"cmp": "gt"}}}),
        ("switch", {"facts": {"score": 60, "x": 1}}, {"facts": {"score": 60, "custom.city": "Recife"}}),
        ("split", {"facts": {}}, {"run": UUID(int=7)}),
        ("wait_until", {"facts": {"score": 1}}, {"facts": {"timezone": "Asia/Kolkata"}}),
        ("add_tag", {"facts": {"score": 1}, "run": UUID(int=7)}, {"params": {"tag": "other"}}),
        ("wait_for_event", {"event": {"a": 1}}, OPENED | {"found": ({"link": "x"},)}),
    ],
)
def test_a_digest_is_of_what_was_decided_by_and_of_nothing_else(
    kind: str, same: dict[str, Any], other: dict[str, Any]
) -> None:
    assert digest_at(kind) == digest_at(kind, **same) != digest_at(kind, **other)


def test_a_digest_is_of_the_event_that_began_it_and_of_the_result_that_came() -> None:
    program = Program(graph_of(chain("send_email")), WorkflowSettings())
    begun = {walk(due_at("n0", event=event), program).steps[0].input_digest for event in ({}, {"a": 1}, {"a": 2})}
    came = {"sent", "failed"}
    told = {
        walk(due_at("n1", waits="result", visits={"n1": 1}, found=({"outcome": one},)), program).steps[0].input_digest
        for one in came
    }
    assert (len(begun), len(told)) == (3, 2)


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_splits_keep_their_weights(one: int, other: int) -> None:
    split = p.Split(variants=(p.Variant(id="a", weight=one), p.Variant(id="b", weight=other)))
    taken = Counter(variant_of(split, str(number), "n") for number in range(400))
    assert abs(taken["a"] / 400 - one / (one + other)) < 0.13


HOURS = p.WaitUntil(after="09:00", before="18:00", weekdays=(1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    ("now", "zone", "opens"),
    [
        ("2026-11-27T12:00:00", "America/Sao_Paulo", None),  # Friday, 9:00 there
        ("2026-11-27T11:59:00", "America/Sao_Paulo", "2026-11-27T12:00:00"),
        ("2026-11-27T21:00:00", "America/Sao_Paulo", "2026-11-30T12:00:00"),  # 18:00 is over; then Monday
        ("2026-11-28T12:00:00", "nowhere", "2026-11-30T09:00:00"),  # Saturday, as in UTC
        ("2026-03-27T20:00:00", "Europe/Lisbon", "2026-03-30T08:00:00"),  # clocks change in between
    ],
)
def test_when_a_window_opens_where_the_contact_lives(now: str, zone: str, opens: str | None) -> None:
    found = opening(HOURS, datetime.fromisoformat(now).replace(tzinfo=UTC), {"timezone": zone})
    assert (found.replace(tzinfo=None).isoformat() if found else None) == opens


@given(
    st.integers(0, 365 * 86400),
    st.sampled_from(["Europe/Lisbon", "America/New_York", "Asia/Kolkata"]),
)
def test_a_window_that_has_opened_lets_through(seconds: int, zone: str) -> None:
    now = NOW + timedelta(seconds=seconds)
    opens = opening(HOURS, now, {"timezone": zone})
    assert opens is None or (opens > now and opening(HOURS, opens, {"timezone": zone}) is None)
