"""Campaigns over REST, and what operators see of them while they go."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.sending.rows import a_contact, a_version
from tests.integration.crm.stack import CrmStack
from tests.integration.edge.client import Browser
from tests.integration.edge.shapes import TIME, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY = refusal("NOT_FOUND", "There is no such campaign")
NONE_YET = dict.fromkeys(
    ("recipients", "waiting", "queued", "skipped", "sent", "failed", "unknown", "delivered",
     "opened", "machine_opened", "clicked", "machine_clicked", "bounced", "hard_bounced",
     "complained", "unsubscribed", "converted"), 0,
)  # fmt: skip


async def a_template(crm: CrmStack, html: str | None = "<p>Hello</p>") -> str:
    version = await a_version(crm.supabase, html)
    [row] = await crm.supabase.as_service("GET", f"/rest/v1/crm_email_templates?version_id=eq.{version}")
    return str(row["id"])


async def a_segment(crm: CrmStack, *contacts: str) -> str:
    made = (await crm.ask("POST", "segments", {"name": new_id(), "kind": "static"}))["data"]["id"]
    if contacts:
        await crm.ask("POST", f"segments/{made}/contacts", {"contacts": list(contacts)})
    return str(made)


async def a_campaign(crm: CrmStack, segment: str = "", **more: Any) -> dict[str, Any]:
    template = await a_template(crm) if "template_id" not in more else ""
    body = {"name": f"News {new_id()}", "template_id": template, "segment_id": segment or await a_segment(crm)}
    made: dict[str, Any] = (await crm.ask("POST", "campaigns", body | more))["data"]
    return made


async def until(crm: CrmStack, campaign: str, condition: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while not condition(one := (await crm.ask("GET", f"campaigns/{campaign}"))["data"]):
            await asyncio.sleep(0.05)
        return dict(one)


async def test_a_campaign_from_its_birth_to_its_end(crm: CrmStack) -> None:
    segment, template, name = await a_segment(crm), await a_template(crm), f"News {new_id()}"
    answer = await crm.ask("POST", "campaigns", {"name": name, "template_id": template, "segment_id": segment})
    made = answer["data"]
    assert answer == {"success": True, "message": "Campaign created", "data": {
        "id": made["id"], "name": name, "channel": "email", "template_id": template, "segment_id": segment,
        "excluded_segments": [], "topic": "*", "subjects": [], "test_share": 100, "winner_metric": "clicked",
        "decide_after": 14400.0, "per_hour": None, "per_domain_hour": None, "warm_up": None, "conversion": None,
        "status": "draft", "why": None, "scheduled_at": None, "timezone": "UTC", "template_version_id": None,
        "winner": None, "started_at": None, "finished_at": None, "stats": NONE_YET, "created_by": crm.boss.user,
        "version": 1, "created_at": TIME, "updated_at": TIME,
    }}  # fmt: skip
    path = f"campaigns/{made['id']}"
    assert (await crm.ask("GET", path))["data"] == made
    listed = await crm.ask("GET", f"campaigns?search={name[5:].upper()}&status=draft")
    assert (listed["total"], listed["data"]) == (1, [made])
    changed = (await crm.ask("PATCH", path, {"version": 1, "subjects": ["A", "B"], "per_hour": 10}))["data"]
    assert (changed["subjects"], changed["per_hour"], changed["version"]) == (["A", "B"], 10, 2)
    assert (await crm.ask("PUT", path, {"warm_up": {"first_day": 50}}))["data"]["warm_up"]["growth"] == 2.0
    assert (await crm.ask("PATCH", path, {"version": 1, "name": "X"}, 409))["code"] == "CONFLICT"
    assert (await crm.ask("DELETE", f"segments/{segment}", status=409))["code"] == "CONFLICT"
    assert (await crm.ask("DELETE", path))["data"] == {"id": made["id"]}
    for method, route, body in (
        ("GET", path, None), ("PATCH", path, {}), ("DELETE", path, None), ("GET", f"{path}/stats", None),
        ("GET", f"{path}/recipients", None), ("GET", f"{path}/preflight", None),
        ("POST", f"{path}/winner", {"subject": 0}),
        ("POST", f"{path}/schedule", {"at": "2036-01-01T00:00:00Z"}),
        *(("POST", f"{path}/{verb}", None) for verb in ("send", "pause", "resume", "cancel")),
    ):  # fmt: skip
        assert await crm.ask(method, route, body, 404) == NOBODY


async def test_what_cannot_work_is_refused(crm: CrmStack) -> None:
    campaign = await a_campaign(crm)
    path = f"campaigns/{campaign['id']}"
    for field, value in (
        ("template_id", new_id()), ("segment_id", new_id()), ("excluded_segments", [new_id()]),
        ("excluded_segments", [campaign["segment_id"]]), ("subjects", ["one"]), ("subjects", ["a\r\nBcc: b", "c"]),
        ("channel", "fax"), ("test_share", 0), ("warm_up", {"first_day": 0}), ("status", "sent"), ("topic", "A b"),
    ):  # fmt: skip
        answer = await crm.ask("PATCH", path, {field: value}, 400)
        assert answer["field"].startswith(field), answer
    for field, body in (
        ("timezone", {"at": "2036-01-01T09:00:00", "timezone": "Mars/Base"}), ("at", {"at": "2020-01-01T09:00:00Z"}),
        ("at", {"at": "soon"}), ("at", {}),
    ):  # fmt: skip
        assert (await crm.ask("POST", f"{path}/schedule", body, 400))["field"] == field
    draft = await a_campaign(crm, template_id=await a_template(crm, None))
    assert (await crm.ask("POST", f"campaigns/{draft['id']}/send", status=400))["field"] == "template_id"
    assert (await crm.ask("GET", f"{path}/recipients?cursor=x", status=400))["field"] == "cursor"


async def test_what_it_is_for_is_kept_and_what_makes_no_sense_is_refused(crm: CrmStack) -> None:
    campaign = await a_campaign(crm, conversion={"event": "first_deposit"})
    assert campaign["conversion"] == {"event": "first_deposit", "within_days": 7}
    path = f"campaigns/{campaign['id']}"
    goal = {"event": "tag_added", "tag": "VIP", "within_days": 30}
    assert (await crm.ask("PATCH", path, {"conversion": goal}))["data"]["conversion"] == goal
    assert (await crm.ask("PATCH", path, {"name": "Anew"}))["data"]["conversion"] == goal
    for field, wrong in (
        ("event", {"event": "mail_sent"}), ("event", {}), ("within_days", {"event": "signed_up", "within_days": 0}),
        ("within_days", {"event": "signed_up", "within_days": 91}), ("tag", {"event": "tag_added"}),
        ("tag", {"event": "signed_up", "tag": "a"}), ("segment_id", {"event": "segment_entered"}),
        ("segment_id", {"event": "segment_entered", "segment_id": new_id()}),
        ("form_id", {"event": "form_submitted", "form_id": new_id()}),
        ("account_type", {"event": "bot_started", "account_type": "paper"}), ("x", {"event": "signed_up", "x": 1}),
    ):  # fmt: skip
        answer = await crm.ask("PATCH", path, {"conversion": wrong}, 400)
        assert answer["field"] == f"conversion.{field}", answer
    assert (await crm.ask("GET", f"{path}/stats"))["data"]["converted"] == 0
    assert (await crm.ask("PATCH", path, {"conversion": None}))["data"]["conversion"] is None


async def test_a_time_is_that_of_its_zone(crm: CrmStack) -> None:
    campaign = await a_campaign(crm)
    path = f"campaigns/{campaign['id']}"
    wanted = {"at": "2036-07-01T09:00:00", "timezone": "America/Sao_Paulo"}
    scheduled = (await crm.ask("POST", f"{path}/schedule", wanted))["data"]
    assert (scheduled["status"], scheduled["timezone"]) == ("scheduled", "America/Sao_Paulo")
    assert datetime.fromisoformat(scheduled["scheduled_at"]) == datetime(2036, 7, 1, 12, tzinfo=UTC)
    assert (await crm.ask("DELETE", path, status=409))["code"] == "CONFLICT"
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await crm.ask("POST", f"{path}/schedule", {"at": soon})
    assert (await until(crm, campaign["id"], lambda one: one["status"] == "sent"))["stats"] == NONE_YET


async def test_operators_see_how_far_it_is(crm: CrmStack) -> None:
    willing = [await a_contact(crm.supabase) for _ in range(3)]
    silent = await a_contact(crm.supabase, consent="")
    segment = await a_segment(crm, *willing, silent)
    campaign = await a_campaign(crm, segment)
    path = f"campaigns/{campaign['id']}"
    operator = Browser("/admin campaign:progress")
    await operator.socket.connect(
        crm.edge.url, auth={"token": crm.boss.token}, transports=["websocket"], namespaces=["/admin"]
    )
    before = (await crm.ask("GET", "stats"))["data"]["activeCampaigns"]
    would = (await crm.ask("GET", f"{path}/preflight"))["data"]
    assert would == {"recipients": 4, "reached": 3, "why": {"no_consent": 1}, "missing": {}}
    started = (await crm.ask("POST", f"{path}/send"))["data"]
    assert (started["status"], started["stats"]["recipients"]) == ("sending", 4)
    assert (await crm.ask("GET", "stats"))["data"]["activeCampaigns"] >= before

    def of_this() -> list[dict[str, Any]]:
        told = operator.named("/admin campaign:progress")
        return [one for one in told if one["campaignId"] == campaign["id"]]

    await operator.until(lambda: any(one["stats"]["skipped"] for one in of_this()))
    last = of_this()[-1]
    assert last == {
        "timestamp": TIME, "seq": last["seq"], "campaignId": campaign["id"], "name": campaign["name"],
        "status": last["status"], "why": None, "stats": last["stats"],
    }  # fmt: skip
    assert (last["stats"]["recipients"], last["stats"]["skipped"]) == (4, 1)
    await operator.socket.disconnect()
    recipients = await crm.ask("GET", f"{path}/recipients?limit=3")
    rest = await crm.ask("GET", f"{path}/recipients?limit=3&cursor={recipients['next']}")
    rows = [*recipients["data"], *rest["data"]]
    assert (recipients["total"], rest["next"]) == (4, "")
    assert {row["contact_id"]: (row["state"], row["why"]) for row in rows if row["state"] == "skipped"} == {
        silent: ("skipped", "no_consent")
    }
    assert sorted(row["contact_id"] for row in rows if row["state"] == "queued") == sorted(willing)
    stats = (await crm.ask("GET", f"{path}/stats"))["data"]
    assert (stats["recipients"], stats["why"]["no_consent"], stats["variants"]) == (4, 1, [])
    assert (await crm.ask("PATCH", path, {"name": "X"}, 409))["message"].startswith("It is ")


async def test_each_thing_at_its_time(crm: CrmStack) -> None:
    segment = await a_segment(crm, *[await a_contact(crm.supabase) for _ in range(30)])
    campaign = await a_campaign(crm, segment, per_hour=1, subjects=["A", "B"], test_share=50, winner_metric="manual")
    path = f"campaigns/{campaign['id']}"
    for verb in ("pause", "resume"):
        assert await crm.ask("POST", f"{path}/{verb}", status=409) == refusal("CONFLICT", "It is draft")
    await crm.ask("POST", f"{path}/send")
    assert (await crm.ask("POST", f"{path}/pause"))["data"]["status"] == "paused"
    assert (await crm.ask("POST", f"{path}/winner", {"subject": 1}))["data"]["winner"] == 1
    assert (await crm.ask("POST", f"{path}/winner", {"subject": 0}, 409))["code"] == "CONFLICT"
    assert (await crm.ask("POST", f"{path}/resume"))["data"]["status"] == "sending"
    cancelled = (await crm.ask("POST", f"{path}/cancel"))["data"]
    assert cancelled["status"] == "cancelled"
    assert cancelled["stats"]["waiting"] == 0
    assert await crm.ask("POST", f"{path}/send", status=409) == refusal("CONFLICT", "It is cancelled")
    await crm.ask("DELETE", path)
