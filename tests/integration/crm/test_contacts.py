"""Contacts over REST: every route, what it answers, and every way in which it refuses."""

import asyncio
from typing import Any

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.stack import CrmStack
from tests.integration.edge.shapes import TIME, refusal
from tests.integration.postgres_server import PostgresServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


def an_address() -> str:
    return f"{new_id()}@Example.test"


async def test_a_contact_from_its_birth_to_its_tombstone(crm: CrmStack) -> None:
    address, phone = an_address(), f"+55{int(new_id()[-9:], 16) % 10**10:010d}"
    sent = {"email": address, "name": "Ada Lovelace", "phone": phone, "tags": ["VIP", " vip "], "score": 7}
    answer = await crm.ask("POST", "contacts", sent)
    made = answer["data"]
    assert answer == {"success": True, "message": "Contact created", "data": {
        "id": made["id"], "user_id": None, "email": address, "external_id": None, "name": "Ada Lovelace",
        "first_name": "Ada", "last_name": "Lovelace", "phone": phone, "locale": None, "timezone": None,
        "source": "api", "status": "lead", "score": 7, "tags": ["vip"], "custom_fields": {}, "version": 1,
        "created_at": TIME, "updated_at": TIME, "last_seen_at": None,
    }}  # fmt: skip
    path = f"contacts/{made['id']}"
    assert (await crm.ask("GET", path))["data"] == made
    changed = (await crm.ask("PATCH", path, {"first_name": "Augusta", "version": 1}))["data"]
    assert (changed["name"], changed["version"], changed["tags"]) == ("Augusta Lovelace", 2, ["vip"])
    assert await crm.ask("PATCH", path, {"name": "Other", "version": 1}, 409) == refusal(
        "CONFLICT", "The contact was changed meanwhile: it is of version 2"
    )
    whole = (await crm.ask("PUT", path, {"email": address, "name": "A", "version": 2}))["data"]
    assert (whole["phone"], whole["tags"], whole["version"]) == (None, [], 3)
    assert await crm.ask("DELETE", path) == {"success": True, "message": "Contact erased", "data": {"id": made["id"]}}
    for method, body in (("GET", None), ("PATCH", {"name": "B"}), ("PUT", {"email": address}), ("DELETE", {})):
        assert await crm.ask(method, path, body, 404) == refusal("NOT_FOUND", "There is no such contact")
    types = [event.type for event in await crm.until_told(made["id"], "contact_deleted")]
    assert types == ["contact_deleted"]


async def test_one_address_is_one_contact(crm: CrmStack) -> None:
    address = an_address()
    one, other = await crm.contact(email=address), await crm.contact()
    taken = refusal("CONFLICT", "Another contact has this email")
    assert await crm.ask("POST", "contacts", {"email": address.lower()}, 409) == taken
    assert await crm.ask("PATCH", f"contacts/{other['id']}", {"email": address.upper()}, 409) == taken
    await crm.ask("PATCH", f"contacts/{one['id']}", {"email": address.upper()})
    phone = f"+1{int(new_id()[-9:], 16) % 10**10:010d}"
    await crm.ask("PATCH", f"contacts/{one['id']}", {"phone": phone})
    assert await crm.ask("PATCH", f"contacts/{other['id']}", {"phone": phone}, 409) == refusal(
        "CONFLICT", "Another contact has this phone"
    )


async def test_another_systems_id_is_one_contact(crm: CrmStack) -> None:
    theirs, address = f"CRM-{new_id()}", an_address()
    one = await crm.contact(email=address, external_id=f" {theirs}\t", name="One")
    assert (one["external_id"], one["version"]) == (theirs, 1)
    other = await crm.contact()
    taken = refusal("CONFLICT", "Another contact has this external_id")
    assert await crm.ask("POST", "contacts", {"email": an_address(), "external_id": theirs}, 409) == taken
    assert await crm.ask("PATCH", f"contacts/{other['id']}", {"external_id": theirs}, 409) == taken
    lower = await crm.contact(external_id=theirs.lower())
    for asked in (f"externalId={theirs}", f"search={theirs[4:]}&externalId={theirs}"):
        assert [row["id"] for row in (await crm.ask("GET", f"contacts?{asked}"))["data"]] == [one["id"]]
    found = (await crm.ask("GET", f"contacts?search={theirs[6:]}"))["data"]
    assert {row["id"] for row in found} == {one["id"], lower["id"]}
    rule = {"field": "external_id", "cmp": "eq", "value": theirs}
    picked = await crm.ask("POST", "contacts/filter", {"rules": rule, "externalId": theirs})
    assert [row["id"] for row in picked["data"]] == [one["id"]]
    moved = (await crm.ask("PATCH", f"contacts/{one['id']}", {"external_id": ""}))["data"]
    assert moved["external_id"] is None
    await crm.ask("PATCH", f"contacts/{other['id']}", {"external_id": theirs})
    await crm.ask("DELETE", f"contacts/{other['id']}")
    again = await crm.contact(external_id=theirs)  # who was erased does not keep it
    whole = (await crm.ask("PUT", f"contacts/{again['id']}", {"email": again["email"]}))["data"]
    assert whole["external_id"] is None


