"""What each kind of node does with a real contact, and what begins, wakes and stops runs."""

import asyncio
import hashlib
import hmac
import json
import re
import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from libs.bus.topology import ALERTS
from libs.contracts.alerts import Alert
from libs.contracts.ids import new_id
from libs.contracts.subjects import ALL_ALERTS
from libs.store.crm.runs import Runs, Wake
from libs.store.crm.seals import Seals
from services.crm.keys import Keys
from services.crm.sealing import Sealing
from tests.integration.crm.stack import LONG_AGO, CrmStack
from tests.integration.crm.workflows.drawn import a_workflow, edge, ended, enrol, line, node, run_of, way
from tests.integration.crm.workflows.readers import a_reader, a_template, mails_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def first_run(crm: CrmStack, workflow: str, many: int = 1) -> str:
    """The newest, once so many have begun."""
    async with asyncio.timeout(20):
        while (page := await crm.ask("GET", f"workflows/{workflow}/executions"))["total"] < many:
            await asyncio.sleep(0.05)
        return str(page["data"][0]["id"])


async def test_what_happens_to_a_contact_begins_a_run_once(crm: CrmStack) -> None:
    tag = new_id()[:20]
    trigger = {"event": "tag_added", "tag": tag}
    workflow = await a_workflow(
        crm, line(node("note", "create_note", {"text": "Hello"}), trigger=trigger), re_entry="always"
    )
    other = await a_workflow(crm, line(trigger={"event": "tag_added", "tag": f"{tag}-2"}))
    contact = await crm.contact(tags=[tag])
    found = await ended(crm, workflow, await first_run(crm, workflow))
    assert (found["contact_id"], way(found)) == (contact["id"], [("begin", "out"), ("note", "out"), ("end", None)])
    notes = (await crm.ask("GET", f"contacts/{contact['id']}/activities?type=note"))["data"]
    assert [note["data"]["text"] for note in notes] == ["Hello"]
    await crm.ask("DELETE", f"contacts/{contact['id']}/tags/{tag}")
    await crm.ask("PUT", f"contacts/{contact['id']}/tags/{tag}")
    await first_run(crm, workflow, 2)
    assert (await crm.ask("GET", f"workflows/{other}/executions"))["total"] == 0


async def test_effects_are_seen_by_the_conditions_behind_them(crm: CrmStack) -> None:
    segment = (await crm.ask("POST", "segments", {"name": new_id(), "kind": "static"}))["data"]["id"]
    rule = {"op": "and", "children": [
        {"field": "tags", "cmp": "eq", "value": "vip"}, {"field": "score", "cmp": "gte", "value": 5},
        {"field": "segments", "cmp": "eq", "value": segment}, {"field": "status", "cmp": "eq", "value": "customer"},
        {"field": "event.plan", "cmp": "eq", "value": "gold"}, {"field": "bot_running", "cmp": "eq", "value": False},
    ]}  # fmt: skip
    drawn = line(
        node("tag", "add_tag", {"tag": "VIP"}), node("score", "add_score", {"points": 5}),
        node("put", "add_to_segment", {"segment_id": segment}),
        node("set", "update_contact", {"fields": {"status": "customer", "locale": "pt-BR"}}),
        node("task", "create_task", {"text": "Call", "due_in_seconds": 60}),
    )  # fmt: skip
    drawn["nodes"] += [node("is", "condition", {"rule": rule}), node("won", "goal", {"name": "Won"})]
    drawn["edges"][-1:] = [edge("task", "is"), edge("is", "won", "true"), edge("is", "end", "false")]
    contact = await crm.contact()
    workflow = await a_workflow(crm, drawn)
    [run] = await enrol(crm, workflow, contact["id"], plan="gold")
    found = await ended(crm, workflow, run)
    assert (found["outcome"], way(found)[-2:]) == ("goal", [("is", "true"), ("won", None)])
    now = (await crm.ask("GET", f"contacts/{contact['id']}"))["data"]
    assert (now["tags"], now["score"], now["status"], now["locale"]) == (["vip"], 5, "customer", "pt-BR")
    figures = (await crm.ask("GET", f"workflows/{workflow}/stats"))["data"]
    assert figures["runs"] == {"completed": 1}
    assert [(one["node_id"], one["branches"]) for one in figures["nodes"] if one["node_id"] == "is"] == [
        ("is", {"true": 1})
    ]


