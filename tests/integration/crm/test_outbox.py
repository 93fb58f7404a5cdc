"""What must follow a commit is published: whatever dies in between, and once."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from libs.bus import Bus
from libs.bus.topology import CRM
from libs.contracts import subjects
from libs.contracts.crm.events import CrmEvent, EventType
from libs.contracts.ids import new_id
from tests.integration.edge.database_proxy import between
from tests.integration.postgres_server import PostgresServer
from tests.integration.service_process import StartService
from tests.integration.supabase_server import SupabaseServer

MARK = "rpc/crm_mark_published"


async def emitted(supabase: SupabaseServer, many: int = 1) -> list[str]:
    """Rows as a transaction leaves them."""
    rows = []
    for _ in range(many):
        contact = UUID(new_id())
        event = CrmEvent(
            id=UUID(new_id()), type=EventType.TAG_ADDED, contact_id=contact, at=datetime.now(UTC), data={"tag": "a"}
        )
        payload = msgspec.to_builtins(event)
        rows.append({"id": str(event.id), "subject": subjects.crm_event(event.type), "payload": payload})
    await supabase.as_service("POST", "/rest/v1/crm_outbox", rows)
    return [str(row["id"]) for row in rows]


async def told(bus: Bus, many: int) -> list[CrmEvent]:
    async with asyncio.timeout(15):
        while True:
            events = await bus.past(CRM, subjects.ALL_CRM_EVENTS, CrmEvent, datetime(2020, 1, 1, tzinfo=UTC))
            if len(events) >= many:
                return events
            await asyncio.sleep(0.02)


async def unmarked(supabase: SupabaseServer) -> list[str]:
    rows = await supabase.as_service("GET", "/rest/v1/crm_outbox?published_at=is.null&select=id")
    return [row["id"] for row in rows]


async def all_marked(supabase: SupabaseServer) -> None:
    async with asyncio.timeout(15):
        while await unmarked(supabase):
            await asyncio.sleep(0.05)


async def test_rows_are_published_by_several_processes_once(
    bus: Bus, start_service: StartService, own_supabase_server: SupabaseServer
) -> None:
    ids = await emitted(own_supabase_server, 300)
    await asyncio.gather(*(start_service("crm", "crm", **own_supabase_server.environment) for _ in range(2)))
    ids += await emitted(own_supabase_server, 50)
    events = await told(bus, 350)
    assert sorted(str(event.id) for event in events) == sorted(ids)
    assert events[0].data == {"tag": "a"}
    await all_marked(own_supabase_server)


async def test_a_relay_that_dies_between_publishing_and_marking_repeats_nothing(
    bus: Bus, start_service: StartService, own_supabase_server: SupabaseServer
) -> None:
    ids = await emitted(own_supabase_server, 20)
    async with between(own_supabase_server) as (proxy, url):
        proxy.answers[MARK] = "null"  # its marks are lost, and it with them
        crm = await start_service("crm", "crm", **own_supabase_server.environment | {"PREGAO_SUPABASE_URL": url})
        await told(bus, 20)
        await crm.kill()
    assert sorted(await unmarked(own_supabase_server)) == sorted(ids)
    await start_service("crm", "crm", **own_supabase_server.environment)
    await all_marked(own_supabase_server)
    assert sorted(str(event.id) for event in await told(bus, 20)) == sorted(ids)


async def test_a_message_that_is_refused_does_not_hold_up_the_others(
    bus: Bus, start_service: StartService, own_supabase_server: SupabaseServer
) -> None:
    await own_supabase_server.as_service("POST", "/rest/v1/crm_outbox", {"subject": "nobody.keeps.this", "payload": {}})
    ids = await emitted(own_supabase_server)
    crm = await start_service("crm", "crm", **own_supabase_server.environment)
    [event] = await told(bus, 1)
    assert [str(event.id)] == ids
    async with asyncio.timeout(15):
        while not crm.logged("outbox_waits"):
            await asyncio.sleep(0.05)
    assert len(await unmarked(own_supabase_server)) == 1


def test_a_transaction_that_commits_late_is_not_skipped(postgres: PostgresServer) -> None:
    postgres.ask("delete from public.crm_outbox; insert into public.crm_contacts (email) values ('late@example.test')")
    emit = (
        "select private.crm_emit('{}', (select id from public.crm_contacts where email = 'late@example.test'), '{{}}')"
    )
    claim = "select subject from public.crm_claim_outbox(10, '1 minute')"
    with postgres.session() as early, postgres.session() as late:
        early.run("begin;" + emit.format("tag_added") + ";")
        late.run("begin;" + emit.format("tag_removed") + "; commit;")
        assert postgres.ask(claim) == ["crm.event.tag_removed"]
        early.run("commit;")
        assert postgres.ask(claim) == ["crm.event.tag_added"]
        assert postgres.ask(claim) == []


def test_two_relays_that_ask_at_once_are_given_different_rows(postgres: PostgresServer) -> None:
    postgres.ask(
        "delete from public.crm_outbox; insert into public.crm_outbox (subject, payload) "
        "select 'crm.event.tag_added', '{}' from generate_series(1, 10)"
    )
    claim = "select count(*) from public.crm_claim_outbox(6, '1 minute');"
    with postgres.session() as one, postgres.session() as other:
        assert one.run("begin;" + claim) == ["6"]
        assert other.run("begin;" + claim) == ["4"]
        one.run("rollback;")
        other.run("commit;")
    assert postgres.ask(claim) == ["6"]


def test_what_has_one_key_is_told_once(postgres: PostgresServer) -> None:
    postgres.ask("delete from public.crm_outbox; insert into public.crm_contacts (email) values ('once@example.test')")
    emit = (
        "select private.crm_emit('signed_up', "
        "(select id from public.crm_contacts where email = 'once@example.test'), '{}', 'a-key');"
    )
    assert postgres.ask(emit + emit) == ["t", "f"]
    assert postgres.ask("select count(*) from public.crm_outbox") == ["1"]