async def test_who_is_known_is_changed_and_who_is_not_is_added(crm: CrmStack) -> None:
    theirs, address = f"CRM-{new_id()}", an_address()
    answer = await crm.ask("POST", "contacts/upsert", {"email": address, "name": "Ada", "tags": ["a"]})
    made = answer["data"]
    assert (answer["message"], made["name"], made["source"], made["version"]) == ("Contact kept", "Ada", "api", 1)
    no_mails = {"channel": "email", "topic": "*", "state": "unsubscribed", "how": "asked"}
    consents = (await crm.ask("POST", f"contacts/{made['id']}/consents", no_mails))["data"]
    sent = {"email": address.upper(), "external_id": f" {theirs}", "score": 5}
    by_address = (await crm.ask("POST", "contacts/upsert", sent))["data"]
    assert (by_address["id"], by_address["external_id"], by_address["version"]) == (made["id"], theirs, 2)
    assert (by_address["name"], by_address["tags"], by_address["score"]) == ("Ada", ["a"], 5), "what is left out stays"
    new = an_address()
    by_id = (await crm.ask("POST", "contacts/upsert", {"external_id": theirs, "email": new}))["data"]
    assert (by_id["id"], by_id["email"], by_id["version"]) == (made["id"], new, 3)
    assert (await crm.ask("POST", "contacts/upsert", {"external_id": theirs}))["data"] == by_id, "nothing is changed"
    assert (await crm.ask("GET", f"contacts/{made['id']}/consents"))["data"] == consents
    other = await crm.contact()
    another = refusal("CONFLICT", "The contact with this email has another external_id")
    for said in (
        {"external_id": theirs, "email": other["email"]},
        {"external_id": f"{theirs}-2", "email": new},
    ):
        assert await crm.ask("POST", "contacts/upsert", said, 409) == another
    assert (await crm.ask("GET", f"contacts/{other['id']}"))["data"] == other
    for wrong, field in (
        ({"external_id": new_id()}, "email"), ({"external_id": " "}, "email"), ({}, "email"), ({"email": "x"}, "email"),
        ({"external_id": "x" * 201}, "external_id"), ({"external_id": "a\x00"}, "external_id"),
        ({"email": an_address(), "version": 1}, "version"),
    ):  # fmt: skip
        assert (await crm.ask("POST", "contacts/upsert", wrong, 400))["field"] == field, wrong


UPSERT = """
    select public.crm_upsert_contact('{"email": "Once@x.test", "external_id": "once"}', 'api') -> 'contact' ->> 'id';"""
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%crm_upsert_contact%'"


