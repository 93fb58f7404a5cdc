"""What is queued to be sent: once for a key, claimed once, paced by domain, and skipped where it may not be sent."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.sending.rows import a_contact, a_version, activities, mail, queue_mail
from tests.integration.supabase_server import SupabaseServer


async def claim(server: SupabaseServer, at_most: int = 100, lease: float = 60, pace: float = 0) -> tuple[str, Any]:
    claim = new_id()
    told = {"claim": claim, "at_most": at_most, "lease": lease, "pace": pace, "channels": ["email"]}
    return claim, await server.as_service("POST", "/rest/v1/rpc/crm_claim_mails", told)


async def finish(server: SupabaseServer, claim: str, id: str, outcome: str, **more: object) -> int:
    result = {"id": id, "outcome": outcome, **more}
    return int(await server.as_service("POST", "/rest/v1/rpc/crm_finish_mails", {"claim": claim, "results": [result]}))


async def test_a_key_is_queued_once(quiet_server: SupabaseServer) -> None:
    server = quiet_server
    contact, version = await a_contact(server), await a_version(server)
    ids = await asyncio.gather(*(queue_mail(server, contact, version, "the-key") for _ in range(5)))
    assert len(set(ids)) == 1
    _, rows = await claim(server)
    assert [row["id"] for row in rows] == [ids[0]]
    assert rows[0]["contact"]["id"] == contact
    assert (await claim(server))[1] == []


async def test_a_claim_that_lapsed_is_anothers_and_the_late_result_is_not_taken(
    quiet_server: SupabaseServer,
) -> None:
    server = quiet_server
    contact = await a_contact(server)
    queued = await queue_mail(server, contact, await a_version(server))
    late, _ = await claim(server, lease=0)
    mine, rows = await claim(server)
    assert [(row["id"], row["attempts"]) for row in rows] == [(queued, 2)]
    assert await finish(server, late, queued, "failed") == 1
    assert await finish(server, mine, queued, "sent") == 0
    assert (await mail(server, queued))["state"] == "sent"
    [told] = await activities(server, contact, "mail_sent")
    assert (told["ref_id"], told["data"]["class"]) == (queued, "marketing")
    assert (await mail(server, queued))["address_hash"]


@pytest.mark.parametrize(("after", "column"), [(0.4, "machine_opened_at"), (1.5, "opened_at")])
async def test_who_looks_at_once_is_a_machine_though_nobody_has_told_yet_that_it_was_sent(
    quiet_server: SupabaseServer, after: float, column: str
) -> None:
    server = quiet_server
    queued = await queue_mail(server, await a_contact(server), await a_version(server))
    mine, _ = await claim(server)
    handed: dict[str, object] = {"claim": mine, "results": [], "following": [queued], "lease": 60}
    assert await server.as_service("POST", "/rest/v1/rpc/crm_hand_over", handed) == [queued]
    at = datetime.fromisoformat((await mail(server, queued))["handed_at"]) + timedelta(seconds=after)
    seen = {"id": new_id(), "mail": queued, "kind": "open", "number": 0, "machine": False, "at": at.isoformat()}
    await server.as_service("POST", "/rest/v1/rpc/crm_record_seen", {"events": [seen]})
    row = await mail(server, queued)
    assert {name for name in ("opened_at", "machine_opened_at") if row[name]} == {column}


async def test_a_retry_is_due_when_it_says(quiet_server: SupabaseServer) -> None:
    server = quiet_server
    queued = await queue_mail(server, await a_contact(server), await a_version(server))
    mine, _ = await claim(server)
    await finish(server, mine, queued, "retry", error="451 later", after=3600)
    assert (await claim(server))[1] == []
    assert (await mail(server, queued))["error"] == "451 later"
    mine, _ = await claim(server)
    other = await queue_mail(server, await a_contact(server), await a_version(server))
    mine, rows = await claim(server)
    assert [row["id"] for row in rows] == [other]
    await finish(server, mine, other, "retry", after=0)
    assert [row["id"] for row in (await claim(server))[1]] == [other]


async def test_what_may_not_be_sent_is_skipped_and_says_why(quiet_server: SupabaseServer) -> None:
    server = quiet_server
    version = await a_version(server)
    silent, gone = await a_contact(server, consent=""), await a_contact(server, consent="unsubscribed")
    none = await a_contact(server, email="x@gone.test")
    await server.as_service("PATCH", f"/rest/v1/crm_contacts?id=eq.{none}", {"email": None})
    ids = {
        "no_consent": await queue_mail(server, silent, version),
        "unsubscribed": await queue_mail(server, gone, version),
        "no_address": await queue_mail(server, none, version),
    }
    transactional = await queue_mail(server, silent, version, **{"class": "transactional"})
    _, rows = await claim(server)
    assert [row["id"] for row in rows] == [transactional]
    for why, queued in ids.items():
        row = await mail(server, queued)
        assert (row["state"], row["error"]) == ("skipped", why)


async def test_a_domain_is_written_to_no_faster_than_its_pace_and_holds_up_no_other(
    quiet_server: SupabaseServer,
) -> None:
    server = quiet_server
    version = await a_version(server)
    for number in range(5):
        await queue_mail(server, await a_contact(server, f"{number}@slow.test"), version)
    other = await queue_mail(server, await a_contact(server, "one@quick.test"), version)
    transactional = await queue_mail(
        server, await a_contact(server, "x@slow.test"), version, **{"class": "transactional"}
    )
    _, rows = await claim(server, pace=600)
    assert {row["id"] for row in rows} == {transactional, other}, "it does not wait behind a campaign"
    assert (await claim(server, pace=600))[1] == []
    earlier = {"free_at": "2026-01-01T00:00:00Z", "wakes_at": "2026-01-01T00:00:00Z"}
    await server.as_service("PATCH", "/rest/v1/crm_mail_pace?domain=eq.slow.test", earlier)
    assert len((await claim(server, pace=600))[1]) == 1


async def test_claims_at_once_share_what_there_is(quiet_server: SupabaseServer) -> None:
    server = quiet_server
    version = await a_version(server)
    ids = {await queue_mail(server, await a_contact(server), version) for _ in range(40)}
    claims = await asyncio.gather(*(claim(server, at_most=10) for _ in range(6)))
    claimed = [row["id"] for _, rows in claims for row in rows]
    assert (len(claimed), set(claimed)) == (40, ids)


async def test_a_webhook_that_is_gone_takes_nothing_more(quiet_server: SupabaseServer) -> None:
    server = quiet_server
    hook = {"name": "A webhook", "url": "https://receiver.example.test/", "secret": "sealed"}
    [row] = await server.as_service("POST", "/rest/v1/crm_webhooks", hook)

    async def queue(key: str) -> str:
        told = {"key": key, "url_ref": row["id"], "payload": {"a": 1}}
        return str(await server.as_service("POST", "/rest/v1/rpc/crm_queue_webhook", told))

    queued = await queue("one")
    assert await queue("one") == queued
    told: dict[str, object] = {"claim": new_id(), "at_most": 10, "lease": 60}
    [post] = await server.as_service("POST", "/rest/v1/rpc/crm_claim_webhooks", told)
    assert (post["id"], post["url"], post["payload"]) == (queued, hook["url"], {"a": 1})
    result = {
        "claim": told["claim"], "of_post": queued, "outcome": "failed", "answered": 410, "why": "gone", "after": 0,
        "gone": True, "patience": 1000,
    }  # fmt: skip
    assert await server.as_service("POST", "/rest/v1/rpc/crm_finish_webhook", result) is True
    second = await queue("two")
    [skipped] = await server.as_service("GET", f"/rest/v1/crm_webhook_out?id=eq.{second}")
    assert (skipped["state"], skipped["error"]) == ("skipped", "disabled")


async def test_what_is_posted_of_somebody_goes_when_it_is_erased(quiet_server: SupabaseServer) -> None:
    server = quiet_server
    hook = {"name": "A webhook", "url": "https://receiver.example.test/", "secret": "sealed"}
    [row] = await server.as_service("POST", "/rest/v1/crm_webhooks", hook)
    gone, other, none = await a_contact(server), await a_contact(server), None
    posts = {}
    for contact in (gone, other, none):
        payload = {"contact": {"id": contact, "email": "somebody@example.test"}} if contact else {"contact": "x"}
        told: dict[str, object] = {"key": new_id(), "url_ref": row["id"], "payload": payload}
        posts[contact] = str(await server.as_service("POST", "/rest/v1/rpc/crm_queue_webhook", told))
    asked = {"contact": gone, "actor": "boss", "from_table": "crm_webhook_out", "skipped": 0, "most": 10_000}
    export = await server.as_service("POST", "/rest/v1/rpc/crm_export_contact", asked)
    assert [each["id"] for each in export["tables"]["crm_webhook_out"]] == [posts[gone]]
    await server.as_service("POST", "/rest/v1/rpc/crm_erase_contact", {"contact": gone, "actor": "boss"})
    [erased] = await server.as_service("GET", f"/rest/v1/crm_webhook_out?id=eq.{posts[gone]}")
    assert (erased["state"], erased["error"], erased["payload"]) == ("skipped", "deleted", {})
    told = {"claim": new_id(), "at_most": 10, "lease": 60}
    claimed = await server.as_service("POST", "/rest/v1/rpc/crm_claim_webhooks", told)
    assert {each["id"] for each in claimed} == {posts[other], posts[none]}
    await server.as_service("PATCH", "/rest/v1/crm_webhook_out?state=eq.sending", {"state": "sent"})
    await server.as_service("POST", "/rest/v1/rpc/crm_prune_posts", {"kept": 60})
    assert await server.as_service("GET", f"/rest/v1/crm_webhook_out?id=eq.{posts[other]}"), "of a moment ago"
    await server.as_service("POST", "/rest/v1/rpc/crm_prune_posts", {"kept": -60})
    assert not await server.as_service("GET", f"/rest/v1/crm_webhook_out?id=eq.{posts[other]}")


async def test_a_notification_is_told_to_the_contacts_user_once(quiet_server: SupabaseServer) -> None:
    server = quiet_server
    person = await server.sign_up()
    await server.as_service("DELETE", f"/rest/v1/crm_contacts?user_id=eq.{person.user}")
    trader, stranger = await a_contact(server, user_id=person.user), await a_contact(server)
    for contact in (trader, trader, stranger):
        told = {"key": contact, "contact": contact, "title": "A title", "body": "Some text"}
        await server.as_service("POST", "/rest/v1/rpc/crm_queue_notification", told)
    outbox = await server.as_service("GET", f"/rest/v1/crm_outbox?subject=eq.notice.{person.user}")
    assert [(row["payload"]["title"], row["payload"]["user"]) for row in outbox] == [("A title", person.user)]
    [row] = await server.as_service("GET", f"/rest/v1/crm_notifications?contact_id=eq.{stranger}")
    assert (row["state"], row["error"]) == ("skipped", "no_user")
