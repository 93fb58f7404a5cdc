"""Contacts from files: checked without writing, worked off once whatever dies, and never subscribed by a file."""

import asyncio
import csv
import io
from typing import Any

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.stack import CrmStack
from tests.integration.edge.shapes import TIME, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def upload(crm: CrmStack, text: str, size: int = 10_000, **wanted: Any) -> str:
    """The path of an import of that text."""
    made = (await crm.ask("POST", "contacts/import", wanted))["data"]
    path = f"contacts/import/{made['id']}"
    for number, begin in enumerate(range(0, len(text), size)):
        await crm.ask("PUT", f"{path}/pieces/{number}", {"text": text[begin : begin + size]})
    return path


async def ended(crm: CrmStack, path: str) -> dict[str, Any]:
    async with asyncio.timeout(50):
        while (job := (await crm.ask("GET", path))["data"])["state"] == "running":
            await asyncio.sleep(0.1)
        return dict(job)


async def found(crm: CrmStack, email: str) -> dict[str, Any] | None:
    rows = (await crm.ask("GET", f"contacts?search={email}"))["data"]
    return rows[0] if rows else None


async def test_a_file_becomes_contacts(crm: CrmStack) -> None:
    local, tag = new_id(), new_id()
    known = await crm.contact(name="Known")
    gone = await crm.contact()
    await crm.ask("POST", f"contacts/{known['id']}/consents", {
        "channel": "email", "topic": "*", "state": "unsubscribed", "how": "asked",
    })  # fmt: skip
    await crm.ask("POST", "suppressions", {"channel": "email", "address": gone["email"], "reason": "bounced"})
    await crm.ask("DELETE", f"contacts/{gone['id']}")
    text = (
        "email,name,tags,unsubscribed,nonsense\r\n"
        f"{local}-1@x.test,One,{tag},,1\r\n"
        f"nobody,,,,\r\n"
        f"{local}-2@x.test,=Two,,yes,\r\n"
        f"{known['email']},Changed,,no,\r\n"
        f"{gone['email']},Back,,,\r\n"
        f"{local}-1@X.test,One,,,\r\n"
    )
    path = await upload(crm, text, 17, tags=["imported"], file_name="people.csv")
    checked = await crm.ask("POST", f"{path}/check")
    assert checked == {"success": True, "message": "Nothing was written", "data": {
        "total": 6, "valid": 5, "known": 1, "ignored": ["nonsense"],
        "columns": {"email": "email", "name": "name", "tags": "tags", "unsubscribed": "unsubscribed"},
        "errors": [{"line": 3, "message": checked["data"]["errors"][0]["message"]}],
    }}  # fmt: skip
    assert await found(crm, f"{local}-1@x.test") is None
    assert (await crm.ask("POST", f"{path}/start"))["data"]["state"] == "running"
    job = await ended(crm, path)
    counts = {name: job[name] for name in ("state", "total", "done", "inserted", "updated", "unchanged", "skipped")}
    assert counts == {
        "state": "done", "total": 6, "done": 6, "inserted": 2, "updated": 1, "unchanged": 1, "skipped": 1,
    }  # fmt: skip
    assert (job["failed"], [error["line"] for error in job["errors"]]) == (1, [3])
    one, two = await found(crm, f"{local}-1@x.test"), await found(crm, f"{local}-2@x.test")
    assert one is not None
    assert two is not None
    assert (one["name"], one["source"], one["tags"]) == ("One", "import", sorted(["imported", tag]))
    assert await found(crm, gone["email"]) is None
    changed = await found(crm, known["email"])
    assert changed is not None
    assert (changed["name"], changed["tags"]) == ("Changed", ["imported"])
    for contact in (known["id"], two["id"]):  # nobody is subscribed by a file
        consents = (await crm.ask("GET", f"contacts/{contact}/consents"))["data"]["current"]
        assert [(said["topic"], said["state"]) for said in consents] == [("*", "unsubscribed")]
    assert (await crm.ask("GET", f"contacts/{one['id']}/consents"))["data"]["current"] == []
    assert [event.data for event in await crm.until_told(one["id"], "contact_created")] == [{"source": "import"}]
    for method, what in (("POST", "/check"), ("POST", "/start"), ("DELETE", ""), ("PUT", "/pieces/0")):
        body = {"text": "x"} if method == "PUT" else None
        assert (await crm.ask(method, path + what, body, 409))["code"] == "CONFLICT"


