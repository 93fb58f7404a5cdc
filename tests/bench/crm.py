"""Contacts by the hundred thousand: a file of 100,000 rows imported through the service into the local database, from
its check to its last row; and segments over 1,000,000 contacts on a PostgreSQL server, as hosted ones are: building
one anew, and looking at one contact again in ten segments that mention what changed.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from libs.bus import Bus
from libs.bus.permissions import ADMIN
from libs.bus.topology import BUCKETS, STREAMS
from libs.contracts.clock import SystemClock
from libs.contracts.crm import imports as rpc
from libs.contracts.crm.common import Of, OfBy
from tests.bench.result import Result
from tests.integration.nats_server import NatsServer
from tests.integration.postgres_server import binaries, migrated
from tests.integration.service_process import ServiceProcess
from tests.integration.supabase_server import SupabaseServer

NAMES = ("crm.import_100k_s", "crm.segment_1m_s", "crm.segment_change_ms")

_ROWS = 100_000
_CONTACTS = 1_000_000
_TIMES = 5
_CHANGES = 200

_GENERATE = """
set session_replication_role = replica;
insert into public.crm_contacts (email, name, status, score, created_at)
select n || '@bench.test', 'N ' || n, (array['lead', 'prospect', 'customer', 'inactive'])[1 + n % 4], n % 101,
  now() - n % 400 * interval '1 day'
from generate_series(1, :many) n;
insert into public.crm_contact_tags (contact_id, tag)
select id, 'vip' from public.crm_contacts where score % 3 = 0;
insert into public.crm_trading_facts (contact_id, real_balance, last_trade_at)
select id, score * 20, now() - score * interval '1 day' from public.crm_contacts;
set session_replication_role = default;
analyze;
"""
_RULE = """{"op": "and", "children": [
  {"field": "status", "cmp": "in", "value": ["lead", "customer"]},
  {"field": "score", "cmp": "gte", "value": 20},
  {"op": "or", "children": [
    {"field": "tags", "cmp": "contains", "value": "vip"},
    {"field": "last_trade_at", "cmp": "within_days", "value": 30}]}]}"""
_SEGMENTS = """
select public.crm_save_segment(
  null, jsonb_build_object('name', 'Segment ' || n, 'kind', 'dynamic', 'rules', :'rule'::jsonb), null
) ->> 'outcome' from generate_series(1, 10) n"""
_REBUILD = "select public.crm_rebuild_segment(id) from public.crm_segments where name = 'Segment 1';"
_RECHECK = """
select public.crm_recheck(jsonb_build_array(jsonb_build_object('contact', id, 'names', array['score'])))
from (select id from public.crm_contacts offset {} limit 1) one;"""
"""Of one contact: where rows are skipped, what is asked of them is done as well."""


async def run() -> list[Result]:
    with TemporaryDirectory() as directory:
        async with crm(Path(directory)) as (bus, _):
            results = [Result("crm.import_100k_s", await _import(bus), "s")]
    return results + await asyncio.to_thread(_segments)


async def _import(bus: Bus) -> float:
    text = "email,name,status,tags\n" + "".join(
        f"{number}@import.test,Number {number},lead,bench\n" for number in range(_ROWS)
    )
    job = await bus.call(rpc.START_IMPORT, rpc.StartImport(by="bench", wanted=rpc.NewImport()))
    for number, begin in enumerate(range(0, len(text), rpc.PIECE)):
        piece = text[begin : begin + rpc.PIECE]
        await bus.call(rpc.ADD_PIECE, rpc.AddPiece(by="bench", id=job.id, number=number, text=piece))
    started = time.monotonic()
    await bus.call(rpc.CHECK_IMPORT, OfBy(by="bench", id=job.id))
    job = await bus.call(rpc.RUN_IMPORT, OfBy(by="bench", id=job.id))
    while job.state == "running":
        await asyncio.sleep(0.1)
        job = await bus.call(rpc.IMPORT, Of(id=job.id), timeout=30.0)
    if job.inserted != _ROWS:
        raise RuntimeError(f"{job.inserted} contacts came of {_ROWS} rows: {job.error}")
    return time.monotonic() - started


def _segments() -> list[Result]:
    """None where PostgreSQL is not installed."""
    programs = binaries()
    if programs is None:
        return []
    with migrated(programs) as server, server.session() as session:
        server.ask(_GENERATE, timeout=600, many=str(_CONTACTS))
        server.ask(_SEGMENTS, rule=_RULE)
        server.ask("select public.crm_rebuild_segment(id) from public.crm_segments", timeout=600)
        server.ask("analyze")

        def seconds(sql: str) -> float:
            started = time.monotonic()
            session.run(sql)
            return time.monotonic() - started

        rebuilt = [seconds(_REBUILD) for _ in range(_TIMES)]
        changes = [1000 * seconds(_RECHECK.format(number)) for number in range(_CHANGES)]
    return [
        Result("crm.segment_1m_s", median(rebuilt), "s"),
        Result("crm.segment_change_ms", median(changes), "ms"),
    ]


@asynccontextmanager
async def crm(directory: Path) -> AsyncIterator[tuple[Bus, SupabaseServer]]:
    """The service with everything that it needs."""
    server = SupabaseServer(directory / "supabase")
    await asyncio.to_thread(server.prepare)
    nats = NatsServer(directory)
    nats.start()
    bus = await Bus.connect(
        nats.url, ADMIN, nats.passwords[ADMIN], service=ADMIN, instance="bench", clock=SystemClock()
    )
    process = ServiceProcess("services.crm", nats.environment("crm") | server.environment, directory / "crm.log")
    try:
        await bus.ensure(*STREAMS, *BUCKETS)
        server.start()
        await process.start()
        yield bus, server
    finally:
        await process.stop()
        await bus.close()
        server.stop()
        nats.kill()
