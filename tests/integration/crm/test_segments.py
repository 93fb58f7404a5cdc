"""Segments over REST, and who is in them as things happen."""

import asyncio
from typing import Any

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.stack import CrmStack
from tests.integration.edge.shapes import TIME, refusal
from tests.integration.postgres_server import PostgresServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


def tagged(tag: str) -> dict[str, Any]:
    return {"field": "tags", "cmp": "contains", "value": tag}


async def a_segment(crm: CrmStack, rules: dict[str, Any] | None, built: bool = True) -> dict[str, Any]:
    """Static without rules; a dynamic one is built when this returns."""
    body = {"name": new_id(), **({"rules": rules} if rules is not None else {"kind": "static"})}
    made: dict[str, Any] = (await crm.ask("POST", "segments", body))["data"]
    if rules is not None and built:
        made = await until(crm, made["id"], lambda one: one["built_at"])
    return made


async def until(crm: CrmStack, segment: str, condition: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while not condition(one := (await crm.ask("GET", f"segments/{segment}"))["data"]):
            await asyncio.sleep(0.05)
        return dict(one)


async def members(crm: CrmStack, segment: str) -> list[str]:
    return [row["id"] for row in (await crm.ask("GET", f"segments/{segment}/contacts"))["data"]]


async def moves(crm: CrmStack, contact: str, segment: str) -> list[tuple[str, int]]:
    """What was told of the two: others have segments, too, where everybody is."""
    told = await crm.events(contact, "segment_entered", "segment_left")
    return [(event.type, event.data["version"]) for event in told if event.data["segment"] == segment]


async def test_a_segment_from_its_birth_to_its_end(crm: CrmStack) -> None:
    tag, name = new_id(), f"Everybody {new_id()}"
    contact = await crm.contact(tags=[tag])
    answer = await crm.ask("POST", "segments", {"name": name, "rules": tagged(tag)})
    made = answer["data"]
    assert answer == {"success": True, "message": "Segment created", "data": {
        "id": made["id"], "name": name, "description": "", "kind": "dynamic", "rules": tagged(tag), "active": True,
        "contact_count": 0, "built_at": None, "version": 1, "created_at": TIME, "updated_at": TIME,
    }}  # fmt: skip
    path = f"segments/{made['id']}"
    built = await until(crm, made["id"], lambda one: one["built_at"])
    assert (built["contact_count"], await members(crm, made["id"])) == (1, [contact["id"]])
    assert await moves(crm, contact["id"], made["id"]) == []  # who is there from the beginning is not told of
    listed = await crm.ask("GET", f"segments?search={name[:-4].lower()}")
    assert (listed["total"], [row["id"] for row in listed["data"]]) == (1, [made["id"]])
    assert await crm.ask("POST", "segments", {"name": name.upper(), "rules": tagged(tag)}, 409) == refusal(
        "CONFLICT", "Another segment has this name"
    )
    for method in ("PUT", "PATCH"):
        await crm.ask(method, path, {"description": method})
    assert await crm.ask("PATCH", path, {"description": "", "version": 1}, 409) == refusal(
        "CONFLICT", "The segment was changed meanwhile: it is of version 3"
    )
    await crm.ask("PATCH", path, {"rules": tagged(new_id()), "version": 3})
    await until(crm, made["id"], lambda one: one["contact_count"] == 0)
    await crm.until_told(contact["id"], "segment_left")
    assert await moves(crm, contact["id"], made["id"]) == [("segment_left", 2)]
    assert (await crm.ask("DELETE", path))["data"] == {"id": made["id"]}
    for method, at in (("GET", path), ("DELETE", path), ("GET", f"{path}/contacts"), ("PATCH", path), ("PUT", path)):
        body = None if method in ("GET", "DELETE") else {"description": ""}
        assert await crm.ask(method, at, body, 404) == refusal("NOT_FOUND", "There is no such segment")


async def test_what_is_wrong_is_named(crm: CrmStack) -> None:
    segment = await a_segment(crm, tagged("x"), built=False)
    wrong = {"op": "and", "children": [tagged("x"), {"field": "score", "cmp": "gt", "value": "many"}]}
    for method, path in (("POST", "segments"), ("PATCH", f"segments/{segment['id']}"), ("POST", "segments/preview")):
        sent = {"rules": wrong} | ({"name": new_id()} if path == "segments" else {})
        assert await crm.ask(method, path, sent, 400) == refusal(
            "INVALID_REQUEST", "`rules.children.1.value` must be a number", field="rules.children.1.value"
        )
    cases: list[tuple[dict[str, Any], str]] = [
        ({"name": ""}, "name"), ({"name": new_id(), "kind": "static", "rules": tagged("x")}, "rules"),
        ({"name": new_id(), "kind": "other"}, "kind"), ({"name": new_id()}, "rules"),
    ]  # fmt: skip
    for body, field in cases:
        assert (await crm.ask("POST", "segments", body, 400))["field"] == field, body


async def test_who_enters_and_leaves_is_told_once(crm: CrmStack) -> None:
    tag = new_id()
    rule = {"op": "and", "children": [tagged(tag), {"field": "score", "cmp": "gte", "value": 10}]}
    segment = (await a_segment(crm, rule))["id"]
    contact = (await crm.contact(tags=[tag]))["id"]
    for score in (10, 50, 9, 12):
        await crm.ask("PATCH", f"contacts/{contact}", {"score": score})
        await until(crm, segment, lambda one, expected=int(score >= 10): one["contact_count"] == expected)
    async with asyncio.timeout(20):
        while len(told := await moves(crm, contact, segment)) < 3:
            await asyncio.sleep(0.05)
    assert told == [("segment_entered", 1), ("segment_left", 2), ("segment_entered", 3)]
    await crm.ask("DELETE", f"contacts/{contact}")
    await until(crm, segment, lambda one: one["contact_count"] == 0)


async def test_segments_of_segments_follow_and_have_no_cycles(crm: CrmStack) -> None:
    tag = new_id()
    inner = await a_segment(crm, tagged(tag))
    of = {"field": "segments", "cmp": "in", "value": [inner["id"]]}
    outer = await a_segment(crm, of)
    contact = await crm.contact(tags=[tag])
    await until(crm, outer["id"], lambda one: one["contact_count"] == 1)
    assert await members(crm, outer["id"]) == [contact["id"]]
    back = {"op": "or", "children": [tagged(tag), {"field": "segments", "cmp": "in", "value": [outer["id"]]}]}
    refused = await crm.ask("PATCH", f"segments/{inner['id']}", {"rules": back}, 400)
    assert refused["error"] == "`rules` lead back to this segment"
    missing = {"field": "segments", "cmp": "in", "value": [new_id()]}
    assert (await crm.ask("POST", "segments", {"name": new_id(), "rules": missing}, 400))["field"] == "rules"
    assert await crm.ask("DELETE", f"segments/{inner['id']}", status=409) == refusal(
        "CONFLICT", f"Segment {outer['name']} mentions it"
    )
    await crm.ask("DELETE", f"segments/{outer['id']}")
    await crm.ask("DELETE", f"segments/{inner['id']}")


async def test_a_static_segment_has_whom_somebody_put_there(crm: CrmStack) -> None:
    segment, contact = await a_segment(crm, None), await crm.contact()
    path = f"segments/{segment['id']}/contacts"
    put = {"contacts": [contact["id"], new_id()]}
    assert (await crm.ask("POST", path, put))["data"]["contact_count"] == 1
    assert (await crm.ask("POST", path, put))["data"]["contact_count"] == 1
    assert await members(crm, segment["id"]) == [contact["id"]]
    assert (await crm.ask("GET", f"contacts?segment={segment['id']}"))["total"] == 1
    assert (await crm.ask("DELETE", path, put))["data"]["contact_count"] == 0
    await crm.until_told(contact["id"], "segment_left")
    assert await moves(crm, contact["id"], segment["id"]) == [("segment_entered", 1), ("segment_left", 2)]
    dynamic = await a_segment(crm, tagged("x"), built=False)
    for method in ("POST", "DELETE"):
        assert await crm.ask(method, f"segments/{dynamic['id']}/contacts", put, 409) == refusal(
            "CONFLICT", "Its rules say who is in it"
        )
        assert (await crm.ask(method, f"segments/{new_id()}/contacts", put, 404))["code"] == "NOT_FOUND"
        assert (await crm.ask(method, path, {"contacts": []}, 400))["field"] == "contacts"
    assert (await crm.ask("GET", f"{path}?cursor=bm9uZQ", status=400))["field"] == "cursor"


async def test_a_preview_and_what_rules_may_mention(crm: CrmStack) -> None:
    tag = new_id()
    made = [await crm.contact(tags=[tag]) for _ in range(22)]
    preview = (await crm.ask("POST", "segments/preview", {"rules": tagged(tag)}))["data"]
    assert preview["count"] == 22
    assert [row["id"] for row in preview["samples"]] == [row["id"] for row in made[:-21:-1]]
    cheap = {"field": "score", "cmp": "gte", "value": 0}
    both = {"op": "and", "children": [cheap, {"op": "or", "children": [tagged(tag), tagged("x")]}]}
    slowest = (await crm.ask("POST", "segments/preview", {"rules": both}))["data"]["slowest"]
    assert (slowest["field"], slowest["path"][:22], slowest["cost"] > 0) == ("tags", "rules.children.1.child", True)
    key = f"f_{new_id()[-12:]}"
    await crm.ask("POST", "custom-fields", {"key": key, "label": "When", "type": "date"})
    fields = {row["name"]: row for row in (await crm.ask("GET", "segments/fields"))["data"]}
    assert fields["balance_band"]["type"] == "text"
    assert "within_days" in fields[f"custom.{key}"]["comparisons"]
    for name, field in fields.items():
        if "{" in name or name in ("tags", "segments"):
            continue
        for cmp in field["comparisons"]:
            one: Any = {"text": "a", "number": 1, "time": "2026-01-01", "boolean": True}[field["type"]]
            value = 3 if "days" in cmp else [one, one] if cmp in ("in", "not_in", "between") else one
            leaf = {"field": name, "cmp": cmp} | ({} if "empty" in cmp else {"value": value})
            await crm.ask("POST", "segments/preview", {"rules": leaf})
    used = await a_segment(crm, {"field": f"custom.{key}", "cmp": "empty"}, built=False)
    assert await crm.ask("DELETE", f"custom-fields/{key}", status=409) == refusal(
        "CONFLICT", f"Segment {used['name']} uses it"
    )


async def test_building_anew_finds_what_no_event_told(postgres: PostgresServer) -> None:
    """Time passes, and rows may be changed by hand."""
    postgres.ask("""
        select public.crm_save_segment(null, '{"name": "old", "kind": "dynamic",
          "rules": {"field": "created_at", "cmp": "older_than_days", "value": 30}}', null);
        select public.crm_rebuild_segment(id) from public.crm_segments where name = 'old';
        insert into public.crm_contacts (email, created_at) values ('old@x.test', now() - interval '31 days')""")
    due = "select count(*) from public.crm_segments_due('{}')"
    assert postgres.ask(due.format("1 hour")) == ["0"]
    assert postgres.ask(due.format("0 seconds")) == ["1"]
    rebuild = "select public.crm_rebuild_segment(id) from public.crm_segments where name = 'old'"
    assert postgres.ask(f"{rebuild}; {rebuild}") == ["1", "0"]
    told = "select count(*) from public.crm_outbox where subject = 'crm.event.segment_entered'"
    assert postgres.ask(told) == ["1"]