async def test_a_contact_may_be_left_as_it_is(crm: CrmStack) -> None:
    known = await crm.contact(name="Known")
    path = await upload(crm, f"email,name\n{known['email']},Other\n", updates=False)
    await crm.ask("POST", f"{path}/check")
    await crm.ask("POST", f"{path}/start")
    assert (await ended(crm, path))["skipped"] == 1
    assert (await crm.ask("GET", f"contacts/{known['id']}"))["data"]["name"] == "Known"


async def test_a_telephone_number_has_one_contact(crm: CrmStack) -> None:
    local, digits = new_id(), f"{int(new_id()[-7:], 16):09d}"
    theirs, new = f"+5511{digits}", f"+5521{digits}"
    await crm.contact(phone=theirs)
    rows = [
        f"{local}-1@x.test,{new}",
        f"{local}-2@x.test,{theirs}",
        f"{local}-3@x.test,{new}",
        f"{local}-1@X.test,{new}",
    ]
    path = await upload(crm, "\n".join(["email,phone", *rows]))
    wrong = [
        {"line": 3, "message": "`phone` is another contact's"},
        {"line": 4, "message": "`phone` is that of line 2"},
    ]
    assert (await crm.ask("POST", f"{path}/check"))["data"]["errors"] == wrong
    await crm.ask("POST", f"{path}/start")
    job = await ended(crm, path)
    assert (job["inserted"], job["unchanged"], job["failed"], job["errors"]) == (1, 1, 2, wrong)
    one = await found(crm, f"{local}-1@x.test")
    assert one is not None
    assert one["phone"] == new


async def test_another_systems_id_says_whose_a_line_is(crm: CrmStack) -> None:
    local = new_id()
    known = await crm.contact(external_id=f"{local}-K", phone=f"+55{int(local[-9:], 16) % 10**10:010d}")
    plain, other = await crm.contact(name="Plain"), await crm.contact(external_id=f"{local}-O")
    rows = [
        f"{local}-K,{local}-new@x.test,{known['phone']},Moved",  # another address for who is known
        f"{local}-P,{plain['email']},,",
        f"{local}-1,{local}-1@x.test,,One",
        f"{local}-1,,,First",
        f"{local}-1,{local}-2@x.test,,",
        f"{local}-2,,,",
        f"{local}-K,{other['email']},,",
        f"{local}-3,{other['email']},,",
        f"{local}-4,{local}-1@x.test,,",
    ]
    path = await upload(crm, "\n".join(["External ID,email,phone,name", *rows]))
    other_id = "`external_id` is not that of the contact with this `email`"
    wrong = [
        {"line": 6, "message": "`external_id` is that of line 4"},
        {"line": 7, "message": "`email` is required of a new contact"},
        {"line": 8, "message": other_id},
        {"line": 9, "message": other_id},
    ]
    checked = (await crm.ask("POST", f"{path}/check"))["data"]
    assert (checked["errors"], checked["known"]) == (wrong, 4)
    await crm.ask("POST", f"{path}/start")
    job = await ended(crm, path)
    assert job["errors"] == [*wrong, {"line": 10, "message": other_id}]
    assert (job["inserted"], job["updated"], job["failed"]) == (1, 3, 5)
    for contact, external_id, email, name in (
        (known, f"{local}-K", f"{local}-new@x.test", "Moved"), (plain, f"{local}-P", plain["email"], "Plain"),
        (other, f"{local}-O", other["email"], ""),
    ):  # fmt: skip
        row = (await crm.ask("GET", f"contacts/{contact['id']}"))["data"]
        assert (row["external_id"], row["email"], row["name"]) == (external_id, email, name)
    made = await found(crm, f"{local}-1@x.test")
    assert made is not None
    assert (made["external_id"], made["name"]) == (f"{local}-1", "First")