async def test_a_mail_is_queued_once_and_its_result_waited_for(crm: CrmStack) -> None:
    crm.office.silent.add(silent := new_id())
    mail = {"template_id": await a_template(crm), "topic": "news"}
    workflow = await a_workflow(crm, line(node("mail", "send_email", mail)))
    readers = {
        await a_reader(crm, new_id()): ("sent", "done"), await a_reader(crm, silent): ("unknown", "done"),
        await a_reader(crm, new_id(), subscribed=False): ("skipped", "skipped"),
    }  # fmt: skip
    for run in await enrol(crm, workflow, *readers):
        found = await ended(crm, workflow, run)
        result, state = readers[found["contact_id"]]
        step = found["log"][1]
        assert (found["outcome"], step["state"], step["output"]) == ("exit", state, {"result": result})
        [row] = await mails_of(crm, run)
        assert (row["key"], row["class"], row["state"]) == (f"wf:{run}:mail:1:1", "marketing", result)


async def test_steps_say_by_what_they_were_decided(crm: CrmStack) -> None:
    rule = {"field": "score", "cmp": "gte", "value": 50}
    drawn = line(node("ask", "condition", {"rule": rule}), node("tag", "add_tag", {"tag": "asked"}))
    workflow = await a_workflow(crm, drawn)
    contacts = [(await crm.contact(score=score))["id"] for score in (60, 60, 61)]
    runs = [await ended(crm, workflow, run) for run in await enrol(crm, workflow, *contacts)]
    asked, tagged = ([run["log"][place]["input_digest"] for run in runs] for place in (1, 2))
    by_contact = {run["contact_id"]: digest for run, digest in zip(runs, asked, strict=True)}
    one, same, other = (by_contact[contact] for contact in contacts)
    assert one == same != other
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in [*asked, *tagged])
    assert len({*tagged}) == 1


async def test_what_fails_is_tried_again_and_then_goes_its_own_way(crm: CrmStack) -> None:
    crm.office.refusals[name := new_id()] = ["554 5.7.1 not you"] * 2
    told = {"template_id": await a_template(crm), "topic": "news"}
    retry = {"retry": {"max_attempts": 2, "backoff_seconds": 1}, "on_error": "error_handle"}
    drawn = line(node("mail", "send_email", told, **retry))
    drawn["nodes"].append(node("sorry", "add_tag", {"tag": "unreachable"}))
    drawn["edges"] += [edge("mail", "sorry", "error"), edge("sorry", "end")]
    workflow = await a_workflow(crm, drawn)
    [run] = await enrol(crm, workflow, await a_reader(crm, name))
    found = await ended(crm, workflow, run)
    assert way(found) == [("begin", "out"), ("mail", "error"), ("sorry", "out"), ("end", None)]
    step = found["log"][1]
    assert (step["state"], step["attempt"], step["error"]) == ("failed", 2, (await mails_of(crm, run))[1]["error"])
    assert [row["key"] for row in await mails_of(crm, run)] == [f"wf:{run}:mail:1:{attempt}" for attempt in (1, 2)]


