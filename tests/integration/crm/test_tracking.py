"""What readers do with mails, and what comes back, with everything real."""

import json
import re
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest

from libs.contracts.clock import SystemClock
from libs.contracts.crm import tracking as rpc
from libs.contracts.ids import new_id
from libs.store import Database
from libs.store.crm.templates import Templates
from libs.store.crm.tracking import Tracking
from services.crm.keys import Keys
from services.crm.sending.signature import sign
from services.crm.templates.cleaning import clean
from services.crm.templates.versions import Versions
from services.crm.tracking.desk import TrackingDesk
from services.crm.tracking.links import Links, Purpose
from tests.integration.crm.sending.rows import a_contact, a_version, activities, mail, queue_mail, state
from tests.integration.crm.stack import EVENTS_SECRET, CrmStack
from tests.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = clean(
    '<a href="https://shop.example.test/a">a</a><a href="https://shop.example.test/b?n={{contact.first_name}}">b</a>'
    '<a href="{{links.preferences}}">leave</a>'
)
PERSON = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}


class Arrived:
    """A mail to somebody new."""

    def __init__(self, crm: CrmStack, contact: str, id: str, message: EmailMessage) -> None:
        self._crm, self.contact, self.id, self.message = crm, contact, id, message
        part = message.get_body(("html",))
        assert part is not None
        self.page = str(part.get_content())

    def links(self, kind: str) -> list[str]:
        return re.findall(rf"/m/{kind}/[^\"]+", self.page)

    @property
    def leave(self) -> str:
        return "/" + str(self.message["List-Unsubscribe"]).strip("<>").partition(":9999/")[2]

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, str, dict[str, str]]:
        return await ask(self._crm, method, path, **more)


async def ask(crm: CrmStack, method: str, path: str, **more: Any) -> tuple[int, str, dict[str, str]]:
    more.setdefault("headers", PERSON)
    async with crm.edge.http.request(method, crm.edge.url + path, allow_redirects=False, **more) as answer:
        return (
            answer.status,
            (await answer.read()).decode(errors="replace"),
            {k.lower(): v for k, v in answer.headers.items()},
        )


async def a_mail(crm: CrmStack, topic: str = "news", first_name: str = "Ana") -> Arrived:
    to = f"{new_id()}@{new_id()[-8:]}.test"
    contact = await a_contact(crm.supabase, to, first_name=first_name)
    queued = await queue_mail(crm.supabase, contact, await a_version(crm.supabase, PAGE), topic=topic)
    await state(crm.supabase, queued, "sent")
    past = {"sent_at": "2026-01-01T00:00:00Z"}  # what is seen within a second was seen by a machine
    await crm.supabase.as_service("PATCH", f"/rest/v1/crm_mail_out?id=eq.{queued}", past)
    [message] = crm.office.mails(to)
    return Arrived(crm, contact, queued, message)


async def consent(crm: CrmStack, contact: str, topic: str) -> str:
    path = f"/rest/v1/crm_consents?contact_id=eq.{contact}&order=at.desc"
    rows = await crm.supabase.as_service("GET", path)
    return next(str(row["state"]) for row in rows if row["topic"] in (topic, "*"))


async def test_opening_and_clicking_are_told_once(crm: CrmStack) -> None:
    arrived = await a_mail(crm, first_name="A&B")
    [image] = arrived.links("o")
    for _ in range(3):
        status, _, headers = await arrived.ask("GET", image)
        assert (status, headers["content-type"]) == (200, "image/gif")
        assert headers["cache-control"] == "no-store, private"
    first, second = arrived.links("c")
    for path, target in (
        (first, "https://shop.example.test/a"),
        (second, "https://shop.example.test/b?n=A%26B"),
        (first, "https://shop.example.test/a"),
    ):
        status, _, headers = await arrived.ask("GET", path + "?url=https://evil.example.test")
        assert (status, headers["location"]) == (302, target)
    told = await crm.until_told(arrived.contact, "mail_clicked", 2)
    assert {event.data["link"] for event in told} == {0, 1}
    [opened] = await crm.until_told(arrived.contact, "mail_opened")
    assert opened.data["ref_id"] == arrived.id
    row = await mail(crm.supabase, arrived.id)
    assert row["opened_at"]
    assert row["clicked_at"]


