"""A drawing becomes a graph that runs, or all that is wrong with it is told with where it is."""

from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.workflows.compile import checksum, compile_flow
from services.crm.workflows.kinds import KINDS
from tests.unit.crm.workflows.drawings import (
    DYNAMIC,
    HANDLES,
    KNOWN,
    PARAMS,
    chain,
    edge,
    flow,
    node,
    sound_flows,
    wild_flows,
)

CODES = {
    "no_trigger", "many_triggers", "dangling_edge", "bad_handle", "missing_handle", "duplicate_edge", "self_loop",
    "unreachable", "no_exit", "cycle_without_wait", "trigger_has_input", "bad_params", "unknown_ref",
    "marketing_without_consent", "limits", "secret_in_flow", "unknown_kind", "handle_taken", "bad_node", "bad_edge",
}  # fmt: skip


def wrong(drawn: dict[str, Any]) -> set[tuple[str, str]]:
    """Codes, each with its node or edge."""
    return {(each.code, each.node_id or each.edge_id) for each in compile_flow(drawn, KNOWN).problems}


@given(sound_flows())
def test_what_is_drawn_is_what_runs(drawn: dict[str, Any]) -> None:
    compiled = compile_flow(drawn, KNOWN)
    assert compiled.problems == ()
    assert compiled.graph is not None
    assert set(compiled.graph.nodes) == {each["id"] for each in drawn["nodes"]}
    leads = {
        (source, handle, target) for source, each in compiled.graph.nodes.items() for handle, target in each.out.items()
    }
    assert leads == {(each["source"], each.get("sourceHandle", "out"), each["target"]) for each in drawn["edges"]}
    assert all(each.told is not None for each in compiled.graph.nodes.values())


@given(wild_flows())
def test_whatever_is_sent_gets_an_answer(drawn: dict[str, Any]) -> None:
    compiled = compile_flow(drawn, KNOWN)
    assert (compiled.graph is None) == bool(compiled.problems)
    assert {problem.code for problem in compiled.problems} <= CODES


@given(sound_flows(), st.data())
def test_each_way_that_is_taken_away_is_missed_where_it_was(drawn: dict[str, Any], data: st.DataObject) -> None:
    lost = data.draw(st.sampled_from(drawn["edges"]))
    drawn["edges"].remove(lost)
    assert ("missing_handle", lost["source"]) in wrong(drawn)
    for each in drawn["nodes"]:
        if each["id"] == lost["source"]:
            each["data"]["end_here"] = True
    assert {code for code, _ in wrong(drawn)} <= {"unreachable"}


@given(sound_flows(), st.randoms())
def test_what_it_looks_like_makes_no_difference(drawn: dict[str, Any], random: Any) -> None:
    moved = deepcopy(drawn)
    random.shuffle(moved["nodes"])
    random.shuffle(moved["edges"])
    for each in moved["nodes"]:
        each |= {"position": {"x": random.random(), "y": 1e-7}, "selected": True, "measured": {"width": 150}}
        each["data"]["label"] = "something else"
    for number, each in enumerate(moved["edges"]):
        each |= {"id": f"e{number}", "animated": True}
        if "sourceHandle" not in each:
            each["sourceHandle"] = random.choice([None, "", "out"])
    one, other = compile_flow(drawn, KNOWN).graph, compile_flow(moved, KNOWN).graph
    assert one is not None
    assert other is not None
    assert checksum(one) == checksum(other)
    moved["nodes"].append(node("more", "exit"))
    moved["nodes"].append(node("another", "trigger"))
    moved["edges"].append(edge("another", "more"))
    changed = compile_flow(moved, KNOWN).graph
    assert changed is not None
    assert checksum(changed) != checksum(one)


def reachable(ways: list[tuple[int, int]], size: int) -> list[list[bool]]:
    """From which to which, by Warshall."""
    known = [[(one, other) in ways for other in range(size)] for one in range(size)]
    for middle in range(size):
        for one in range(size):
            for other in range(size):
                known[one][other] |= known[one][middle] and known[middle][other]
    return known


