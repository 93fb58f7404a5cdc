"""Workflows over REST, from their drawing to their end."""

from typing import Any

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.stack import CrmStack
from tests.integration.crm.workflows.drawn import a_workflow, edge, ended, enrol, flow, line, node, run_of, way
from tests.integration.edge.shapes import TIME, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")


def greeting() -> dict[str, Any]:
    return line(node("tag", "add_tag", {"tag": "greeted"}))


async def test_a_workflow_from_its_birth_to_its_end(crm: CrmStack) -> None:
    name, drawn = f"Welcome {new_id()}", greeting() | {"viewport": {"x": 1, "y": 2.5, "zoom": 1}, "unknown": ["kept"]}
    made = (await crm.ask("POST", "workflows", {"name": name, "workflow_definition": drawn}))["data"]
    settings = {
        "re_entry": "once", "window_seconds": None, "max_steps": 1000, "max_visits": 50, "runs_per_minute": 10000,
        "failure_percent": 20,
    }  # fmt: skip
    assert made == {
        "id": made["id"], "name": name, "description": "", "status": "draft", "paused_because": "",
        "trigger_type": "manual", "execution_count": 0, "version": 1, "published": None, "created_at": TIME,
        "updated_at": TIME, "workflow_definition": drawn, "settings": settings, "problems": [],
    }  # fmt: skip
    path = f"workflows/{made['id']}"
    changed = (await crm.ask("PATCH", path, {"name": f"{name}!", "version": 1}))["data"]
    assert (changed["name"], changed["version"], changed["workflow_definition"]) == (f"{name}!", 2, drawn)
    assert await crm.ask("PUT", path, {"name": "No", "version": 1}, 409) == refusal("CONFLICT")
    listed = await crm.ask("GET", f"workflows?search={name}")
    assert [(row["id"], row["published"]) for row in listed["data"]] == [(made["id"], None)]
    assert (await crm.ask("GET", path))["data"] == changed
    copy = (await crm.ask("POST", f"{path}/duplicate"))["data"]
    assert (copy["name"], copy["workflow_definition"], copy["status"]) == (f"{name}! (copy)", drawn, "draft")
    for id_ in (made["id"], copy["id"]):
        await crm.ask("DELETE", f"workflows/{id_}")
        await crm.ask("GET", f"workflows/{id_}", status=404)


async def test_every_problem_of_a_flow_is_told_with_its_node(crm: CrmStack) -> None:
    wrong = flow(
        [
            node("begin", "trigger", {"event": "manual"}),
            node("mail", "send_email", {"template_id": new_id()}),
            node("x", "exit"),
        ],
        [edge("begin", "mail")],
    )
    told = (await crm.ask("POST", "workflows/check", {"workflow_definition": wrong}))["data"]
    assert told["valid"] is False
    assert {(one["code"], one.get("node_id")) for one in told["problems"]} == {
        ("unknown_ref", "mail"),
        ("marketing_without_consent", "mail"),
        ("missing_handle", "mail"),
        ("unreachable", "x"),
    }
    made = (await crm.ask("POST", "workflows", {"name": "Wrong", "workflow_definition": wrong}))["data"]
    assert made["problems"] == told["problems"]
    activated = (await crm.ask("POST", f"workflows/{made['id']}/activate"))["data"]
    assert (activated["workflow"], len(activated["problems"])) == (None, 4)
    assert (await crm.ask("GET", f"workflows/{made['id']}"))["data"]["status"] == "draft"


async def test_a_run_keeps_to_the_version_it_began_with(crm: CrmStack) -> None:
    contact = await crm.contact()
    workflow = await a_workflow(
        crm, line(node("wait", "delay", {"seconds": 1}), node("old", "add_tag", {"tag": "old"}))
    )
    [run] = await enrol(crm, workflow, contact["id"])
    await crm.ask(
        "PATCH", f"workflows/{workflow}", {"workflow_definition": line(node("new", "add_tag", {"tag": "new"}))}
    )
    assert (await crm.ask("POST", f"workflows/{workflow}/activate"))["data"]["workflow"]["published"] == 2
    again = (await crm.ask("POST", f"workflows/{workflow}/activate"))["data"]["workflow"]
    assert (again["published"], again["execution_count"]) == (2, 1)  # nothing else is published twice
    found = await ended(crm, workflow, run)
    assert (found["version"], found["outcome"], way(found)) == (
        1, "exit", [("begin", "out"), ("wait", "out"), ("old", "out"), ("end", None)],
    )  # fmt: skip
    assert (await crm.ask("GET", f"contacts/{contact['id']}"))["data"]["tags"] == ["old"]
    versions = await crm.ask("GET", f"workflows/{workflow}/versions")
    assert [one["number"] for one in versions["data"]] == [2, 1]
    first = (await crm.ask("GET", f"workflows/{workflow}/versions/1"))["data"]
    assert [one["id"] for one in first["workflow_definition"]["nodes"]] == ["begin", "wait", "old", "end"]


