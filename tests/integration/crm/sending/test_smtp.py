"""Mails over connections that are kept, and are never given back in the middle of one."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from libs.contracts.clock import SystemClock
from libs.contracts.ids import new_id
from services.crm.sending.letter import Letter, Writer
from services.crm.sending.pace import Pace
from services.crm.sending.smtp import Mailer, Server
from services.crm.templates.compiled import Written
from tests.integration.crm.sending.post_office import PostOffice, open_post_office
from tests.integration.crm.sending.sender import LINKS, SENDER

WRITER = Writer(SENDER, LINKS, None, SystemClock())


def letter(local: str) -> Letter:
    return WRITER.trial(UUID(new_id()), f"{local}@a.test", Written("Hello", "<p>Hello</p>", "Hello"))


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with open_post_office() as office:
        yield office


async def test_who_waits_for_a_connection_too_long_was_not_sent(office: PostOffice) -> None:
    mailer = Mailer(Server("127.0.0.1", office.port, "none"), WRITER, 1, patience=2.0)
    office.closed = asyncio.Event()
    first = asyncio.create_task(mailer.deliver(letter("one")))
    await asyncio.sleep(0)  # it has the only connection
    second = await mailer.deliver(letter("two"))
    assert (second.kind, second.blameless) == ("retry", True)
    office.closed.set()
    assert [(await each).kind for each in (first, mailer.deliver(letter("three")))] == ["sent", "sent"]
    assert ([to for _, to, _ in office.taken], office.connections) == (["one@a.test", "three@a.test"], 1)
    await mailer.close()


async def test_no_more_a_second_than_the_provider_allows(office: PostOffice) -> None:
    clock = SystemClock()
    mailer = Mailer(Server("127.0.0.1", office.port, "none"), WRITER, 20, pace=Pace(4.0, clock))
    began = clock.monotonic()
    outcomes = await asyncio.gather(*(mailer.deliver(letter(str(number))) for number in range(20)))
    took = clock.monotonic() - began
    sent = [one for one in outcomes if one.kind == "sent"]
    assert len(sent) == 13, "those whose turn comes within three seconds"
    assert took >= 3.0
    assert {(one.kind, one.blameless) for one in outcomes if one not in sent} == {("retry", True)}
    await mailer.close()


async def test_a_connection_that_was_left_in_the_middle_is_not_used_again(office: PostOffice) -> None:
    mailer = Mailer(Server("127.0.0.1", office.port, "none"), WRITER, 1)
    office.closed = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.0):
            await mailer.deliver(letter("one"))
    office.closed = None
    assert (await mailer.deliver(letter("two"))).kind == "sent"
    assert ([to for _, to, _ in office.taken], office.connections) == (["two@a.test"], 2)
    await mailer.close()
