"""Mails go out once, to who may get them, and what became of each is known or said to be unknown."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.contracts.ids import new_id
from services.crm.tracking.links import Purpose
from tests.integration.crm.sending.post_office import PostOffice, open_post_office
from tests.integration.crm.sending.rows import a_contact, a_version, activities, mail, queue_mail, state
from tests.integration.crm.sending.sender import LINKS, SENDER, sending
from tests.integration.supabase_server import SupabaseServer


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with open_post_office() as opened:
        yield opened


async def test_a_mail_as_it_arrives(quiet_server: SupabaseServer, office: PostOffice) -> None:
    server, to = quiet_server, f"ana@{new_id()[-8:]}.test"
    contact = await a_contact(server, to, first_name="Ana & <b>", name="Ana, Souza")
    queued = await queue_mail(server, contact, await a_version(server))
    async with sending(server.url, server.secret_key, office.port):
        await state(server, queued, "sent")
    [arrived] = office.mails(to)
    [(envelope_from, _, _)] = [each for each in office.taken if each[1] == to]
    assert str(LINKS.bounced(envelope_from)) == queued
    assert arrived["From"].addresses[0].display_name == SENDER["name"]
    assert arrived["From"].addresses[0].addr_spec == SENDER["email"]
    assert arrived["To"] == '"Ana, Souza" <' + to + ">"
    assert arrived["Subject"] == "Hello Ana & <b>"
    assert arrived["Message-ID"] == f"<{queued}@sender.example.test>"
    leave = arrived["List-Unsubscribe"].strip("<>")
    assert str(LINKS.read(Purpose.LEAVE, leave.rpartition("/")[2]).mail) == queued
    assert arrived["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    page = arrived.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "Hello Ana &amp; &lt;b&gt;" in page
    assert "shop.example.test" not in page, "links lead through us"
    assert page.count("https://mail.example.test/m/c/") == 1
    assert page.count("https://mail.example.test/m/o/") == 1
    assert page.count("https://mail.example.test/m/p/") == 1, "marketing says how to leave"
    text = arrived.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert text.startswith("Hello Ana & <b>, look ( https://shop.example.test/a )")
    assert "Unsubscribe: https://mail.example.test/m/p/" in text
    [told] = await activities(server, contact, "mail_sent")
    assert (told["ref_id"], (await mail(server, queued))["handed_at"] is not None) == (queued, True)


async def test_transactional_mail_has_no_way_to_leave(quiet_server: SupabaseServer, office: PostOffice) -> None:
    server, to = quiet_server, f"ana@{new_id()[-8:]}.test"
    contact = await a_contact(server, to, consent="")
    queued = await queue_mail(server, contact, await a_version(server), **{"class": "transactional"})
    async with sending(server.url, server.secret_key, office.port):
        await state(server, queued, "sent")
    [arrived] = office.mails(to)
    assert arrived["List-Unsubscribe"] is None
    assert "/m/p/" not in arrived.as_string()


async def test_what_servers_say_is_understood(quiet_server: SupabaseServer, office: PostOffice) -> None:
    server, version = quiet_server, await a_version(quiet_server)
    office.refusals = {
        "gone": ["550 5.1.1 no such user"], "spam": ["554 5.7.1 not you"], "full": ["452 4.2.2 mailbox full"],
        "old": ["550 unknown"],
    }  # fmt: skip
    office.silent = {"silent"}
    ids = {}
    for name in ("gone", "spam", "full", "old", "silent", "fine"):
        contact = await a_contact(server, f"{name}@{new_id()[-8:]}.test")
        ids[name] = (contact, await queue_mail(server, contact, version))
    async with sending(server.url, server.secret_key, office.port):
        for name, outcome in {
            "gone": "failed", "spam": "failed", "full": "queued", "old": "failed", "silent": "unknown", "fine": "sent",
        }.items():  # fmt: skip
            await state(server, ids[name][1], outcome, attempts=1)
    rows = {name: await mail(server, queued) for name, (_, queued) in ids.items()}
    assert rows["gone"]["error"] == "550 5.1.1 no such user"
    assert [bool(rows[name]["bounced_at"]) for name in ("gone", "old", "spam")] == [True, True, False]
    assert rows["full"]["error"] == "452 4.2.2 mailbox full"
    assert rows["silent"]["error"].startswith("no answer")
    for name, many in (("gone", 1), ("spam", 0)):
        assert len(await activities(server, ids[name][0], "mail_bounced")) == many
    again = await queue_mail(server, ids["gone"][0], version)
    async with sending(server.url, server.secret_key, office.port):
        await state(server, again, "skipped", error="suppressed")
    assert len(office.mails(rows["silent"]["id"])) <= 1


async def test_what_cannot_be_written_is_told(quiet_server: SupabaseServer, office: PostOffice) -> None:
    server, contact = quiet_server, await a_contact(quiet_server)
    draft = await queue_mail(server, contact, await a_version(server, None))
    strict = await a_version(server, "<p>{{contact.last_name}}</p>", policy="strict")
    nameless = await queue_mail(server, await a_contact(server), strict)
    by_phone = await a_contact(server, phone=f"+55119{random.randrange(10**7, 10**8)}")
    text = await queue_mail(server, by_phone, strict, **{"class": "transactional"})
    await server.as_service("PATCH", f"/rest/v1/crm_mail_out?id=eq.{text}", {"channel": "sms", "domain": "#sms"})
    pace = {"domain": "#sms", "wakes_at": "2026-01-01T00:00:00Z"}
    await server.as_service("POST", "/rest/v1/crm_mail_pace", pace)
    async with sending(server.url, server.secret_key, office.port):
        await state(server, draft, "failed", error="not_ready")
        await state(server, nameless, "skipped", error="missing: contact.last_name")
        await state(server, text, "failed", error="not_configured")


async def test_without_a_server_mails_wait_and_lose_no_try(quiet_server: SupabaseServer, office: PostOffice) -> None:
    server = quiet_server
    queued = await queue_mail(server, await a_contact(server), await a_version(server))
    async with sending(server.url, server.secret_key, 1):
        await until_error(server, queued, "no connection")
    assert (await mail(server, queued))["attempts"] == 0


async def until_error(server: SupabaseServer, queued: str, begins: str) -> None:
    async with asyncio.timeout(20):
        while not ((await mail(server, queued))["error"] or "").startswith(begins):
            await asyncio.sleep(0.05)


async def test_one_that_cannot_be_written_keeps_no_other(quiet_server: SupabaseServer, office: PostOffice) -> None:
    server, version = quiet_server, await a_version(quiet_server)
    ids = [
        await queue_mail(server, await a_contact(server, f"{local}@{new_id()[-8:]}.test"), version)
        for local in (":", "b:", "<a>,<b", "jo\xe3o", '"', "(")
    ]
    to = f"{new_id()}@{new_id()[-8:]}.test"
    fine = await queue_mail(server, await a_contact(server, to, name="Ana\r\nBcc: eve@example.test"), version)
    async with sending(server.url, server.secret_key, office.port):
        await state(server, fine, "sent")
        for queued in ids:
            await state(server, queued, "failed")
    [arrived] = office.mails(to)
    assert (arrived["To"].addresses[0].display_name, arrived["Bcc"]) == ("Ana Bcc: eve@example.test", None)
    assert {(await mail(server, queued))["error"][:12] for queued in ids} == {"unwritable: "}


async def test_one_contact_gets_no_more_marketing_than_its_cap(
    quiet_server: SupabaseServer, office: PostOffice
) -> None:
    server, to = quiet_server, f"ana@{new_id()[-8:]}.test"
    contact, version = await a_contact(server, to), await a_version(server)
    ids = [await queue_mail(server, contact, version) for _ in range(5)]

    async def undecided() -> list[dict[str, Any]]:
        rows = [await mail(server, queued) for queued in ids]
        return [row for row in rows if row["state"] in ("queued", "sending")]

    async with sending(server.url, server.secret_key, office.port), asyncio.timeout(20):
        while waiting := await undecided():
            path = f"/rest/v1/crm_mail_out?state=eq.queued&id=in.({','.join(row['id'] for row in waiting)})"
            await server.as_service("PATCH", path, {"due_at": "2026-01-01T00:00:00Z"})
            domain = to.rpartition("@")[2]
            path = f"/rest/v1/crm_mail_pace?domain=eq.{domain}"
            await server.as_service("PATCH", path, {"wakes_at": "2026-01-01T00:00:00Z"})
            await asyncio.sleep(0.05)
    states = sorted([(await mail(server, queued))["state"] for queued in ids])
    assert states == ["sent", "sent", "sent", "skipped", "skipped"], "three a day"
    assert len(office.mails(to)) == 3


@pytest.mark.timeout(180)
async def test_killed_at_random_it_sends_nothing_twice_and_skips_nobody(
    quiet_server: SupabaseServer, office: PostOffice
) -> None:
    """Of what was being handed over when a sender died nobody knows; it is said to be unknown, and not sent again."""
    server, version, chance = quiet_server, await a_version(quiet_server), random.Random(7)
    office.delay = 0.002
    many, kills, at_once = 100, 4, 4
    contacts = [{"email": f"{number}@{new_id()[-8:]}.test"} for number in range(many)]
    made = await server.as_service("POST", "/rest/v1/crm_contacts", contacts)
    transactional = {"template_version_id": version, "class": "transactional"}
    rows = [
        {"key": new_id(), "contact_id": row["id"], "domain": f"{n % 7}.test", **transactional}
        for n, row in enumerate(made)
    ]
    ids = {row["id"] for row in await server.as_service("POST", "/rest/v1/crm_mail_out", rows)}
    pace = [{"domain": f"{n}.test", "wakes_at": "2026-01-01T00:00:00Z"} for n in range(7)]
    await server.as_service("POST", "/rest/v1/crm_mail_pace", pace)
    environment = {**os.environ, "URL": server.url, "KEY": server.secret_key, "PORT": str(office.port), "LEASE": "3"}

    async def start() -> asyncio.subprocess.Process:
        module = "tests.integration.crm.sending.sender"
        return await asyncio.create_subprocess_exec(sys.executable, "-m", module, env=environment)

    async def undecided() -> int:
        path = "/rest/v1/crm_mail_out?state=in.(queued,sending)&select=id"
        return len({row["id"] for row in await server.as_service("GET", path)} & ids)

    async def end(sender: asyncio.subprocess.Process) -> None:
        sender.kill()
        await sender.wait()

    senders = [await start(), await start()]
    try:
        for _ in range(kills):
            wanted = min(len(office.taken) + chance.randrange(1, 20), many)
            async with asyncio.timeout(40):
                while len(office.taken) < wanted and await undecided():
                    await asyncio.sleep(0.01)
            await end(senders.pop(0))
            senders.append(await start())
        async with asyncio.timeout(60):
            while await undecided():
                await asyncio.sleep(0.1)
    finally:
        await asyncio.gather(*map(end, senders))
    assert set(office.of_ids().values()) == {1}, "nothing twice"
    states = {
        row["id"]: row["state"] for row in await server.as_service("GET", "/rest/v1/crm_mail_out") if row["id"] in ids
    }
    arrived = {name.strip("<>").partition("@")[0] for name in office.of_ids()}
    assert {queued for queued, state in states.items() if state == "sent"} <= arrived
    assert set(states.values()) <= {"sent", "unknown"}, "nobody is skipped"
    assert arrived <= ids
    assert sum(state == "unknown" for state in states.values()) <= (kills + 2) * at_once * 2
