"""What a contact's trading user is told in the application gets to the stream that sockets are told from."""

import asyncio
from datetime import UTC, datetime

import pytest

from libs.bus.topology import NEWS
from libs.contracts import subjects
from libs.contracts.crm.notices import Notice
from libs.contracts.ids import new_id
from tests.integration.crm.sending.rows import a_contact
from tests.integration.crm.stack import CrmStack
from tests.integration.edge.client import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_notification(crm: CrmStack) -> None:
    person = await crm.supabase.sign_up()
    await crm.supabase.as_service("DELETE", f"/rest/v1/crm_contacts?user_id=eq.{person.user}")
    contact = await a_contact(crm.supabase, user_id=person.user)
    told = {"key": new_id(), "contact": contact, "title": "A title", "body": "Some text"}
    for _ in range(2):
        await crm.supabase.as_service("POST", "/rest/v1/rpc/crm_queue_notification", told)
    subject = subjects.news(person.user, subjects.NEWS_NOTICE)
    async with asyncio.timeout(20):
        while not (notices := await crm.bus.past(NEWS, subject, Notice, datetime(2020, 1, 1, tzinfo=UTC))):
            await asyncio.sleep(0.05)
    assert [(notice.title, notice.body, notice.user) for notice in notices] == [("A title", "Some text", person.user)]


async def told_to(crm: CrmStack, user: str, title: str) -> None:
    [contact] = await crm.supabase.as_service("GET", f"/rest/v1/crm_contacts?user_id=eq.{user}")
    told = {"key": new_id(), "contact": contact["id"], "title": title, "body": "<b>Some text</b>"}
    await crm.supabase.as_service("POST", "/rest/v1/rpc/crm_queue_notification", told)


async def test_it_is_shown_to_its_user_and_to_nobody_else(crm: CrmStack) -> None:
    people = [await crm.supabase.sign_up() for _ in range(2)]
    browsers = []
    for person in people:
        await crm.supabase.as_service("DELETE", f"/rest/v1/crm_contacts?user_id=eq.{person.user}")
        await a_contact(crm.supabase, user_id=person.user)
        browser = Browser("notification")
        await browser.socket.connect(crm.edge.url, auth={"token": person.token}, transports=["websocket"])
        browsers.append(browser)
    for number, person in enumerate(people):
        await told_to(crm, person.user, f"For {number}")
    for number, (person, browser) in enumerate(zip(people, browsers, strict=True)):
        [shown] = await browser.heard("notification")
        assert (shown["title"], shown["body"], shown["userId"]) == (f"For {number}", "<b>Some text</b>", person.user)
    for browser in browsers:
        await browser.socket.disconnect()
