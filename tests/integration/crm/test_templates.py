"""Templates as administrators write, change, try and drop them."""

from typing import Any

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.sending.rows import a_contact, queue_mail
from tests.integration.crm.stack import CrmStack
from tests.integration.edge.shapes import TIME, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

DESIGN = {
    "counters": {"u_row": 1},
    "body": {"rows": [{"cells": [1], "columns": [], "values": {"x": None}}]},
    "other": 1e-7,
}
PAGE = '<p onclick="x()">Hello {{contact.first_name | default:"you"}}</p><a href="{{links.unsubscribe}}">leave</a>'


def a_template(**changes: Any) -> dict[str, Any]:
    return {"name": new_id(), "subject": "For {{contact.first_name}}", "design": DESIGN, "html": PAGE} | changes


async def made(crm: CrmStack, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await crm.ask("POST", "templates", a_template(**changes)))["data"]
    return answer


async def test_a_template_and_its_versions(crm: CrmStack) -> None:
    sent = a_template(category="news", preheader="Soon")
    answer = await crm.ask("POST", "templates", sent)
    one = answer["data"]
    assert answer == {"success": True, "message": "Template created", "data": one}
    assert one == {
        "id": one["id"], "name": sent["name"], "category": "news", "subject": sent["subject"], "preheader": "Soon",
        "design": DESIGN, "mjml": None, "html": PAGE.replace(' onclick="x()"', ""), "text": "", "policy": "lenient",
        "variables": ["contact.first_name", "links.unsubscribe"], "version": 1, "version_id": one["version_id"],
        "ready": True, "created_at": TIME, "updated_at": TIME,
        "problems": [{
            "code": "no_default", "severity": "warning",
            "message": "contact.first_name may be empty and has no default: it is left out where there is none",
        }],
    }  # fmt: skip
    path = f"templates/{one['id']}"
    assert (await crm.ask("GET", path))["data"] == one
    changed = (await crm.ask("PATCH", path, {"version": 1, "subject": "Anew"}))["data"]
    assert (changed["version"], changed["subject"], changed["design"]) == (2, "Anew", DESIGN)
    same = (await crm.ask("PUT", path, {"name": "Another name"}))["data"]
    assert (same["version"], same["name"]) == (2, "Another name"), "what is sent did not change"
    late = await crm.ask("PUT", path, {"version": 1, "subject": "Late"}, 409)
    assert late == refusal("CONFLICT", "The template was changed meanwhile: it is of version 2")
    apart = (await crm.ask("PUT", path, {"html": "<p>{{links.unsubscribe}}</p>"}))["data"]
    assert (apart["design"], apart["version"]) == (None, 3), "a design is of one page"
    versions = (await crm.ask("GET", f"{path}/versions"))["data"]
    assert [(each["number"], each["subject"]) for each in versions] == [(3, "Anew"), (2, "Anew"), (1, sent["subject"])]
    listed = await crm.ask("GET", f"templates?search={one['name'][:12]}")
    assert listed["total"] == 0, "it has another name now"
    listed = await crm.ask("GET", "templates?category=news&limit=200")
    assert one["id"] in {each["id"] for each in listed["data"]}
    assert "html" not in listed["data"][0]


async def test_what_cannot_be_sent_is_a_draft(crm: CrmStack) -> None:
    design_alone = await made(crm, html=None)
    assert (design_alone["ready"], design_alone["design"]) == (False, DESIGN)
    wrong = await made(crm, html="<p>{{contact.nothing}} {{custom.nothing}}</p>")
    assert wrong["ready"] is False
    errors = [each["message"] for each in wrong["problems"] if each["severity"] == "error"]
    assert errors == ["there is no contact.nothing", "there is no custom.nothing"]
    condition = {"type": "VIP", "label": "Only VIP", "before": "{% if vip %}", "after": "{% endif %}"}
    row = {"cells": [1], "columns": [], "values": {"displayCondition": condition}}
    conditional = await made(crm, design={"body": {"rows": [row, row | {"values": {"displayCondition": None}}]}})
    assert conditional["ready"] is False
    assert [each["message"] for each in conditional["problems"] if each["code"] == "display_condition"] == [
        "`design.body.rows[0].values.displayCondition` (Only VIP) is shown on a condition, which templates cannot have:"
        " write to a segment instead"
    ]
    mended = (await crm.ask("PATCH", f"templates/{wrong['id']}", {"html": "<p>a</p>"}))["data"]
    assert mended["ready"] is True


