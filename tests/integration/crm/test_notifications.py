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