async def test_what_is_wrong_is_named(crm: CrmStack) -> None:
    for body, field in (({"file_name": "../../etc/passwd"}, "file_name"), ({"tags": [" "]}, "tags")):
        assert (await crm.ask("POST", "contacts/import", body, 400))["field"].startswith(field)
    path = await upload(crm, "name\nAda\n")
    assert await crm.ask("POST", f"{path}/check", {}, 400) == refusal(
        "INVALID_REQUEST", "There is no column `email` or `external_id`"
    )
    assert (await crm.ask("POST", f"{path}/start", {}, 409))["code"] == "CONFLICT"  # it was not checked
    assert (await crm.ask("PUT", f"{path}/pieces/1000", {"text": "x"}, 400))["field"] == "number"
    assert (await crm.ask("PUT", f"{path}/pieces/0", {"text": ""}, 400))["field"] == "text"
    assert (await crm.ask("DELETE", path))["data"]["state"] == "cancelled"
    nowhere = f"contacts/import/{new_id()}"
    for method, what in (("GET", ""), ("DELETE", ""), ("POST", "/check"), ("POST", "/start"), ("PUT", "/pieces/0")):
        sent = {"text": "x"} if method == "PUT" else None
        assert await crm.ask(method, nowhere + what, sent, 404) == refusal("NOT_FOUND", "There is no such import")


async def test_a_process_that_dies_repeats_nothing_and_leaves_nothing_out(own_crm: CrmStack) -> None:
    many = 6000
    text = "email,name\n" + "".join(f"{number}@many.test,N {number}\n" for number in range(many))
    path = await upload(own_crm, text, 100_000)
    await own_crm.ask("POST", f"{path}/check")
    await own_crm.ask("POST", f"{path}/start")
    for _ in range(2):
        async with asyncio.timeout(30):
            before = (await own_crm.ask("GET", path))["data"]["done"]
            while before == (job := (await own_crm.ask("GET", path))["data"])["done"] and job["state"] == "running":
                await asyncio.sleep(0.01)
        await own_crm.crm.kill()
        await own_crm.crm.start()
    job = await ended(own_crm, path)
    assert (job["state"], job["done"], job["inserted"], job["unchanged"]) == ("done", many, many, 0)
    told: set[str] = set()
    for offset in range(0, many + 1000, 1000):
        asked = f"crm_activities?select=contact_id&type=eq.contact_created&order=number&limit=1000&offset={offset}"
        rows = await own_crm.supabase.as_service("GET", f"/rest/v1/{asked}")
        assert not told & {row["contact_id"] for row in rows}
        told |= {row["contact_id"] for row in rows}
    assert many <= len(told) <= many + 1  # and the boss


async def test_contacts_as_a_file(crm: CrmStack) -> None:
    segment = (await crm.ask("POST", "segments", {"name": new_id(), "kind": "static"}))["data"]["id"]
    made = [await crm.contact(name=name) for name in ("=HYPERLINK(1)", "Plain")]
    theirs = (await crm.ask("PATCH", f"contacts/{made[0]['id']}", {"external_id": new_id()}))["data"]["external_id"]
    await crm.ask("POST", f"segments/{segment}/contacts", {"contacts": [one["id"] for one in made]})
    answer = await crm.ask("POST", "contacts/export", {"segment": segment})
    link = answer["data"]["link"]
    assert answer == {
        "success": True, "message": "Good for a few minutes", "data": {"link": link, "expires_at": TIME},
    }  # fmt: skip
    status, text, headers = await crm.edge.ask("GET", link, crm.boss)
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["email"]: row["name"] for row in rows} == {
        made[0]["email"]: "'=HYPERLINK(1)", made[1]["email"]: "Plain",
    }  # fmt: skip
    assert {row["external_id"] for row in rows} == {theirs, ""}
    other = await crm.supabase.sign_up()
    await crm.supabase.appoint(other, "admin")
    wrong = [link.replace(segment, new_id()), link[:-1] + ("0" if link[-1] != "0" else "1")]
    wrong += [link.replace("expires=", "expires=9")]
    for asked, person in ((link, other), *((each, crm.boss) for each in wrong)):
        status, body, _ = await crm.edge.ask("GET", asked, person)
        assert (status, body["code"]) == (403, "FORBIDDEN"), asked
    status, body, _ = await crm.edge.ask("GET", "/api/crm/contacts/export", crm.boss)
    assert (status, body["field"]) == (400, "expires")
    assert (await crm.ask("POST", "contacts/export", {"segment": "x"}, 400))["field"] == "segment"
