"""Who leaves a workflow before its end: erased, merged into somebody else, or called off."""

import asyncio

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.stack import CrmStack
from tests.integration.crm.workflows.drawn import a_workflow, ended, enrol, line, node, run_of
from tests.integration.crm.workflows.readers import a_reader, a_template, mails_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_who_is_erased_is_on_the_way_no_longer(crm: CrmStack) -> None:
    workflow = await a_workflow(crm, line(node("wait", "delay", {"seconds": 3600})))
    contact = await crm.contact()
    [run] = await enrol(crm, workflow, contact["id"], name="Somebody")
    step = (await run_of(crm, workflow, run, "waiting"))["log"][0]
    said = {"error": f"550 <{contact['email']}> is unknown"}
    await crm.supabase.as_service("PATCH", f"/rest/v1/crm_workflow_steps?run_id=eq.{run}", said)
    post = {"key": f"wf:{run}:post:1:1", "url_ref": new_id(), "payload": {"contact": contact}}
    await crm.supabase.as_service("POST", "/rest/v1/rpc/crm_queue_webhook", post)
    await crm.ask("DELETE", f"contacts/{contact['id']}")
    found = await ended(crm, workflow, run)
    assert (found["status"], found["outcome"]) == ("cancelled", "erased")
    left = ""
    for table, column, value in (
        ("crm_workflow_runs", "id", run), ("crm_workflow_steps", "run_id", run),
        ("crm_webhook_out", "key", post["key"]),
    ):  # fmt: skip
        rows = await crm.supabase.as_service("GET", f"/rest/v1/{table}?{column}=eq.{value}")
        assert rows
        left += str(rows)
    assert contact["email"] not in left
    assert step["input_digest"] not in left, "it is of what the contact was"
    assert "Somebody" not in left


@pytest.mark.parametrize(("re_entry", "left"), [("only_if_not_running", 1), ("always", 2)])
async def test_who_become_one_go_on_once(crm: CrmStack, re_entry: str, left: int) -> None:
    workflow = await a_workflow(crm, line(node("wait", "delay", {"seconds": 3600})), re_entry=re_entry)
    one, other = (await crm.contact())["id"], (await crm.contact())["id"]
    for run in [*await enrol(crm, workflow, one), *await enrol(crm, workflow, other)]:
        await run_of(crm, workflow, run, "waiting")
    await crm.ask("POST", f"contacts/{one}/merge", {"other": other})
    runs = (await crm.ask("GET", f"contacts/{one}/executions"))["data"]
    assert [run["contact_id"] for run in runs] == [one, one]
    assert len([run for run in runs if run["status"] == "waiting"]) == left
    assert {run["outcome"] for run in runs if run["status"] == "cancelled"} <= {"merged"}


async def test_a_mail_of_a_run_that_is_cancelled_is_not_sent_any_more(crm: CrmStack) -> None:
    crm.office.refusals[name := new_id()] = ["452 4.2.2 mailbox full"]
    mail = {"template_id": await a_template(crm), "topic": "news"}
    workflow = await a_workflow(crm, line(node("mail", "send_email", mail)))
    [run] = await enrol(crm, workflow, await a_reader(crm, name))
    async with asyncio.timeout(20):
        while not [row for row in await mails_of(crm, run) if row["state"] == "queued" and row["attempts"]]:
            await asyncio.sleep(0.05)
    await crm.ask("POST", f"workflows/{workflow}/executions/{run}/cancel")
    [row] = await mails_of(crm, run)
    assert (row["state"], row["error"]) == ("skipped", "cancelled")