async def test_what_does_not_fit_fails_the_run_with_its_reason_and_changes_nothing(crm: CrmStack) -> None:
    key = f"n{new_id()[-8:]}"
    await crm.ask("POST", "custom-fields", {"key": key, "label": "A number", "type": "number"})
    fields = {"fields": {f"custom.{key}": "many", "status": "customer"}}
    workflow = await a_workflow(
        crm, line(node("set", "update_contact", fields), node("tag", "add_tag", {"tag": "late"}))
    )
    contact = await crm.contact()
    [run] = await enrol(crm, workflow, contact["id"])
    found = await ended(crm, workflow, run)
    assert (found["status"], found["error"]) == ("failed", f"`custom_fields.{key}` must be a number")
    assert [(step["node_id"], step["state"]) for step in found["log"]] == [("begin", "done"), ("set", "failed")]
    now = (await crm.ask("GET", f"contacts/{contact['id']}"))["data"]
    assert (now["status"], now["tags"]) == ("lead", [])


async def test_an_event_is_waited_for_until_it_comes_or_time_is_over(crm: CrmStack) -> None:
    waits = {"event": "tag_added", "tag": "go"}
    workflow = await a_workflow(crm, line(node("wait", "wait_for_event", {**waits, "timeout_seconds": 3600})))
    short = await a_workflow(crm, line(node("wait", "wait_for_event", {**waits, "timeout_seconds": 1})))
    contact = await crm.contact()
    [run] = await enrol(crm, workflow, contact["id"])
    await run_of(crm, workflow, run, "waiting")
    await crm.ask("PUT", f"contacts/{contact['id']}/tags/no")
    await crm.ask("PUT", f"contacts/{contact['id']}/tags/go")
    assert way(await ended(crm, workflow, run))[1] == ("wait", "event")
    [run] = await enrol(crm, short, contact["id"])
    assert way(await ended(crm, short, run))[1] == ("wait", "timeout")  # what came before does not count


async def test_an_event_that_comes_while_somebody_looks_is_not_forgotten(crm: CrmStack) -> None:
    """Whoever looked before it came commits after it came, or between the question whom it concerns and the answer."""
    wait = {"event": "tag_added", "tag": "go", "timeout_seconds": 3600}
    workflow = await a_workflow(crm, line(node("wait", "wait_for_event", wait)), re_entry="always")
    contact, runs = await crm.contact(), Runs(crm.database)
    path = "/rest/v1/crm_workflow_runs?id=eq."

    async def looked_at() -> tuple[UUID, dict[str, Any]]:
        """A run that waits, and what somebody who has looked at it is about to commit: that it waits on."""
        [run] = await enrol(crm, workflow, contact["id"])
        async with asyncio.timeout(20):
            while True:
                [row] = await crm.supabase.as_service("GET", path + run)
                if row["waits"] == "event" and row["claimed_until"] is None and row["seq"] >= 2:
                    await crm.supabase.as_service("PATCH", path + run, {"due_at": "2026-01-01T00:00:00Z"})
                    if due := await runs.claim([UUID(run)], 1, 5.0):
                        break
                await asyncio.sleep(0.05)
        later = (due[0].now + timedelta(hours=1)).isoformat()
        place = {
            "status": "waiting", "node": "wait", "waits": "event", "awaits": "tag_added", "attempt": 1, "due_at": later,
            "since": due[0].since.isoformat() if due[0].since else None,
        }  # fmt: skip
        return due[0].run, {"run": run, "contact": contact["id"], "seq": due[0].seq, "steps": [], "place": place}

    for first in ("the event", "the commit"):
        run, walked = await looked_at()
        wake = Wake(run, "wait", datetime.now(UTC), {"tag": "go"})
        if first == "the event":
            assert await runs.wake([wake]) == 1
            assert await runs.commit([walked]) == ("stale",)
        else:
            assert await runs.commit([walked]) == ("waiting",)
            assert await runs.wake([wake]) == 1
        assert way(await ended(crm, workflow, str(run)))[1] == ("wait", "event")