@given(st.data())
def test_cycles_and_what_cannot_be_reached_are_found_in_any_graph(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 8))
    kinds = ["trigger", *(data.draw(st.sampled_from(["add_tag", "delay", "condition"])) for _ in range(size - 1))]
    ways: list[tuple[int, int]] = []
    edges = []
    for index, kind in enumerate(kinds):
        for handle in HANDLES.get(kind, [None]):
            target = data.draw(st.integers(1, size - 1) | st.none())
            if target not in (None, index):
                ways.append((index, target))
                edges.append(edge(f"n{index}", f"n{target}", handle))
    nodes = [node(f"n{index}", kind, end_here=True) for index, kind in enumerate(kinds)]
    found = wrong(flow(nodes, edges))
    reached = reachable(ways, size)
    assert {name for code, name in found if code == "unreachable"} == {
        f"n{index}" for index in range(1, size) if not reached[0][index]
    }
    instant = reachable([way for way in ways if "delay" not in (kinds[way[0]], kinds[way[1]])], size)
    assert {name for code, name in found if code == "cycle_without_wait"} == {
        f"n{index}" for index in range(size) if instant[index][index]
    }
    open_ended = {
        index
        for index, kind in enumerate(kinds)
        if sum(way[0] == index for way in ways) < len(HANDLES.get(kind, [None]))
    }
    assert {name for code, name in found if code == "no_exit"} == {
        f"n{index}" for index in range(size) if index not in open_ended and not open_ended & set(_from(reached, index))
    }


def _from(reached: list[list[bool]], index: int) -> list[int]:
    return [other for other, is_reached in enumerate(reached[index]) if is_reached]


