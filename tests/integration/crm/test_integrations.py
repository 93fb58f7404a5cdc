"""Webhooks and services that send, set up by administrators; and templates that are tried by mail."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from libs.contracts.clock import SystemClock
from libs.contracts.ids import new_id
from services.crm.sending.signature import BadSignature, check
from tests.integration.crm.sending.rows import a_contact, a_version, mail, queue_mail, state
from tests.integration.crm.stack import CrmStack
from tests.integration.crm.workflows.drawn import a_workflow, line, node
from tests.integration.edge.shapes import TIME, WORDS, Like, refusal
from tests.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Receiver:
    url: str
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """In turn; then 200."""

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def until(self, many: int) -> None:
        async with asyncio.timeout(20):
            while len(self.got) < many:
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    app, port = web.Application(), free_port()
    made = Receiver(f"http://127.0.0.1:{port}/take")
    app.router.add_post("/take", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield made
    await runner.cleanup()


async def queue_post(crm: CrmStack, webhook: str, payload: dict[str, Any]) -> str:
    told = {"key": new_id(), "url_ref": webhook, "payload": payload}
    return str(await crm.supabase.as_service("POST", "/rest/v1/rpc/crm_queue_webhook", told))


async def posted(crm: CrmStack, id: str, wanted: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            [row] = await crm.supabase.as_service("GET", f"/rest/v1/crm_webhook_out?id=eq.{id}")
            if row["state"] == wanted:
                return dict(row)
            await asyncio.sleep(0.05)


async def due(crm: CrmStack, id: str) -> None:
    past = {"due_at": "2026-01-01T00:00:00Z"}
    await crm.supabase.as_service("PATCH", f"/rest/v1/crm_webhook_out?id=eq.{id}", past)


def checked(receiver: Receiver, secret: str) -> None:
    """That the last post was signed with it."""
    headers, body = receiver.got[-1]
    now = int(SystemClock().now().timestamp())
    check(secret, headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"], body, now)


async def test_a_webhook_is_posted_to_until_it_takes(crm: CrmStack, receiver: Receiver) -> None:
    answer = await crm.ask("POST", "webhooks", {"name": "Ours", "url": receiver.url})
    made = answer["data"]
    assert made == {
        "id": made["id"], "name": "Ours", "url": receiver.url, "state": "active", "failing_since": None,
        "created_at": TIME, "secret": Like(r"whsec_.+"),
    }  # fmt: skip
    [row] = await crm.supabase.as_service("GET", f"/rest/v1/crm_webhooks?id=eq.{made['id']}")
    assert made["secret"] not in row["secret"]
    path = f"webhooks/{made['id']}"
    assert "secret" not in (await crm.ask("GET", path))["data"]
    receiver.answers = [500]
    queued = await queue_post(crm, made["id"], {"type": "contact.created", "a": 1})
    await receiver.until(1)
    row = await posted(crm, queued, "queued")
    assert (row["status"], row["error"]) == (500, "answered 500")
    await due(crm, queued)
    await posted(crm, queued, "sent")
    for headers, body in receiver.got:
        now = int(SystemClock().now().timestamp())
        check(made["secret"], queued, headers["webhook-timestamp"], headers["webhook-signature"], body, now)
        assert headers["webhook-id"] == queued
    told = json.loads(receiver.got[-1][1])
    assert told == {"type": "contact.created", "timestamp": TIME, "data": {"type": "contact.created", "a": 1}}
    [delivery] = (await crm.ask("GET", f"{path}/deliveries"))["data"]
    page = await crm.ask("GET", f"{path}/deliveries?limit=1&offset=1")
    assert (page["total"], page["data"]) == (1, [])
    assert (delivery["id"], delivery["state"], delivery["attempts"], delivery["status"]) == (queued, "sent", 2, 200)
    assert (await crm.ask("POST", f"{path}/deliveries/{queued}/replay"))["data"] == {"id": queued}
    await receiver.until(3)
    assert (await crm.ask("POST", f"{path}/test"))["data"] == {"taken": True, "message": "It answered 200"}
    renewed = (await crm.ask("POST", f"{path}/secret"))["data"]["secret"]
    assert renewed != made["secret"]
    await posted(crm, queued, "sent")
    await crm.ask("POST", f"{path}/deliveries/{queued}/replay")
    await posted(crm, queued, "sent")
    for secret in (made["secret"], renewed):
        checked(receiver, secret)
    over = {"previous_until": "2026-01-01T00:00:00Z"}
    await crm.supabase.as_service("PATCH", f"/rest/v1/crm_webhooks?id=eq.{made['id']}", over)
    await crm.ask("POST", f"{path}/deliveries/{queued}/replay")
    await posted(crm, queued, "sent")
    checked(receiver, renewed)
    with pytest.raises(BadSignature):
        checked(receiver, made["secret"])
    receiver.answers = [410]
    gone = await queue_post(crm, made["id"], {})
    await posted(crm, gone, "failed")
    assert (await crm.ask("GET", path))["data"]["state"] == "disabled"
    assert (await crm.ask("PATCH", path, {"state": "active", "name": "Anew"}))["data"]["state"] == "active"
    assert made["id"] in {each["id"] for each in (await crm.ask("GET", "webhooks?search=anew"))["data"]}
    assert (await crm.ask("DELETE", path))["data"] == {"id": made["id"]}
    for method, at in (("GET", path), ("DELETE", path), ("POST", f"{path}/test"), ("GET", f"{path}/deliveries")):
        assert await crm.ask(method, at, status=404) == refusal("NOT_FOUND", "There is no such webhook")


async def test_a_webhook_that_does_not_answer_keeps_no_other(crm: CrmStack, receiver: Receiver) -> None:
    async def never(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(60):
            await answered.wait()
        writer.close()

    answered = asyncio.Event()
    async with await asyncio.start_server(never, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        hooks = [
            (await crm.ask("POST", "webhooks", {"name": new_id(), "url": url}))["data"]["id"]
            for url in (f"http://127.0.0.1:{port}/", receiver.url)
        ]
        waiting = [await queue_post(crm, hooks[0], {"type": "x"}) for _ in range(60)]
        taken = await queue_post(crm, hooks[1], {"type": "x"})
        async with asyncio.timeout(8):  # less than anybody is waited for
            await posted(crm, taken, "sent")
        path = f"/rest/v1/crm_webhook_out?webhook_id=eq.{hooks[0]}&state=eq.sending&select=id"
        assert len(await crm.supabase.as_service("GET", path)) == 10
        await crm.ask("PATCH", f"webhooks/{hooks[0]}", {"state": "disabled"})
        answered.set()
    await posted(crm, waiting[-1], "skipped")


async def test_a_webhook_that_a_workflow_uses_stays(crm: CrmStack, receiver: Receiver) -> None:
    hook = (await crm.ask("POST", "webhooks", {"name": "Used", "url": receiver.url}))["data"]["id"]
    workflow = await a_workflow(crm, line(node("post", "webhook", {"webhook_id": hook})))
    told = await crm.ask("DELETE", f"webhooks/{hook}", status=409)
    assert told["code"] == "CONFLICT"
    assert told["error"].startswith("It is used by workflow ")
    assert (await crm.ask("GET", f"webhooks/{hook}"))["data"]["state"] == "active"
    await crm.ask("POST", f"workflows/{workflow}/cancel")
    await crm.ask("DELETE", f"workflows/{workflow}")
    await crm.ask("DELETE", f"webhooks/{hook}")


async def test_messages_by_http_are_signed(crm: CrmStack, receiver: Receiver) -> None:
    path = "integrations/webhook/configure"
    for secret, named in ((None, "is required"), ("whsec_no base64", "base64"), ("short", "24 characters")):
        settings = {"url": receiver.url} | ({"secret": secret} if secret else {})
        told = await crm.ask("POST", path, {"settings": settings}, 400)
        assert "settings.secret" in told["error"]
        assert named in told["error"]
    secret = "a secret of at least 24 characters"
    await crm.ask("POST", path, {"settings": {"url": receiver.url, "secret": secret}})
    assert (await crm.ask("POST", "integrations/webhook/test"))["connectionStatus"] == "connected"
    checked(receiver, secret)
    assert json.loads(receiver.got[-1][1])["test"] is True


@pytest.mark.parametrize(
    "url", ["ftp://a.test/", "https://user@a.test/", "https://a.test:22/", "no address", "https://a b/"]
)
async def test_where_nothing_is_posted(crm: CrmStack, url: str) -> None:
    assert (await crm.ask("POST", "webhooks", {"name": "Bad", "url": url}, 400))["field"] == "url"


async def test_integrations_tell_no_secret(crm: CrmStack) -> None:
    smtp, *others = (await crm.ask("GET", "integrations"))["data"]
    assert smtp == {
        "id": "smtp", "name": WORDS, "type": "email", "status": "active", "configured": True,
        "settings_set": ["host", "port", "security"],
    }  # fmt: skip
    assert [each["id"] for each in others] == ["sms", "push", "webhook"]
    tested = await crm.ask("POST", "integrations/smtp/test")
    assert (tested["connectionStatus"], tested["success"]) == ("connected", True)
    assert (await crm.ask("POST", "integrations/push/test"))["connectionStatus"] == "failed"
    assert (await crm.ask("GET", "integrations/mailchimp", status=404))["code"] == "NOT_FOUND"
    for settings, named in (
        ({"url": "ftp://a"}, "settings.url"), ({"token": "x"}, "settings.url"),
        ({"url": "https://a.test/", "other": "x"}, "settings.other"),
    ):  # fmt: skip
        told = await crm.ask("POST", "integrations/push/configure", {"settings": settings}, 400)
        assert named in told["error"]


async def test_text_messages_go_to_the_provider_that_is_set_up(crm: CrmStack, receiver: Receiver) -> None:
    settings = {"url": receiver.url, "token": "a-secret-token"}
    answer = await crm.ask("POST", "integrations/sms/configure", {"settings": settings})
    assert answer["data"]["settings_set"] == ["token", "url"]
    assert "a-secret-token" not in json.dumps(answer)
    [row] = await crm.supabase.as_service("GET", "/rest/v1/crm_integrations?id=eq.sms")
    assert "a-secret-token" not in json.dumps(row)
    assert (await crm.ask("POST", "integrations/sms/test"))["connectionStatus"] == "connected"
    phone = f"+5511{new_id()[-9:].translate(str.maketrans('abcdef', '123456'))}"
    contact = await a_contact(crm.supabase, phone=phone, first_name="Ana")
    version = await a_version(crm.supabase, "<p>Hi {{contact.first_name}}</p>")
    receiver.answers = [503]
    row = {
        "key": new_id(), "contact_id": contact, "template_version_id": version, "class": "transactional",
        "channel": "sms", "domain": "#sms",
    }  # fmt: skip
    [made] = await crm.supabase.as_service("POST", "/rest/v1/crm_mail_out", row)
    queued = made["id"]
    pace = {"domain": "#sms", "wakes_at": "2026-01-01T00:00:00Z"}
    await crm.supabase.request("POST", "/rest/v1/crm_mail_pace?on_conflict=domain", pace, {
        "apikey": crm.supabase.secret_key, "Prefer": "resolution=merge-duplicates",
    })  # fmt: skip
    async with asyncio.timeout(20):
        while (await mail(crm.supabase, queued))["error"] != "answered 503":
            await asyncio.sleep(0.05)
    past = "2026-01-01T00:00:00Z"
    await crm.supabase.as_service("PATCH", f"/rest/v1/crm_mail_out?id=eq.{queued}", {"due_at": past})
    await crm.supabase.as_service("PATCH", "/rest/v1/crm_mail_pace?domain=eq.%23sms", {"wakes_at": past})
    await state(crm.supabase, queued, "sent")
    headers, body = receiver.got[-1]
    assert (headers["authorization"], headers["idempotency-key"]) == ("Bearer a-secret-token", queued)
    told = json.loads(body)
    assert (told["to"], told["text"], told["title"]) == (phone, "Hi Ana", "Hello Ana")


async def test_all_sending_is_stopped_and_goes_on(crm: CrmStack) -> None:
    contact, version = await a_contact(crm.supabase), await a_version(crm.supabase)
    page = '<p>Hi</p><a href="{{links.unsubscribe}}">x</a>'
    template = (await crm.ask("POST", "templates", {"name": new_id(), "subject": "Try", "html": page}))["data"]["id"]
    assert (await crm.ask("GET", "sending"))["data"]["stopped_at"] is None
    told = (await crm.ask("POST", "sending/stop", {"why": "too many complaints"}))["data"]
    try:
        assert (told["stopped_at"], told["stopped_by"], told["why"]) == (TIME, crm.boss.user, "too many complaints")
        queued = await queue_mail(crm.supabase, contact, version)
        tried = await crm.ask("POST", f"templates/{template}/test", {"to": crm.boss.email}, 409)
        assert "stopped" in tried["error"]
        assert (await mail(crm.supabase, queued))["state"] == "queued"
        assert (await crm.ask("GET", "sending"))["data"]["waiting"] >= 1
    finally:
        assert (await crm.ask("POST", "sending/start"))["data"]["stopped_at"] is None
    await state(crm.supabase, queued, "sent")
    [stopped, _] = await crm.supabase.as_service(
        "GET", "/rest/v1/crm_audit?action=in.(sending_stopped,sending_started)&order=at"
    )
    assert (stopped["actor"], stopped["details"]) == (crm.boss.user, {"why": "too many complaints"})


async def test_a_template_is_tried_on_administrators_only(crm: CrmStack) -> None:
    page = '<p>Hi {{contact.first_name}}</p><a href="{{links.unsubscribe}}">x</a>'
    one = (await crm.ask("POST", "templates", {"name": new_id(), "subject": "Try", "html": page}))["data"]
    path = f"templates/{one['id']}/test"
    told = await crm.ask("POST", path, {"to": f"{new_id()}@example.test"}, 400)
    assert told["field"] == "to"
    stranger = await crm.supabase.sign_up()
    await crm.ask("POST", path, {"to": stranger.email}, 400)
    answer = await crm.ask("POST", path, {"to": crm.boss.email.upper()})
    assert answer["data"] == {"to": crm.boss.email.upper(), "version": 1}
    [arrived] = crm.office.mails(crm.boss.email.upper())
    assert arrived["Subject"] == "Try"
    assert "Hi Ana" in arrived.as_string()
    assert "/m/o/" not in arrived.as_string()
