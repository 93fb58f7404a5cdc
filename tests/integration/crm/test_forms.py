"""Forms: what administrators make of them, what strangers can do with them, and what must never come of it."""

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.contracts.clock import SystemClock
from libs.contracts.crm import forms as rpc
from libs.contracts.crm.common import Of
from libs.contracts.ids import new_id
from libs.contracts.rpc import RpcError
from libs.store.crm.forms import Forms
from services.crm.forms.captcha import Captcha
from services.crm.forms.desk import FormDesk
from services.crm.forms.links import Confirmations
from services.crm.keys import Keys
from tests.integration.crm.sending.rows import a_version
from tests.integration.crm.stack import CrmStack
from tests.integration.edge.shapes import TIME, refusal
from tests.integration.postgres_server import PostgresServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

HTML = '<p><a href="{{links.confirm}}">Yes</a></p>'
PAGE = "https://www.example.com"
WORDS = "I want to get your news"
TAKEN = {"success": True, "message": "Look into your mails"}


async def a_template(crm: CrmStack, html: str | None = HTML) -> str:
    version = await a_version(crm.supabase, html)
    [row] = await crm.supabase.as_service("GET", f"/rest/v1/crm_email_templates?version_id=eq.{version}")
    return str(row["id"])


async def a_form(crm: CrmStack, **more: Any) -> dict[str, Any]:
    body = {
        "name": "News", "topic": "news", "consent_text": WORDS, "template_id": await a_template(crm),
        "thanks": TAKEN["message"], "origins": [PAGE],
    }  # fmt: skip
    made: dict[str, Any] = (await crm.ask("POST", "forms", body | more))["data"]
    return made


async def send(crm: CrmStack, form: str, to: str, status: int = 200, origin: str = "", **more: Any) -> Any:
    """What a stranger is told."""
    body = {"email": to, "consent": True} | more
    headers = {"Origin": origin} if origin else {}
    path = f"/api/crm/public/forms/{form}/submissions"
    got, answer, _ = await crm.edge.ask("POST", path, None, json=body, headers=headers)
    assert got == status, answer
    return answer


async def contact_of(crm: CrmStack, email: str) -> dict[str, Any] | None:
    found = (await crm.ask("GET", f"contacts?search={email}"))["data"]
    return found[0] if found else None


async def mails_to(crm: CrmStack, contact: str) -> list[str]:
    """Where they lead."""
    path = f"/rest/v1/crm_mail_out?contact_id=eq.{contact}&order=created_at"
    rows = await crm.supabase.as_service("GET", path)
    assert {row["class"] for row in rows} <= {"transactional"}
    return [urlsplit(row["data"]["links"]["confirm"]).path for row in rows]


async def consents(crm: CrmStack, contact: str) -> dict[str, str]:
    current = (await crm.ask("GET", f"contacts/{contact}/consents"))["data"]["current"]
    return {one["topic"]: one["state"] for one in current}