BROKEN: dict[str, tuple[dict[str, Any], set[tuple[str, str]]]] = {
    "nothing begins it": (flow([node("n1", "exit")], []), {("no_trigger", ""), ("unreachable", "n1")}),
    "an edge from nowhere": (
        flow(chain("delay")["nodes"], [*chain("delay")["edges"], edge("ghost", "n1")]),
        {("dangling_edge", "xy-edge__ghost-n1")},
    ),
    "an edge to what only decorates": (
        flow([*chain()["nodes"], node("g", "exit") | {"type": "group"}], [*chain()["edges"], edge("g", "n1")]),
        {("dangling_edge", "xy-edge__g-n1")},
    ),
    "a way out that is none": (
        flow(chain("delay")["nodes"], [*chain("delay")["edges"], edge("n1", "n2", "true")]),
        {("bad_handle", "xy-edge__n1true-n2")},
    ),
    "a way in that is none": (
        flow(chain("delay")["nodes"], [edge("n0", "n1") | {"targetHandle": "left"}, edge("n1", "n2")]),
        {
            ("bad_handle", "xy-edge__n0-n1"), ("missing_handle", "n0"), ("unreachable", "n1"), ("unreachable", "n2"),
        },
    ),
    "an edge twice": (
        flow(chain("delay")["nodes"], [*chain("delay")["edges"], edge("n1", "n2") | {"id": "again"}]),
        {("duplicate_edge", "again")},
    ),
    "two edges out of one handle": (
        flow(
            [*chain("delay", "delay")["nodes"]],
            [*chain("delay", "delay")["edges"], edge("n1", "n3")],
        ),
        {("handle_taken", "xy-edge__n1-n3")},
    ),
    "an edge to itself": (
        flow(chain("condition")["nodes"], [edge("n0", "n1"), edge("n1", "n2", "yes"), edge("n1", "n1", "no")]),
        {("self_loop", "xy-edge__n1no-n1"), ("missing_handle", "n1")},
    ),
    "back to the trigger": (
        flow(chain("delay")["nodes"], [edge("n0", "n1"), edge("n1", "n0")]),
        {("trigger_has_input", "xy-edge__n1-n0"), ("missing_handle", "n1"), ("unreachable", "n2")},
    ),
    "on behind the end": (
        flow([*chain("delay")["nodes"]], [*chain("delay")["edges"], edge("n2", "n1")]),
        {("trigger_has_input", "xy-edge__n2-n1")},
    ),
    "two triggers, one of them idle": (
        flow([*chain()["nodes"], node("t", "trigger", end_here=True)], chain()["edges"]),
        {("many_triggers", "t")},
    ),
    "round and round": (
        flow(
            [node("n0", "trigger"), node("n1", "wait_until"), node("n2", "add_tag")],
            [edge("n0", "n1"), edge("n1", "n2"), edge("n2", "n1")],
        ),
        {
            ("cycle_without_wait", "n1"), ("cycle_without_wait", "n2"),
            *(("no_exit", name) for name in ("n0", "n1", "n2")),
        },
    ),
    "round by a jump": (
        flow(
            [node("n0", "trigger"), node("n1", "condition"), node("n2", "exit"), node("n3", "jump")],
            [edge("n0", "n1"), edge("n1", "n2", "true"), edge("n1", "n3", "false")],
        ),
        {("cycle_without_wait", "n1"), ("cycle_without_wait", "n3")},
    ),
    "a jump to nowhere": (
        flow([node("n0", "trigger"), node("j", "jump", {"to": "n9"})], [edge("n0", "j")]),
        {("dangling_edge", "j"), ("no_exit", "n0"), ("no_exit", "j")},
    ),
    "a kind that is none": (
        flow([node("n0", "trigger"), node("n1", "exit") | {"type": "magic"}], [edge("n0", "n1")]),
        {("unknown_kind", "n1"), ("no_exit", "n0"), ("no_exit", "n1")},
    ),
    "the same id twice": (
        flow([*chain()["nodes"], node("n1", "exit")], chain()["edges"]),
        {("limits", "n1")},
    ),
    "an id too long": (flow([*chain()["nodes"], node("n" * 65, "exit")], chain()["edges"]), {("bad_node", "")}),
    "too many nodes": (
        flow([*chain()["nodes"], *(node(f"g{i}", "exit") | {"type": "group"} for i in range(199))], chain()["edges"]),
        {("limits", "")},
    ),
    "too much of everything": (
        flow([*chain()["nodes"], node("g", "exit") | {"type": "group", "style": "x" * 600_000}], chain()["edges"]),
        {("limits", "")},
    ),
    "too far": (chain(*(["add_tag"] * 100)), {("limits", "")}),
    "a secret": (
        flow([node("n0", "trigger"), node("n1", "exit", None, headers={"x-api-key": "k"})], [edge("n0", "n1")]),
        {("secret_in_flow", "n1")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_told_where_it_is(name: str) -> None:
    drawn, told = BROKEN[name]
    assert wrong(drawn) == told


STRANGE = "0190a5d0-ac96-774b-bcce-b302099a8057"
_CHANGED = {"event": "contact_updated", "timeout_seconds": 9}
WRONG_PARAMS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no params": ("delay", {}, "bad_params"),
    "something unknown": ("delay", {"seconds": 5, "hours": 1}, "bad_params"),
    "too long a delay": ("delay", {"seconds": 10**9}, "bad_params"),
    "a text too long": ("create_note", {"text": "x" * 2001}, "bad_params"),
    "an event that is none": ("wait_for_event", {"event": "rain", "timeout_seconds": 5}, "bad_params"),
    "a filter of another event": (
        "wait_for_event", {"event": "mail_opened", "tag": "vip", "timeout_seconds": 5}, "bad_params",
    ),
    "no end of the day": ("wait_until", {"after": "18:00", "before": "09:00"}, "bad_params"),
    "a zone that is none": ("wait_until", {"after": "08:00", "before": "09:00", "zone": "Mars/Base"}, "bad_params"),
    "a change that is never told": ("wait_for_event", _CHANGED | {"fields": ["nmae"]}, "unknown_ref"),
    "a change of a field that is not there": ("wait_for_event", _CHANGED | {"fields": ["custom.x"]}, "unknown_ref"),
    "a rule of a strange field": ("condition", {"rule": {"field": "password", "cmp": "eq", "value": 1}}, "bad_params"),
    "a rule too deep": (
        "condition",
        {"rule": {"op": "not", "children": [{"op": "not", "children": [{"op": "not", "children": [
            {"op": "not", "children": [{"op": "not", "children": [{"op": "not", "children": [
                {"field": "score", "cmp": "empty"}]}]}]}]}]}]}},
        "bad_params",
    ),
    "a column nobody may set": ("update_contact", {"fields": {"version": "7"}}, "bad_params"),
    "a variant twice": ("split", {"variants": [{"id": "a"}, {"id": "a"}]}, "bad_params"),
    "no template": ("send_email", {"template_id": STRANGE, "topic": "news"}, "unknown_ref"),
    "no webhook": ("webhook", {"webhook_id": STRANGE}, "unknown_ref"),
    "no segment": ("add_to_segment", {"segment_id": STRANGE}, "unknown_ref"),
    "a segment with rules": ("add_to_segment", {"segment_id": DYNAMIC}, "bad_params"),
    "a field nobody added": ("update_contact", {"fields": {"custom.shoe_size": 9}}, "unknown_ref"),
    "a rule about a segment that is not there": (
        "condition", {"rule": {"field": "segments", "cmp": "in", "value": [STRANGE]}}, "unknown_ref",
    ),
    "marketing without consent": (
        "send_email", {"template_id": PARAMS["send_email"]["template_id"]}, "marketing_without_consent",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_PARAMS)
def test_what_a_node_is_told_is_checked(name: str) -> None:
    kind, params, code = WRONG_PARAMS[name]
    drawn = chain(kind)
    drawn["nodes"][1]["data"]["params"] = params
    assert (code, "n1") in wrong(drawn)


@pytest.mark.parametrize(
    "params",
    [
        {"event": "schedule", "cron": "0 9 * * 1", "zone": "America/Sao_Paulo", "segment_id": DYNAMIC},
        {"event": "webhook", "email_field": "customer.email"},
        {"event": "manual"},
        {"event": "losses_in_a_row", "losses": 5},
        {"event": "contact_updated", "fields": ["status"]},
    ],
)
def test_every_sort_of_trigger_can_be_drawn(params: dict[str, Any]) -> None:
    drawn = chain("add_tag")
    drawn["nodes"][0]["data"]["params"] = params
    assert wrong(drawn) == set()


@pytest.mark.parametrize("cron", ["", "* * * *", "61 * * * *", "now", "* * * * * * *"])
def test_a_schedule_that_cannot_be_read_is_refused(cron: str) -> None:
    drawn = chain("add_tag")
    drawn["nodes"][0]["data"]["params"] = {"event": "schedule", "cron": cron, "segment_id": DYNAMIC}
    assert wrong(drawn) == {("bad_params", "n0")}


def test_a_way_out_for_what_goes_wrong_is_there_when_it_is_asked_for() -> None:
    drawn = chain("webhook")
    drawn["nodes"][1]["data"] |= {"on_error": "error_handle", "retry": {"max_attempts": 3, "backoff_seconds": 10}}
    assert wrong(drawn) == {("missing_handle", "n1")}
    drawn["edges"].append(edge("n1", "n2", "error"))
    assert wrong(drawn) == set()
    drawn["nodes"][1]["data"]["retry"] = {"max_attempts": 99}
    assert ("bad_params", "n1") in wrong(drawn)


def test_what_cannot_fail_is_not_tried_again() -> None:
    drawn = chain("delay")
    drawn["nodes"][1]["data"]["retry"] = {"max_attempts": 3}
    assert wrong(drawn) == {("bad_params", "n1")}


def test_names_of_kinds_and_handles_may_be_written_as_editors_do() -> None:
    drawn = chain("send_email", "condition")
    drawn["nodes"][0]["type"] = "input"
    drawn["nodes"][1] |= {"type": "default"}
    drawn["nodes"][1]["data"]["kind"] = "sendEmail"
    drawn["edges"][2]["sourceHandle"], drawn["edges"][3]["sourceHandle"] = "yes", "no"
    graph = compile_flow(drawn, KNOWN).graph
    assert graph is not None
    assert [each.kind for each in graph.nodes.values()] == ["trigger", "send_email", "condition", "exit"]
    assert graph.nodes["n2"].out == {"true": "n3", "false": "n3"}
    assert graph.nodes["n1"].template_version is not None


def test_every_kind_is_drawn_here() -> None:
    assert set(PARAMS) == set(KINDS)
    assert all(one != other for one, other in pairwise(sorted(KINDS)))