async def test_mjml_is_taken_too(crm: CrmStack) -> None:
    text = "<mj-text>Hi {{contact.first_name | default:&quot;you&quot;}}</mj-text>"
    source = f"<mjml><mj-body><mj-section><mj-column>{text}</mj-column></mj-section></mj-body></mjml>"
    one = await made(crm, html=None, design=None, mjml=source)
    assert (one["ready"], one["mjml"]) == (True, source)
    assert "Hi {{contact.first_name" in one["html"]
    bad = await made(crm, html=None, design=None, mjml="<mjml><mj-body>")
    assert (bad["ready"], bad["problems"][0]["code"]) == (False, "bad_mjml")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("subject", "a\r\nBcc: x@example.test"), ("subject", "x" * 501), ("design", {"body": {}}),
        ("policy", "loose"), ("html", 7), ("owner_id", "x"),
    ],
)  # fmt: skip
async def test_bad_input_is_named(crm: CrmStack, field: str, value: object) -> None:
    assert (await crm.ask("POST", "templates", a_template(**{field: value}), 400))["field"] == field


async def test_a_preview_is_what_somebody_would_get(crm: CrmStack) -> None:
    one = await made(crm, html=PAGE + '<p>{{data.code}}</p><a href="{{links.confirm}}">c</a>')
    path = f"templates/{one['id']}/render"
    shown = (await crm.ask("POST", path))["data"]
    assert (shown["subject"], shown["version"]) == ("For Ana", 1)
    assert "Hello Ana" in shown["html"]
    person = await crm.contact(first_name="<b>Eve</b>{{contact.email}}")
    wanted = {"contact": person["id"], "data": {"code": "<7>", "links": {"confirm": "javascript:alert(1)"}}}
    shown = (await crm.ask("POST", path, wanted))["data"]
    assert "Hello &lt;b&gt;Eve&lt;/b&gt;{{contact.email}}" in shown["html"]
    assert "<p>&lt;7&gt;</p>" in shown["html"]
    assert "javascript" not in shown["html"]
    assert shown["text"].startswith("Hello <b>Eve</b>")
    assert (await crm.ask("POST", path, {"contact": new_id()}, 404))["code"] == "NOT_FOUND"
    strict = await made(crm, html="<p>{{contact.last_name}}</p>", policy="strict")
    nameless = await crm.contact()
    told = await crm.ask("POST", f"templates/{strict['id']}/render", {"contact": nameless["id"]}, 400)
    assert told["field"] == "contact"


async def test_what_is_used_stays(crm: CrmStack) -> None:
    one = await made(crm)
    queued = await queue_mail(crm.supabase, await a_contact(crm.supabase), one["version_id"])
    await crm.supabase.as_service("PATCH", f"/rest/v1/crm_mail_out?id=eq.{queued}", {"due_at": "2100-01-01T00:00:00Z"})
    path = f"templates/{one['id']}"
    assert await crm.ask("DELETE", path, status=409) == refusal("CONFLICT", "It is used by mail 1 that wait to be sent")
    await crm.supabase.as_service("PATCH", f"/rest/v1/crm_mail_out?id=eq.{queued}", {"state": "skipped"})
    assert (await crm.ask("DELETE", path))["data"] == {"id": one["id"]}
    for method, at in (("GET", path), ("DELETE", path), ("GET", f"{path}/versions"), ("POST", f"{path}/render")):
        assert await crm.ask(method, at, status=404) == refusal("NOT_FOUND", "There is no such template")


async def test_another_one_like_it(crm: CrmStack) -> None:
    one = await made(crm, category="a")
    copy = (await crm.ask("POST", f"templates/{one['id']}/duplicate"))["data"]
    own = {"id", "name", "version_id", "created_at", "updated_at"}
    assert {name: value for name, value in copy.items() if name not in own} == {
        name: value for name, value in one.items() if name not in own
    }
    assert copy["name"] == f"{one['name']} (copy)"
    assert copy["id"] != one["id"]


async def test_the_editor_is_told_of_tags(crm: CrmStack) -> None:
    key = f"k{new_id()[-10:]}"
    await crm.ask("POST", "custom-fields", {"key": key, "label": "A", "type": "number"})
    told = (await crm.ask("GET", "templates/tags"))["data"]
    assert {"name": "contact: first name", "value": "{{contact.first_name}}", "sample": "Ana"} in told
    assert {"name": "bot: running", "value": "{{bot.running}}", "sample": "yes"} in told
    assert {"{{user.real_balance}}", f"{{{{custom.{key}}}}}"} <= {each["value"] for each in told}
    page = "".join(each["value"] for each in told if not each["value"].startswith("{{links"))
    assert (await made(crm, html=f"<p>{page}</p>"))["ready"] is True