async def test_a_form_from_its_birth_to_its_end(crm: CrmStack) -> None:
    made = await a_form(crm, fields=[{"key": "name", "required": True}])
    assert made == {
        "id": made["id"], "name": "News", "topic": "news", "consent_text": WORDS, "text_version": 1,
        "template_id": made["template_id"], "fields": [{"key": "name", "label": "", "required": True}],
        "origins": [PAGE], "tags": [], "segment_id": None, "reminders": 0, "thanks": TAKEN["message"], "active": True,
        "pending": 0, "confirmed": 0, "version": 1, "created_at": TIME, "updated_at": TIME,
    }  # fmt: skip
    path = f"forms/{made['id']}"
    assert (await crm.ask("GET", path))["data"] == made
    changed = (await crm.ask("PATCH", path, {"version": 1, "consent_text": "Other words"}))["data"]
    assert (changed["text_version"], changed["version"]) == (2, 2)
    assert (await crm.ask("PUT", path, {"name": "X"}))["data"]["text_version"] == 2
    assert (await crm.ask("PATCH", path, {"version": 1, "name": "Y"}, 409))["code"] == "CONFLICT"
    assert made["id"] in [one["id"] for one in (await crm.ask("GET", "forms?search=x"))["data"]]
    await send(crm, made["id"], f"{new_id()}@x.test", fields={"name": "Ada"})
    sent = await crm.ask("GET", f"{path}/submissions?state=pending")
    assert (sent["total"], sent["data"][0]["fields"]) == (1, {"name": "Ada"})
    status, shown, _ = await crm.edge.ask("GET", f"/api/crm/public/forms/{made['id']}", None)
    assert (status, shown["data"]) == (200, {
        "id": made["id"], "fields": [{"key": "name", "label": "", "required": True}],
        "consent_text": "Other words", "text_version": 2, "trap": "website", "captcha": "",
    })  # fmt: skip
    await crm.ask("PATCH", path, {"active": False})
    assert await send(crm, made["id"], "a@x.test", 404) == refusal("NOT_FOUND", "There is no such form")
    await crm.ask("DELETE", path)
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert await crm.ask(method, path, body, 404) == refusal("NOT_FOUND", "There is no such form")
    assert await crm.ask("GET", f"{path}/submissions", status=404) == refusal("NOT_FOUND", "There is no such form")


async def test_a_form_may_ask_for_a_captcha(crm: CrmStack) -> None:
    """Of a service that answers as Turnstile, hCaptcha and reCAPTCHA do."""
    asked: list[dict[str, str]] = []

    async def siteverify(request: web.Request) -> web.Response:
        told = {name: str(value) for name, value in (await request.post()).items()}
        asked.append(told)
        if told["response"] == "broken":
            return web.Response(text="<html>", status=502)
        return web.json_response({"success": told["response"] == "right", "hostname": "www.example.com"})

    app = web.Application()
    app.router.add_post("/siteverify", siteverify)
    async with TestServer(app) as service:
        captcha = Captcha(str(service.make_url("/siteverify")), "their secret", "our site")
        desk = FormDesk(Forms(crm.database), Confirmations(Keys(["a key"]), SystemClock()), "https://x.test/", captcha)
        form = UUID((await a_form(crm))["id"])
        assert (await desk.show(Of(id=form))).captcha == "our site"

        async def submitted(answer: str) -> str:
            """Which error comes of it; none: whether a mail is to be sent."""
            email = f"{new_id()}@x.test"
            filled = rpc.Filled(email=email, consent=True, captcha=answer)
            wanted = rpc.SubmitForm(id=form, filled=filled, origin="", address="203.0.113.7", agent="")
            try:
                await desk.submit(wanted)
            except RpcError as error:
                assert await contact_of(crm, email) is None
                return error.code
            return "taken" if await contact_of(crm, email) else "lost"

        answers = {answer: await submitted(answer) for answer in ("right", "wrong", "", "broken")}
        assert answers == {
            "right": "taken", "wrong": "INVALID_REQUEST", "": "INVALID_REQUEST", "broken": "UNAVAILABLE",
        }  # fmt: skip
    assert asked[0] == {"secret": "their secret", "response": "right", "remoteip": "203.0.113.7"}
    assert await submitted("right") == "UNAVAILABLE"


async def test_what_cannot_work_is_refused(crm: CrmStack) -> None:
    made = await a_form(crm)
    dynamic = await crm.ask(
        "POST", "segments", {"name": new_id(), "rules": {"field": "score", "cmp": "gt", "value": 1}}
    )
    for field, value in (
        ("template_id", new_id()), ("template_id", await a_template(crm, None)),
        ("template_id", await a_template(crm, "<p>Hello</p>")), ("segment_id", dynamic["data"]["id"]),
        ("fields", [{"key": "custom.nowhere"}]), ("fields", [{"key": "name"}, {"key": "name"}]),
    ):  # fmt: skip
        answer = await crm.ask("PATCH", f"forms/{made['id']}", {field: value}, 400)
        assert answer["field"].startswith(field), answer
    for field, value in (("topic", "*"), ("origins", ["example.com"]), ("reminders", 3), ("consent_text", " ")):
        answer = await crm.ask("PATCH", f"forms/{made['id']}", {field: value}, 400)
        assert answer["field"].startswith(field), answer