async def test_what_comes_while_a_run_is_late_is_not_missed(crm: CrmStack) -> None:
    """It is about to wait, and stands still; the event comes; then it goes on."""
    waits = {"event": "tag_added", "tag": "go", "timeout_seconds": 3600}
    drawn = line(node("delay", "delay", {"seconds": 1}), node("wait", "wait_for_event", waits))
    workflow = await a_workflow(crm, drawn)
    contact = await crm.contact()
    [run] = await enrol(crm, workflow, contact["id"])
    await run_of(crm, workflow, run, "waiting")
    await crm.ask("POST", f"workflows/{workflow}/pause")
    await asyncio.sleep(1.1)  # its time comes and nobody looks
    await crm.ask("PUT", f"contacts/{contact['id']}/tags/go")
    await crm.until_told(contact["id"], "tag_added")
    await crm.ask("POST", f"workflows/{workflow}/resume")
    assert way(await ended(crm, workflow, run))[2] == ("wait", "event")


@pytest.mark.parametrize(
    ("settings", "runs"),
    [({"re_entry": "once"}, 1), ({"re_entry": "always"}, 3), ({"re_entry": "only_if_not_running"}, 1),
     ({"re_entry": "once_per_window", "window_seconds": 3600}, 1)],
)  # fmt: skip
async def test_who_may_enter_again(crm: CrmStack, settings: dict[str, Any], runs: int) -> None:
    workflow = await a_workflow(crm, line(node("wait", "delay", {"seconds": 3600})), **settings)
    contact = await crm.contact()
    for _ in range(3):
        await enrol(crm, workflow, contact["id"])
    assert (await crm.ask("GET", f"workflows/{workflow}/executions"))["total"] == runs


async def test_who_goes_round_too_often_has_failed(crm: CrmStack) -> None:
    drawn = line(node("wait", "delay", {"seconds": 1}))
    rule = {"field": "tags", "cmp": "eq", "value": "out"}
    drawn["nodes"] += [node("is", "condition", {"rule": rule}), node("back", "jump", {"to": "wait"})]
    drawn["edges"][-1:] = [edge("wait", "is"), edge("is", "end", "true"), edge("is", "back", "false")]
    workflow = await a_workflow(crm, drawn, max_visits=2)
    [run] = await enrol(crm, workflow, (await crm.contact())["id"])
    found = await ended(crm, workflow, run)
    assert (found["status"], found["error"]) == ("failed", "more than 2 visits of one node")


async def test_a_workflow_that_begins_too_often_is_paused_and_operators_are_told(crm: CrmStack) -> None:
    workflow = await a_workflow(crm, line(), runs_per_minute=2)
    contacts = [(await crm.contact())["id"] for _ in range(4)]
    assert len(await enrol(crm, workflow, *contacts)) == 2
    found = (await crm.ask("GET", f"workflows/{workflow}"))["data"]
    assert (found["status"], found["paused_because"]) == ("paused", "it began more often in a minute than it may")
    async with asyncio.timeout(20):
        while True:
            alerts = await crm.bus.past(ALERTS, ALL_ALERTS, Alert, LONG_AGO)
            if [one.kind for one in alerts if one.details.get("workflow") == workflow]:
                break
            await asyncio.sleep(0.05)


async def test_a_workflow_whose_runs_fail_is_paused(crm: CrmStack) -> None:
    key = f"n{new_id()[-8:]}"
    await crm.ask("POST", "custom-fields", {"key": key, "label": "A number", "type": "number"})
    workflow = await a_workflow(crm, line(node("set", "update_contact", {"fields": {f"custom.{key}": "many"}})))
    contacts = [(await crm.contact())["id"] for _ in range(20)]
    await enrol(crm, workflow, *contacts)
    async with asyncio.timeout(20):
        while (found := (await crm.ask("GET", f"workflows/{workflow}"))["data"])["status"] != "paused":
            await asyncio.sleep(0.05)
    assert found["paused_because"] == "too many of its runs fail"