async def test_programs_that_look_at_everything_are_no_readers(crm: CrmStack) -> None:
    arrived = await a_mail(crm)
    [image], [first, second] = arrived.links("o"), arrived.links("c")
    await arrived.ask("GET", image, headers={"User-Agent": "Mozilla/5.0"})
    await arrived.ask("HEAD", first)
    await arrived.ask("GET", second, headers={"User-Agent": "SafeLinks-Scanner/1"})
    await state(crm.supabase, arrived.id, "sent", opened_at=None, clicked_at=None)
    await arrived.ask("GET", first)
    await crm.until_told(arrived.contact, "mail_clicked")
    row = await mail(crm.supabase, arrived.id)
    assert row["machine_opened_at"]
    assert row["machine_clicked_at"]
    assert [event.data["link"] for event in await crm.events(arrived.contact, "mail_clicked")] == [0]


async def test_one_click_unsubscribes_and_looking_does_not(crm: CrmStack) -> None:
    arrived = await a_mail(crm)
    for method in ("GET", "HEAD"):
        status, page, headers = await arrived.ask(method, arrived.leave)
        assert status == 200
        assert "default-src 'none'" in headers["content-security-policy"]
    assert await consent(crm, arrived.contact, "news") == "subscribed"
    for _ in range(2):
        sent = {"data": {"List-Unsubscribe": "One-Click"}, "headers": {}}
        status, page, headers = await arrived.ask("POST", arrived.leave, **sent)
        assert (status, "location" in headers, "Unsubscribed" in page) == (200, False, True)
    assert await consent(crm, arrived.contact, "news") == "unsubscribed"
    assert len(await crm.until_told(arrived.contact, "unsubscribed")) == 1
    again = await queue_mail(crm.supabase, arrived.contact, await a_version(crm.supabase, PAGE), topic="news")
    await state(crm.supabase, again, "skipped", error="unsubscribed")
    other = await queue_mail(crm.supabase, arrived.contact, await a_version(crm.supabase, PAGE), topic="offers")
    await state(crm.supabase, other, "sent")


async def test_preferences(crm: CrmStack) -> None:
    arrived = await a_mail(crm)
    [path] = arrived.links("p")
    status, page, _ = await arrived.ask("GET", path)
    assert status == 200
    assert str(arrived.message["To"]) not in page
    assert 'value="news"' in page
    for topic, subscribed, expected in (
        ("news", "no", "unsubscribed"),
        ("news", "yes", "subscribed"),
        ("*", "no", "unsubscribed"),
    ):
        status, _, _ = await arrived.ask("POST", path, data={"topic": topic, "subscribed": subscribed})
        assert (status, await consent(crm, arrived.contact, topic)) == (200, expected)
    assert (await arrived.ask("POST", path, data={"topic": "<b>"}))[0] == 404
    for type_ in (
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded; charset=x",
    ):
        headers = {"Content-Type": type_}
        assert (await arrived.ask("POST", path, data=b"topic=\xff", headers=headers))[0] == 400
    assert "<b>" not in (await arrived.ask("GET", path))[1]