async def test_nothing_comes_of_it_until_the_address_is_confirmed(crm: CrmStack) -> None:
    segment = (await crm.ask("POST", "segments", {"name": new_id(), "kind": "static"}))["data"]["id"]
    form = await a_form(
        crm, fields=[{"key": "first_name"}, {"key": "phone"}], tags=["from-form"], segment_id=segment, topic="offers"
    )
    email = f"{new_id()}@x.test"
    fields = {"first_name": "Buy cheap pills", "phone": f"+55 (11) 9{int(new_id()[-9:], 16) % 10**8:08d}"}
    assert await send(crm, form["id"], email, fields=fields, origin=PAGE) == TAKEN
    contact = await contact_of(crm, email)
    assert contact is not None
    assert (contact["name"], contact["phone"], contact["tags"], contact["source"]) == ("", None, [], "form")
    assert await consents(crm, contact["id"]) == {"offers": "pending"}
    [path] = await mails_to(crm, contact["id"])
    status, page, headers = await crm.edge.ask("GET", path, None)
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert "script" not in page
    assert "script-src" not in headers["content-security-policy"]
    assert await consents(crm, contact["id"]) == {"offers": "pending"}, "whoever looks at the page has not confirmed"
    for _ in range(2):  # once or more often, it is the same
        status, page, _ = await crm.edge.ask("POST", path, None)
        assert (status, "is confirmed" in page) == (200, True)
    after = (await crm.ask("GET", f"contacts/{contact['id']}"))["data"]
    assert (after["first_name"], after["tags"]) == ("Buy cheap pills", ["from-form"])
    assert after["phone"] == fields["phone"].translate({ord(each): None for each in " ()"})
    assert [row["id"] for row in (await crm.ask("GET", f"segments/{segment}/contacts"))["data"]] == [contact["id"]]
    assert await consents(crm, contact["id"]) == {"offers": "subscribed"}
    assert len(await crm.until_told(contact["id"], "form_submitted")) == 1
    rows = await crm.supabase.as_service(
        "GET", f"/rest/v1/crm_consents?contact_id=eq.{contact['id']}&state=eq.subscribed"
    )
    assert [(row["how"], row["text_version"], row["ip"]) for row in rows] == [("form", "1", "127.0.0.1")]
    proof = rows[0]["proof"]
    assert (proof["text"], proof["form"], proof["submitted_from"]) == (WORDS, form["id"], "127.0.0.1")
    assert proof["confirmed_at"] >= proof["submitted_at"]
    assert (await crm.ask("GET", f"forms/{form['id']}"))["data"]["confirmed"] == 1


async def test_the_mail_leads_to_the_page_that_confirms(crm: CrmStack) -> None:
    """As an administrator writes it, a server takes it, and a reader follows it."""
    written = {"name": "Confirm", "subject": "Please confirm", "html": f"<html><body>{HTML}</body></html>"}
    template = (await crm.ask("POST", "templates", written))["data"]
    assert (template["ready"], template["variables"]) == (True, ["links.confirm"])
    form, email = await a_form(crm, template_id=template["id"]), f"{new_id()}@{new_id()[-8:]}.test"
    await send(crm, form["id"], email)
    async with asyncio.timeout(20):
        while not (arrived := crm.office.mails(email)):
            await asyncio.sleep(0.05)
    [mail] = arrived
    part = mail.get_body(("html",))
    assert part is not None
    [link] = re.findall(r'href="([^"]+)"', part.get_content())
    for _ in range(2):  # through what counts clicks, if it leads through that
        if urlsplit(link).path.startswith("/m/c/"):
            url = crm.edge.url + urlsplit(link).path
            async with crm.edge.http.get(url, allow_redirects=False) as answer:
                assert answer.status == 302
                link = answer.headers["Location"]
    assert urlsplit(link).path.startswith("/api/crm/public/confirmations/")
    status, page, _ = await crm.edge.ask("POST", urlsplit(link).path, None)
    assert (status, "is confirmed" in page) == (200, True)
    contact = await contact_of(crm, email)
    assert contact is not None
    assert await consents(crm, contact["id"]) == {"news": "subscribed"}
    used = await crm.ask("DELETE", f"templates/{template['id']}", status=409)
    assert "News" in used["message"]