async def test_a_clock_lets_in_everybody_of_a_segment_once(crm: CrmStack) -> None:
    segment = (await crm.ask("POST", "segments", {"name": new_id(), "kind": "static"}))["data"]["id"]
    contacts = [(await crm.contact())["id"] for _ in range(3)]
    await crm.ask("POST", f"segments/{segment}/contacts", {"contacts": contacts})
    trigger = {"event": "schedule", "cron": "0 9 * * *", "zone": "America/Sao_Paulo", "segment_id": segment}
    workflow = await a_workflow(crm, line(trigger=trigger))
    path = f"/rest/v1/crm_workflow_schedules?workflow_id=eq.{workflow}"
    [schedule] = await crm.supabase.as_service("GET", path)
    assert "12:00:00" in schedule["due_at"]
    await crm.supabase.as_service("PATCH", path, {"due_at": "2026-01-01T12:00:00Z"})
    await first_run(crm, workflow, 3)
    [after] = await crm.supabase.as_service("GET", path)
    assert (after["due_at"], after["firing_at"]) == (schedule["due_at"], None)
    assert (await crm.ask("GET", f"workflows/{workflow}/executions"))["total"] == 3


async def test_whom_a_clock_lets_in_is_not_forgotten_for_a_new_version(crm: CrmStack) -> None:
    segment = (await crm.ask("POST", "segments", {"name": new_id(), "kind": "static"}))["data"]["id"]
    contacts = [(await crm.contact())["id"] for _ in range(2)]
    await crm.ask("POST", f"segments/{segment}/contacts", {"contacts": contacts})
    trigger = {"event": "schedule", "cron": "0 9 * * *", "segment_id": segment}
    workflow = await a_workflow(crm, line(trigger=trigger), runs_per_minute=1)
    path = f"/rest/v1/crm_workflow_schedules?workflow_id=eq.{workflow}"
    await crm.supabase.as_service("PATCH", path, {"due_at": "2026-01-01T12:00:00Z"})
    await first_run(crm, workflow)
    other = line(node("note", "create_note", {"text": "Another"}), trigger=trigger)
    await crm.ask("PATCH", f"workflows/{workflow}", {"workflow_definition": other, "settings": {}})
    assert (await crm.ask("POST", f"workflows/{workflow}/activate"))["data"]["workflow"]["published"] == 2
    run = await first_run(crm, workflow, 2)
    assert (await ended(crm, workflow, run))["version"] == 2
    runs = (await crm.ask("GET", f"workflows/{workflow}/executions"))["data"]
    assert {run["contact_id"] for run in runs} == set(contacts)


async def test_a_version_that_nobody_can_read_fails_its_own_runs_only(crm: CrmStack) -> None:
    """Of a deployment whose rules were others."""
    bad, good = await a_workflow(crm, line(), re_entry="always"), await a_workflow(crm, line())
    strange = {"id": "begin", "kind": "trigger", "params": {"event": "eclipse"}, "out": {}}
    version = {
        "workflow_id": bad, "number": 2, "workflow_definition": {}, "graph": {"nodes": {"begin": strange}},
        "triggers": [{"node": "begin", "params": {"event": "manual"}}], "settings": {}, "checksum": "",
        "published_by": "",
    }  # fmt: skip
    [row] = await crm.supabase.as_service("POST", "/rest/v1/crm_workflow_versions", version)
    await crm.supabase.as_service("PATCH", f"/rest/v1/crm_workflows?id=eq.{bad}", {"version_id": row["id"]})
    contact = await crm.contact()
    [broken], [fine] = await enrol(crm, bad, contact["id"]), await enrol(crm, good, contact["id"])
    assert (await ended(crm, bad, broken))["status"] == "failed"
    assert (await ended(crm, good, fine))["outcome"] == "exit"