async def test_without_a_database_what_is_seen_is_kept_and_readers_are_shown_the_way(crm: CrmStack) -> None:
    arrived = await a_mail(crm)
    [image], [first, _] = arrived.links("o"), arrived.links("c")
    looked = rpc.Looked(token=image.rpartition("/")[2].removesuffix(".gif"), agent=PERSON["User-Agent"])
    clicked = rpc.Looked(token=first.rpartition("/")[2], agent=PERSON["User-Agent"])
    links = Links(Keys([crm.supabase.secret_key]), "http://mail.example.test:9999")
    async with await Database.connect(f"http://127.0.0.1:{free_port()}", "x") as nowhere:
        known, unknown = Versions(Templates(crm.database)), Versions(Templates(nowhere))
        version = links.read(Purpose.CLICK, clicked.token).version
        assert version is not None
        await known.find(version)
        for versions, target in ((known, "https://shop.example.test/a"), (unknown, "https://home.example.test/")):
            desk = TrackingDesk(
                crm.bus, Tracking(nowhere), versions, links, {"name": "", "email": "", "address": ""},
                "https://home.example.test/",
            )  # fmt: skip
            assert (await desk.clicked(clicked)).url == target
        await desk.opened(looked)
    assert [event.data["link"] for event in await crm.until_told(arrived.contact, "mail_clicked")] == [0]
    await crm.until_told(arrived.contact, "mail_opened")


async def test_a_link_is_good_for_one_thing(crm: CrmStack) -> None:
    arrived = await a_mail(crm)
    [image], [first, _], [preferences] = arrived.links("o"), arrived.links("c"), arrived.links("p")
    tokens = [path.rpartition("/")[2].removesuffix(".gif") for path in (image, first, preferences)]
    for token in (
        *tokens,
        "x",
        tokens[0][:-1] + ("A" if tokens[0][-1] != "A" else "B"),
        "a" * 300,
        "%00",
        "..%2f..%2fhealth",
    ):
        assert (await arrived.ask("POST", f"/m/u/{token}"))[0] == 404
    assert (await arrived.ask("GET", f"/m/p/{tokens[0]}"))[0] == 404
    for token in (tokens[0], "x", first.rpartition("/")[2][:-2] + "AA"):
        status, _, headers = await arrived.ask("GET", f"/m/c/{token}")
        assert (status, headers["location"]) == (302, "/")
    assert (await arrived.ask("GET", "/m/o/nothing.gif"))[0] == 200
    assert await consent(crm, arrived.contact, "news") == "subscribed"


async def test_leaving_works_when_the_contact_was_erased(crm: CrmStack) -> None:
    arrived = await a_mail(crm)
    await crm.ask("DELETE", f"contacts/{arrived.contact}")
    assert (await arrived.ask("POST", arrived.leave))[0] == 200
    known = (await mail(crm.supabase, arrived.id))["address_hash"]
    assert await crm.supabase.as_service("GET", f"/rest/v1/crm_suppressions?address_hash=eq.{known}")


def report(kind: str, part: str) -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example.test\r\nSubject: {new_id()}\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="b"\r\n\r\n--b\r\n'
        f"Content-Type: text/plain\r\n\r\nSorry.\r\n--b\r\n{part}\r\n--b--\r\n"
    ).encode()


def bounce(action: str, status: str) -> bytes:
    return report(
        "delivery-status",
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.test\r\n\r\n"
        f"Final-Recipient: rfc822; somebody@example.test\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} no\r\n",
    )


async def give_back(crm: CrmStack, queued: str, data: bytes) -> None:
    [address] = [sender for sender, _, content in crm.office.taken if queued.encode() in content]
    await aiosmtplib.send(
        data,
        sender="mailer-daemon@mx.example.test",
        recipients=[address],
        hostname="127.0.0.1",
        port=crm.bounce_port,
        start_tls=False,
    )


async def suppressed(crm: CrmStack, arrived: Arrived) -> list[str]:
    known = (await mail(crm.supabase, arrived.id))["address_hash"]
    rows = await crm.supabase.as_service("GET", f"/rest/v1/crm_suppressions?address_hash=eq.{known}")
    return [row["reason"] for row in rows]