async def test_a_workflow_through_which_somebody_is_on_the_way_is_not_dropped(crm: CrmStack) -> None:
    contact = await crm.contact()
    workflow = await a_workflow(crm, line(node("wait", "delay", {"seconds": 3600})))
    [run] = await enrol(crm, workflow, contact["id"])
    await run_of(crm, workflow, run, "waiting")
    assert await crm.ask("DELETE", f"workflows/{workflow}", status=409) == refusal("CONFLICT")
    await crm.ask("POST", f"workflows/{workflow}/cancel")
    found = await ended(crm, workflow, run)
    assert (found["status"], found["outcome"]) == ("cancelled", "workflow")
    assert (await crm.ask("GET", f"contacts/{contact['id']}/executions"))["total"] == 1
    await crm.ask("DELETE", f"workflows/{workflow}")
    assert (await crm.ask("GET", f"contacts/{contact['id']}/executions"))["data"] == []


async def test_what_a_workflow_refers_to_cannot_be_dropped(crm: CrmStack) -> None:
    segment = (await crm.ask("POST", "segments", {"name": new_id(), "kind": "static"}))["data"]["id"]
    html = {"name": new_id(), "subject": "Hello", "html": "<p>Hello</p>"}
    template = (await crm.ask("POST", "templates", html))["data"]["id"]
    mail = {"template_id": template, "class": "transactional"}
    await crm.ask("POST", "custom-fields", {"key": (key := f"k_{new_id()[-8:]}"), "label": "A text", "type": "text"})
    drawn = line(
        node("put", "add_to_segment", {"segment_id": segment}), node("mail", "send_email", mail),
        node("set", "update_contact", {"fields": {f"custom.{key}": "x"}}),
    )  # fmt: skip
    workflow = await a_workflow(crm, drawn)
    used = (f"segments/{segment}", f"templates/{template}", f"custom-fields/{key}")
    for path in used:
        await crm.ask("DELETE", path, status=409)
    await crm.ask("DELETE", f"workflows/{workflow}")
    for path in used:
        await crm.ask("DELETE", path)


async def test_a_paused_workflow_stands_still_and_goes_on(crm: CrmStack) -> None:
    one, other = await crm.contact(), await crm.contact()
    workflow = await a_workflow(
        crm, line(node("wait", "delay", {"seconds": 1}), node("tag", "add_tag", {"tag": "late"}))
    )
    [run] = await enrol(crm, workflow, one["id"])
    await run_of(crm, workflow, run, "waiting")
    paused = (await crm.ask("POST", f"workflows/{workflow}/pause"))["data"]
    assert paused["status"] == "paused"
    await crm.ask("POST", f"workflows/{workflow}/execute", {"contacts": [other["id"]]}, 409)
    assert (await crm.ask("POST", f"workflows/{workflow}/resume"))["data"]["status"] == "active"
    assert (await ended(crm, workflow, run))["outcome"] == "exit"


async def test_a_run_is_paused_goes_on_and_is_cancelled(crm: CrmStack) -> None:
    contacts = [(await crm.contact())["id"] for _ in range(2)]
    workflow = await a_workflow(
        crm,
        line(
            node("wait", "wait_for_event", {"event": "tag_added", "tag": "go", "timeout_seconds": 3600}),
            node("tag", "add_tag", {"tag": "done"}),
        ),
    )
    first, second = await enrol(crm, workflow, *sorted(contacts))
    await run_of(crm, workflow, first, "waiting")
    path = f"workflows/{workflow}/executions"
    assert (await crm.ask("POST", f"{path}/{first}/pause"))["data"]["status"] == "paused"
    await crm.ask("POST", f"{path}/{first}/pause", status=409)
    await crm.ask("PUT", f"contacts/{sorted(contacts)[0]}/tags/go")
    await crm.until_told(sorted(contacts)[0], "tag_added")
    assert (await crm.ask("POST", f"{path}/{first}/resume"))["data"]["status"] in ("waiting", "active", "completed")
    assert way(await ended(crm, workflow, first))[1] == ("wait", "event")  # what came while it was paused is not lost
    assert (await crm.ask("POST", f"{path}/{second}/cancel"))["data"]["outcome"] == "cancelled"
    await crm.ask("POST", f"{path}/{second}/resume", status=409)
    await crm.ask("GET", f"{path}/{new_id()}", status=404)
    listed = await crm.ask("GET", f"{path}?status=cancelled")
    assert [row["id"] for row in listed["data"]] == [second]