async def test_nobody_learns_who_is_known(crm: CrmStack) -> None:
    """Nor changes anything of them."""
    form = await a_form(crm, fields=[{"key": "name"}])
    known = await crm.contact(name="Ada", tags=["vip"])
    said = {"channel": "email", "topic": "news", "how": "test"}
    await crm.ask("POST", f"contacts/{known['id']}/consents", said | {"state": "subscribed"})
    left = await crm.contact()
    await crm.ask("POST", f"contacts/{left['id']}/consents", said | {"state": "unsubscribed"})
    suppressed = await crm.contact()
    await crm.ask("POST", "suppressions", {"channel": "email", "address": suppressed["email"]})
    stranger = f"{new_id()}@x.test"
    sent = [known["email"].upper(), left["email"], suppressed["email"], stranger]
    answers = [await send(crm, form["id"], email, fields={"name": "Mallory"}) for email in sent]
    assert answers == [TAKEN] * 4
    assert (await crm.ask("GET", f"contacts/{known['id']}"))["data"] == known
    assert await consents(crm, known["id"]) == {"news": "subscribed"}
    assert await consents(crm, left["id"]) == {"news": "unsubscribed"}
    wrong = [await send(crm, form["id"], email, 400, fields={"name": 7}) for email in (stranger, known["email"])]
    assert wrong[0]["field"] == "fields.name"
    assert wrong[0]["message"] == wrong[1]["message"]
    [path] = await mails_to(crm, left["id"])
    await crm.edge.ask("POST", path, None)
    assert await consents(crm, left["id"]) == {"news": "subscribed"}, "its owner may come back"


async def test_nobody_is_written_to_again_and_again(crm: CrmStack) -> None:
    forms = [await a_form(crm, topic=f"t{number}") for number in range(7)]
    email = f"{new_id()}@x.test"
    await asyncio.gather(*(send(crm, forms[0]["id"], email) for _ in range(4)))
    contact = await contact_of(crm, email)
    assert contact is not None
    assert len(await mails_to(crm, contact["id"])) == 1
    for form in forms:
        assert await send(crm, form["id"], email) == TAKEN
    assert len(await mails_to(crm, contact["id"])) == 5


async def test_programs_and_pages_of_others_do_not_send(crm: CrmStack) -> None:
    form, email = await a_form(crm), f"{new_id()}@x.test"
    assert await send(crm, form["id"], email, website="http://spam.example") == TAKEN
    for origin in ("https://evil.example", "null", PAGE + ".evil.example"):
        answer = await send(crm, form["id"], email, 403, origin=origin)
        assert answer["code"] == "CROSS_ORIGIN"
    for field, body in (
        ("consent", {"consent": False}), ("email", {"email": "no address"}),
        ("fields", {"fields": {"password": "x"}}), ("fields", {"fields": {"name": "x"}}),
        ("user_id", {"user_id": new_id()}),
    ):  # fmt: skip
        answer = await send(crm, form["id"], email, 400, **body)
        assert answer["field"].startswith(field), answer
    assert await contact_of(crm, email) is None
    path = f"/api/crm/public/forms/{form['id']}/submissions"
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    status, _, told = await crm.edge.ask("OPTIONS", path, None, headers=headers)
    assert (status, told["access-control-allow-origin"]) == (204, PAGE)
    assert "access-control-allow-credentials" not in told