async def test_two_who_add_the_same_at_once_make_one_contact(postgres: PostgresServer) -> None:
    with postgres.session() as one, postgres.session() as other:
        [first] = one.run(f"begin; {UPSERT}")
        later = asyncio.create_task(asyncio.to_thread(other.run, UPSERT))
        async with asyncio.timeout(20):
            while postgres.ask(WAITING) == ["0"]:
                await asyncio.sleep(0.05)
        one.run("commit;")
        assert await later == [first]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"), ("email", "a\x00b@example.test"), ("phone", "0800"), ("status", "boss"), ("score", 101),
        ("tags", ["x" * 51]), ("tags", [" "]), ("version", 0), ("locale", "../etc"), ("custom_fields", {"A b": 1}),
        ("custom_fields", {"unheard_of": 1}), ("timezone", "America/Sao_Paolo"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(crm: CrmStack, field: str, value: Any) -> None:
    contact = await crm.contact()
    body = await crm.ask("PATCH", f"contacts/{contact['id']}", {field: value}, 400)
    assert body["code"] == "INVALID_REQUEST"
    assert body["field"].startswith(field), body


@pytest.mark.parametrize("field", ["id", "user_id", "source", "created_at", "deleted_at", "owner_id", "email_norm"])
async def test_what_is_not_for_clients_cannot_be_written(crm: CrmStack, field: str) -> None:
    for method, path in (("POST", "contacts"), ("PATCH", f"contacts/{(await crm.contact())['id']}")):
        body = await crm.ask(method, path, {"email": an_address(), field: new_id()}, 400)
        assert body["code"] == "INVALID_REQUEST"


async def test_pages_have_no_gaps_whatever_they_are_sorted_by(crm: CrmStack) -> None:
    tag = f"page-{new_id()[-12:]}"
    names = ["", "Zoe", "ana", "Ana", "Ézio", "Bob"]
    made = [await crm.contact(name=name, tags=[tag], score=number % 3) for number, name in enumerate(names)]
    for sort in ("created_at", "email", "name", "score"):
        for order in ("asc", "desc"):
            asked = f"contacts?tag={tag}&sortBy={sort}&sortOrder={order}"
            whole = (await crm.ask("GET", asked))["data"]
            assert {row["id"] for row in whole} == {row["id"] for row in made}
            pages, cursor = [], ""
            while True:
                page = await crm.ask("GET", f"{asked}&limit=4&cursor={cursor}")
                assert page["total"] == 6
                pages += page["data"]
                if not (cursor := page["next"]):
                    break
            assert pages == whole
            assert (await crm.ask("GET", f"{asked}&limit=2&offset=3"))["data"] == whole[3:5]
    assert [row["name"] for row in (await crm.ask("GET", f"contacts?tag={tag}&search=ana"))["data"]] == ["Ana", "ana"]
    scored = await crm.ask("GET", f"contacts?tag={tag}&minScore=2")
    assert (scored["total"], scored["limit"], scored["offset"], scored["next"]) == (2, 50, 0, "")
    assert (await crm.ask("GET", f"contacts?tag={tag}&status=churned"))["data"] == []
    for asked in ("cursor=bm9uZQ", "limit=201", "sortBy=phone", "minScore=-1", "segment=7"):
        assert (await crm.ask("GET", f"contacts?{asked}", status=400))["field"] == asked.partition("=")[0]


async def test_tags_are_told_of_when_they_change(crm: CrmStack) -> None:
    contact = await crm.contact(tags=["a"])
    path = f"contacts/{contact['id']}/tags"
    assert (await crm.ask("PUT", f"{path}/B"))["data"]["tags"] == ["a", "b"]
    assert (await crm.ask("PUT", f"{path}/b"))["message"] == "Contact tagged"
    assert (await crm.ask("DELETE", f"{path}/a"))["data"]["tags"] == ["b"]
    await crm.ask("DELETE", f"{path}/a")
    await crm.ask("PATCH", f"contacts/{contact['id']}", {"tags": ["b", "c"]})
    await crm.until_told(contact["id"], "tag_added", 3)
    told = [(event.type, event.data["tag"]) for event in await crm.events(contact["id"], "tag_added", "tag_removed")]
    assert told == [("tag_added", "a"), ("tag_added", "b"), ("tag_removed", "a"), ("tag_added", "c")]
    for method in ("PUT", "DELETE"):
        assert (await crm.ask(method, f"contacts/{new_id()}/tags/b", status=404))["code"] == "NOT_FOUND"


async def test_the_timeline(crm: CrmStack) -> None:
    contact = await crm.contact()
    path = f"contacts/{contact['id']}/activities"
    note = {"type": "note", "text": "Called back"}
    answer = await crm.ask("POST", path, note)
    assert answer == {"success": True, "message": "Activity added", "data": {
        "id": answer["data"]["id"], "contact_id": contact["id"], "type": "note", "at": TIME, "ref_type": None,
        "ref_id": None, "data": {"text": "Called back", "by": crm.boss.user},
    }}  # fmt: skip
    for number in range(4):
        await crm.ask("POST", path, {"type": "task", "text": str(number), "due_at": "2026-12-01T10:00:00Z"})
    page = await crm.ask("GET", f"{path}?limit=4")
    assert (page["total"], [row["type"] for row in page["data"]]) == (6, ["task"] * 4)
    rest = await crm.ask("GET", f"{path}?limit=4&cursor={page['next']}")
    assert [row["type"] for row in rest["data"]] == ["note", "contact_created"]
    assert [row["id"] for row in (await crm.ask("GET", f"{path}?type=note"))["data"]] == [answer["data"]["id"]]
    assert (await crm.ask("POST", path, note | {"type": "mail_sent"}, 400))["field"] == "type"
    assert (await crm.ask("POST", path, note | {"text": ""}, 400))["field"] == "text"
    assert (await crm.ask("GET", f"{path}?cursor=bm9uZQ", status=400))["field"] == "cursor"
    for method, body in (("GET", None), ("POST", note)):
        assert (await crm.ask(method, f"contacts/{new_id()}/activities", body, 404))["code"] == "NOT_FOUND"


async def test_custom_fields_are_checked_on_every_way(crm: CrmStack) -> None:
    key = f"f_{new_id()[-12:]}"
    plan = {"key": key, "label": "Plan", "type": "select", "options": ["free", "pro"]}
    answer = await crm.ask("POST", "custom-fields", plan)
    assert answer == {"success": True, "message": "Custom field defined", "data": {
        **plan, "required": False, "pii": False, "created_at": TIME,
    }}  # fmt: skip
    assert await crm.ask("POST", "custom-fields", plan, 409) == refusal(
        "CONFLICT", "There is a custom field of that key"
    )
    assert (await crm.ask("POST", "custom-fields", plan | {"key": "Bad key"}, 400))["field"] == "key"
    assert (await crm.ask("POST", "custom-fields", plan | {"options": []}, 400))["field"] == "options"
    listed = await crm.ask("GET", "custom-fields")
    assert key in {row["key"] for row in listed["data"]}
    contact = await crm.contact(custom_fields={key: "pro"})
    refused = await crm.ask("PATCH", f"contacts/{contact['id']}", {"custom_fields": {key: "gold"}}, 400)
    assert (refused["field"], refused["error"]) == (
        f"custom_fields.{key}", f"`custom_fields.{key}` must be one of: free, pro",
    )  # fmt: skip
    assert (await crm.ask("POST", "contacts", {"email": an_address(), "custom_fields": {key: 1}}, 400))["field"]
    definition = {"label": "Plan", "type": "select", "options": ["free", "pro", "gold"]}
    await crm.ask("PUT", f"custom-fields/{key}", definition)
    await crm.ask("PATCH", f"contacts/{contact['id']}", {"custom_fields": {key: "gold"}})
    [told] = await crm.until_told(contact["id"], "contact_updated")
    assert told.data == {"fields": [f"custom.{key}"]}
    text = {"label": "Plan", "type": "text"}
    assert (await crm.ask("PUT", f"custom-fields/{key}", text, 409))["code"] == "CONFLICT"
    assert (await crm.ask("PUT", "custom-fields/unheard_of", definition, 404))["code"] == "NOT_FOUND"
    assert (await crm.ask("DELETE", f"custom-fields/{key}"))["data"] == {"key": key}
    assert (await crm.ask("GET", f"contacts/{contact['id']}"))["data"]["custom_fields"] == {}
    assert (await crm.ask("DELETE", f"custom-fields/{key}", status=404))["code"] == "NOT_FOUND"


async def test_a_list_takes_the_rules_of_segments(crm: CrmStack) -> None:
    tag = new_id()
    made = [await crm.contact(tags=[tag], score=score, name=f"N{score}") for score in (10, 20, 30)]
    tagged = {"field": "tags", "cmp": "contains", "value": tag}
    rules = {"op": "and", "children": [tagged, {"field": "score", "cmp": "gte", "value": 20}]}
    body = {"rules": rules, "sortBy": "score", "sortOrder": "asc", "limit": 1}
    page = await crm.ask("POST", "contacts/filter", body)
    assert (page["total"], page["limit"], page["data"]) == (2, 1, [made[1]])
    rest = await crm.ask("POST", "contacts/filter", body | {"cursor": page["next"]})
    assert (rest["data"], rest["next"]) == ([made[2]], "")
    both = await crm.ask("POST", "contacts/filter", {"rules": rules, "search": "n30", "minScore": 5, "tag": tag})
    assert [row["id"] for row in both["data"]] == [made[2]["id"]]
    hostile = {"field": "name", "cmp": "eq", "value": "') or true --"}
    assert (await crm.ask("POST", "contacts/filter", {"rules": hostile}))["total"] == 0
    wrong = await crm.ask("POST", "contacts/filter", {"rules": {"field": "password", "cmp": "eq", "value": "x"}}, 400)
    assert wrong["field"] == "rules.field"
    assert (await crm.ask("POST", "contacts/filter", {"rules": [], "limit": 5}, 400))["field"] == "rules"
    assert (await crm.ask("POST", "contacts/filter", {"rules": rules, "sql": "x"}, 400))["field"] == "sql"
