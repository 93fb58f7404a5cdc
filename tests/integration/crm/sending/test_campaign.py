"""A campaign from its recipients to their mailboxes, while those who work on it are killed at random, two at once."""

import asyncio
import random
import sys
from collections import Counter
from itertools import groupby
from typing import Any

import pytest

from libs.contracts.clock import SystemClock
from libs.contracts.ids import new_id
from libs.store import Database
from libs.store.crm.campaigns import Campaigns
from services.crm.campaigns.steps import Steps
from tests.integration.crm.sending.post_office import open_post_office
from tests.integration.crm.sending.rows import a_version
from tests.integration.crm.sending.sender import sending
from tests.integration.supabase_server import SupabaseServer

_RECIPIENTS = 240
_KILLS = 4


async def a_large_campaign(server: SupabaseServer, many: int = _RECIPIENTS) -> str:
    """Its id; it starts at once. A tenth of its contacts have agreed to nothing."""
    people = [{"email": f"{number}@{new_id()}.test"} for number in range(many)]
    contacts = [row["id"] for row in await server.as_service("POST", "/rest/v1/crm_contacts", people)]
    said = [
        {"contact_id": contact, "channel": "email", "topic": "*", "state": "subscribed", "how": "test"}
        for number, contact in enumerate(contacts)
        if number % 10
    ]
    await server.as_service("POST", "/rest/v1/crm_consents", said)
    [segment] = await server.as_service("POST", "/rest/v1/crm_segments", {"name": new_id(), "kind": "static"})
    members = [{"segment_id": segment["id"], "contact_id": contact, "member": True} for contact in contacts]
    await server.as_service("POST", "/rest/v1/crm_segment_members", members)
    version = await a_version(server)
    [template] = await server.as_service("GET", f"/rest/v1/crm_email_templates?version_id=eq.{version}")
    columns = {
        "name": "Killed", "template_id": template["id"], "segment_id": segment["id"], "status": "scheduled",
        "scheduled_at": "now", "subjects": ["A", "B"],
    }  # fmt: skip
    [campaign] = await server.as_service("POST", "/rest/v1/crm_campaigns", columns)
    return str(campaign["id"])


async def a_worker(server: SupabaseServer) -> asyncio.subprocess.Process:
    """That has begun."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.crm.campaigns.stepping", server.url, server.secret_key,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def end(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def waiting(server: SupabaseServer, campaign: str) -> int:
    [row] = await server.as_service("GET", f"/rest/v1/crm_campaigns?id=eq.{campaign}&select=progress")
    return int(row["progress"].get("waiting", _RECIPIENTS))


async def work_off(server: SupabaseServer, campaign: str, moments: random.Random) -> int:
    """With two workers at a time; how many were killed before everybody's turn had come."""
    killed = 0
    while killed < _KILLS and await waiting(server, campaign):
        both = await asyncio.gather(a_worker(server), a_worker(server))
        await asyncio.sleep(moments.uniform(0.01, 0.15))  # the moment is what is tried
        await asyncio.gather(*(end(process) for process in both))
        killed += 2
    last = await a_worker(server)
    async with asyncio.timeout(40):
        while await waiting(server, campaign):
            await asyncio.sleep(0.05)
    await end(last)
    return killed


@pytest.mark.timeout(120)
async def test_everybody_gets_it_once(quiet_server: SupabaseServer) -> None:
    server = quiet_server
    campaign = await a_large_campaign(server)
    path = f"/rest/v1/crm_campaign_recipients?campaign_id=eq.{campaign}"
    mail_path = f"/rest/v1/crm_mail_out?campaign_id=eq.{campaign}"
    async with open_post_office() as office, sending(server.url, server.secret_key, office.port):
        assert await work_off(server, campaign, random.Random(7)) >= 2
        async with asyncio.timeout(40):
            while await server.as_service("GET", f"{mail_path}&state=in.(queued,sending)&limit=1"):
                await asyncio.sleep(0.05)
    recipients: list[dict[str, Any]] = await server.as_service("GET", path)
    mails: list[dict[str, Any]] = await server.as_service("GET", mail_path)
    willing, left_out = _RECIPIENTS * 9 // 10, _RECIPIENTS // 10
    assert Counter(row["state"] for row in recipients) == {"queued": willing, "skipped": left_out}
    assert {row["why"] for row in recipients if row["state"] == "skipped"} == {"no_consent"}
    assert {row["contact_id"]: row["mail_id"] for row in recipients if row["state"] == "queued"} == {
        mail["contact_id"]: mail["id"] for mail in mails
    }
    assert Counter(mail["state"] for mail in mails) == {"sent": willing}
    arrived = Counter(to for _, to, _ in office.taken)
    assert (len(arrived), set(arrived.values())) == (willing, {1})


async def test_a_large_one_keeps_no_other_waiting(quiet_server: SupabaseServer) -> None:
    server = quiet_server
    both = [await a_large_campaign(server, 12) for _ in range(2)]
    async with await Database.connect(server.url, server.secret_key) as database:
        await Steps(Campaigns(database), SystemClock(), lambda: None, most=4).look()
    path = f"/rest/v1/crm_mail_out?campaign_id=in.({','.join(both)})&select=campaign_id,created_at&order=created_at"
    rows = await server.as_service("GET", path)
    turns = [campaign for campaign, _ in groupby(row["campaign_id"] for row in rows)]
    assert turns == [turns[0], turns[1]] * 3
    assert set(turns) == set(both)