async def test_a_dry_run_does_nothing(crm: CrmStack) -> None:
    contact = await crm.contact()
    rule = {"field": "tags", "cmp": "eq", "value": "vip"}
    drawn = line(node("tag", "add_tag", {"tag": "vip"}), node("wait", "delay", {"seconds": 86400}))
    drawn["nodes"] += [node("is", "condition", {"rule": rule}), node("yes", "goal", {"name": "Won"})]
    drawn["edges"][-1:] = [edge("wait", "is"), edge("is", "yes", "true"), edge("is", "end", "false")]
    made = (await crm.ask("POST", "workflows", {"name": "Dry", "workflow_definition": drawn}))["data"]
    path = f"workflows/{made['id']}/dry-run"
    told = (await crm.ask("POST", path, {"contact": contact["id"]}))["data"]
    assert [(step["node_id"], step["handle"]) for step in told["steps"]] == [
        ("begin", "out"), ("tag", "out"), ("wait", None), ("wait", "out"), ("is", "true"), ("yes", None),
    ]  # fmt: skip
    assert (told["outcome"], told["steps"][1]["effect"]) == ("goal", {"do": "add_tag", "tag": "vip"})
    assert (await crm.ask("GET", f"contacts/{contact['id']}"))["data"]["tags"] == []
    await crm.ask("POST", path, {"contact": new_id()}, 404)
    answer = await crm.ask("POST", path, {"contact": contact["id"], "trigger": "tag"}, 400)
    assert answer == refusal("INVALID_REQUEST", field="trigger")


async def test_a_dry_run_shows_the_mails_as_the_contact_would_read_them(crm: CrmStack) -> None:
    contact = await crm.contact(first_name="Ana")
    news = {"channel": "email", "topic": "news", "state": "subscribed", "how": "test"}
    await crm.ask("POST", f"contacts/{contact['id']}/consents", news)
    written = {"name": new_id(), "subject": "Hi {{contact.first_name}}", "html": "<p>{{contact.phone}}, <b>bye</b></p>"}
    templates = [
        (await crm.ask("POST", "templates", written | {"policy": policy}))["data"]["id"]
        for policy in ("lenient", "strict")
    ]
    drawn = line(
        node("first", "send_email", {"template_id": templates[0], "topic": "news"}),
        node("rename", "update_contact", {"fields": {"first_name": "Bia"}}),
        node("offer", "send_email", {"template_id": templates[0], "topic": "offers"}),
        node("strict", "send_email", {"template_id": templates[1], "class": "transactional"}),
    )
    made = (await crm.ask("POST", "workflows", {"name": "Dry", "workflow_definition": drawn}))["data"]
    told = (await crm.ask("POST", f"workflows/{made['id']}/dry-run", {"contact": contact["id"]}))["data"]
    mails = {step["node_id"]: step["mail"] for step in told["steps"] if step["mail"]}
    assert mails == {
        "first": {"subject": "Hi Ana", "text": ", bye", "not_sent": ""},
        "offer": {"subject": "Hi Bia", "text": ", bye", "not_sent": "no_consent"},
        "strict": {"subject": "", "text": "", "not_sent": "missing: contact.phone"},
    }
    states = {step["node_id"]: (step["state"], step["note"]) for step in told["steps"] if step["handle"]}
    assert (states["first"], states["offer"]) == (("done", ""), ("skipped", "no_consent"))
    assert states["strict"] == ("skipped", "missing: contact.phone")
    assert told["outcome"] == "exit"
    assert await crm.supabase.as_service("GET", f"/rest/v1/crm_mail_out?contact_id=eq.{contact['id']}") == []