async def test_who_walked_from_an_older_place_changes_nothing(crm: CrmStack) -> None:
    workflow = await a_workflow(
        crm, line(node("wait", "delay", {"seconds": 3600}), node("tag", "add_tag", {"tag": "x"}))
    )
    contact = await crm.contact()
    [run] = await enrol(crm, workflow, contact["id"])
    await run_of(crm, workflow, run, "waiting")
    late = {
        "run": run, "contact": contact["id"], "seq": 0, "place": {"status": "completed", "node": "end", "attempt": 1},
        "steps": [{"node": "tag", "visit": 1, "kind": "add_tag", "state": "done", "attempt": 1, "handle": "out",
                   "effect": {"do": "add_tag", "tag": "x"}, "key": "k"}],
    }  # fmt: skip
    assert await Runs(crm.database).commit([late]) == ("stale",)
    assert (await crm.ask("GET", f"contacts/{contact['id']}"))["data"]["tags"] == []


def signed(secret: str, body: bytes, event: str, at: float) -> dict[str, str]:
    content = f"{event}.{int(at)}.".encode() + body
    digest = hmac.new(b64decode(secret.removeprefix("whsec_")), content, hashlib.sha256).digest()
    return {
        "webhook-id": event, "webhook-timestamp": str(int(at)), "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }  # fmt: skip


async def stored_secret(crm: CrmStack, workflow: str) -> str:
    [row] = await crm.supabase.as_service("GET", f"/rest/v1/crm_workflows?id=eq.{workflow}&select=hook_secret")
    return str(row["hook_secret"])


async def test_a_signed_call_from_outside_lets_in_once(crm: CrmStack) -> None:
    contact = await crm.contact()
    trigger = {"event": "webhook", "email_field": "who.address"}
    rule = {"field": "event.plan", "cmp": "eq", "value": "gold"}
    drawn = line(node("tag", "add_tag", {"tag": "called"}), trigger=trigger)
    drawn["nodes"].append(node("is", "condition", {"rule": rule}))
    drawn["edges"][:1] = [edge("begin", "is"), edge("is", "tag", "true"), edge("is", "end", "false")]
    workflow = await a_workflow(crm, drawn, re_entry="always")
    secret = (await crm.ask("POST", f"workflows/{workflow}/hook-secret"))["data"]["secret"]
    body = json.dumps({"who": {"address": contact["email"].upper()}, "plan": "gold"}).encode()

    async def call(headers: dict[str, str], id_: str = workflow) -> tuple[int, Any]:
        url = f"{crm.edge.url}/api/crm/hooks/{id_}"
        async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as response:
            return response.status, await response.json()

    now = time.time()
    right = signed(secret, body, "evt_1", now)
    assert await call(right) == (200, {"success": True, "began": True})
    assert await call(right) == (200, {"success": True, "began": False})
    for wrong in (
        signed(secret, body + b" ", "evt_2", now), signed(secret, body, "evt_2", now - 301),
        {**right, "webhook-id": "evt_3"}, {**right, "webhook-signature": "v1,"},
    ):  # fmt: skip
        assert (await call(wrong))[0] == 404
    assert (await call(signed(secret, body, "evt_4", now), new_id()))[0] == 404
    assert (await call({}))[0] == 400
    found = await ended(crm, workflow, await first_run(crm, workflow))
    assert way(found)[1:3] == [("is", "true"), ("tag", "out")]
    assert (await stored_secret(crm, workflow))[:3] == "v1."
    plain = {"hook_secret": secret}  # as it was before there were seals
    await crm.supabase.as_service("PATCH", f"/rest/v1/crm_workflows?id=eq.{workflow}", plain)
    assert (await call(signed(secret, body, "evt_6", now)))[0] == 200
    await Sealing(Seals(crm.database), Keys([crm.supabase.secret_key])).run()
    sealed = await stored_secret(crm, workflow)
    assert sealed[:3] == "v1."
    assert secret.removeprefix("whsec_") not in sealed
    assert (await call(signed(secret, body, "evt_7", now)))[0] == 200
    again = (await crm.ask("POST", f"workflows/{workflow}/hook-secret"))["data"]["secret"]
    assert again != secret
    assert (await call(signed(secret, body, "evt_5", now)))[0] == 404