async def test_what_comes_back_is_understood(crm: CrmStack) -> None:
    gone, full, late, angry = [await a_mail(crm) for _ in range(4)]
    lost = bounce("failed", "5.1.1")
    for _ in range(2):
        await give_back(crm, gone.id, lost)
    [told] = await crm.until_told(gone.contact, "mail_bounced")
    assert (told.data["hard"], await suppressed(crm, gone)) == (True, ["bounced"])
    await give_back(crm, late.id, bounce("delayed", "4.4.1"))
    for many in (1, 2, 3):
        await give_back(crm, full.id, bounce("failed", "5.2.2"))
        assert len(await crm.until_told(full.contact, "mail_bounced", many)) == many
        assert await suppressed(crm, full) == (["bounced"] if many == 3 else [])
    complaint = "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n"
    await give_back(crm, angry.id, report("feedback-report", complaint))
    await crm.until_told(angry.contact, "mail_complained")
    assert await suppressed(crm, angry) == ["complained"]
    assert await consent(crm, angry.contact, "anything") == "unsubscribed"
    assert await activities(crm.supabase, late.contact, "mail_bounced") == []


async def test_only_addresses_of_ours_are_taken(crm: CrmStack) -> None:
    for address in ("postmaster@bounces.example.test", f"b-{'0' * 32}-{'0' * 24}@bounces.example.test"):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await aiosmtplib.send(
                b"x",
                sender="mailer-daemon@mx.example.test",
                recipients=[address],
                hostname="127.0.0.1",
                port=crm.bounce_port,
                start_tls=False,
            )


async def post(crm: CrmStack, body: bytes, **changed: str) -> tuple[int, str]:
    now = int(SystemClock().now().timestamp())
    at = int(changed.get("at", now))
    headers = {
        "webhook-id": "1", "webhook-timestamp": str(at),
        "webhook-signature": "v1,other " + sign(changed.get("secret", EVENTS_SECRET), "1", at, body),
        "Content-Type": "application/json",
    }  # fmt: skip
    status, text, _ = await ask(crm, "POST", "/m/events", data=changed.get("sent", body), headers=headers)
    return status, text


async def test_who_delivers_may_tell(crm: CrmStack) -> None:
    arrived = await a_mail(crm)
    event = {"id": new_id(), "mail": f"<{arrived.id}@x>", "hard": True, "reason": "550 gone"}
    events = [event | {"type": "delivered"}, event | {"type": "bounce"}, event | {"type": "bounce", "mail": "<x@y>"}]
    body = json.dumps({"events": events}).encode()
    now = int(SystemClock().now().timestamp())
    for changed in ({"secret": "another"}, {"at": str(now - 400)}, {"at": str(now + 400)}, {"sent": "{}"}):
        assert (await post(crm, body, **changed))[0] == 404
    assert (await post(crm, b'{"events": [{"id": ""}]}'))[0] == 400
    for _ in range(2):
        assert await post(crm, body) == (200, '{"success":true,"events":2}')
    [told] = await crm.until_told(arrived.contact, "mail_bounced")
    assert told.data["why"] == "550 gone"
    assert (await mail(crm.supabase, arrived.id))["delivered_at"]
    assert (await mail(crm.supabase, arrived.id))["hard_bounced_at"]
    status, _, _ = await ask(crm, "POST", "/m/events", data=body)
    assert status == 404, "nobody has signed"
    angry = await a_mail(crm)
    complaint = {"id": new_id(), "type": "complaint", "mail": angry.id, "reason": "abuse\x00"}
    for _ in range(2):
        assert (await post(crm, json.dumps({"events": [complaint]}).encode()))[0] == 200
    await crm.until_told(angry.contact, "mail_complained")
    assert await suppressed(crm, angry) == ["complained"]
    assert await consent(crm, angry.contact, "anything") == "unsubscribed"
    many = [{"id": f"{number}", "type": "delivered", "mail": angry.id} for number in range(1000)]
    assert await post(crm, json.dumps({"events": many}).encode()) == (200, '{"success":true,"events":1000}')
    assert (await post(crm, b"x" * 300_000))[0] == 413