async def test_links_are_good_for_what_they_were_made_for(crm: CrmStack) -> None:
    form, email = await a_form(crm), f"{new_id()}@x.test"
    await send(crm, form["id"], email)
    contact = await contact_of(crm, email)
    assert contact is not None
    [path] = await mails_to(crm, contact["id"])
    status, page, _ = await crm.edge.ask("POST", path[:-1] + ("A" if path[-1] != "A" else "B"), None)
    assert (status, "not good" in page) == (200, True)
    for wrong in (path.replace("/v1.", "/v2."), path[:60]):
        assert (await crm.edge.ask("POST", wrong, None))[0] == 400
    assert await consents(crm, contact["id"]) == {"news": "pending"}
    await crm.ask("DELETE", f"contacts/{contact['id']}")
    _, page, _ = await crm.edge.ask("POST", path, None)
    assert "not good" in page, "who was erased does not come back"


async def test_who_does_not_confirm_is_reminded_and_then_forgotten(postgres: PostgresServer) -> None:
    made = postgres.ask("""
        with template as (insert into public.crm_email_templates (name) values ('T') returning id),
        version as (
          insert into public.crm_email_template_versions (template_id, number, html, ready, checksum)
          select id, 1, '<a href="{{links.confirm}}">', true, 'x' from template returning id, template_id
        )
        select id, template_id from version""")[0].split("\t")  # fmt: skip
    postgres.ask(
        "update public.crm_email_templates set version_id = :'version' where id = :'id'", version=made[0], id=made[1]
    )
    [form] = postgres.ask(
        """insert into public.crm_forms (name, topic, consent_text, template_id, reminders)
        values ('N', 'news', 'Yes', :'template', 1) returning id""",
        template=made[1],
    )
    [known] = postgres.ask("insert into public.crm_contacts (email) values ('kept@forms.test') returning id")
    sent = {"new@forms.test": new_id(), "kept@forms.test": new_id()}
    for email, submission in sent.items():
        postgres.ask(
            "select public.crm_submit_form(:'form', :'id', :'email', '{}', '', null, null, 'https://x.test/', 604800)",
            form=form, id=submission, email=email,
        )  # fmt: skip

    def tend(days: int) -> list[str]:
        """When they were sent so many days ago."""
        postgres.ask(
            """update public.crm_form_submissions set created_at = now() - make_interval(days => :days),
              expires_at = now() + make_interval(days => 7 - :days) where form_id = :'form'""",
            form=form, days=str(days),
        )  # fmt: skip
        return postgres.ask("select public.crm_tend_forms(100, 172800)")

    mails = "select count(*) from public.crm_mail_out where key like 'form:' || :'id' || '%'"
    assert tend(1) == ["0"]
    assert (tend(2), tend(6)) == (["2"], ["0"])
    assert postgres.ask(mails, id=sent["new@forms.test"]) == ["2"]
    assert tend(8) == ["2"]
    people = "select email, deleted_at is null from public.crm_contacts where email like '%@forms.test'"
    assert postgres.ask(people) == ["kept@forms.test\tt"]
    assert postgres.ask("select state from public.crm_form_submissions where contact_id = :'id'", id=known) == [
        "expired"
    ]
    hashed = (
        "select count(*) from public.crm_suppressions where address_hash = private.crm_address_hash('new@forms.test')"
    )
    assert postgres.ask(hashed) == ["0"], "it was never written to against its will"
    again = (
        "select public.crm_submit_form(:'form', :'id', 'new@forms.test', '{}', '', null, null, 'https://x.test/', 1)"
    )
    assert "taken" in postgres.ask(again, form=form, id=new_id())[0]
