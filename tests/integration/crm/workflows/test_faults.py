"""Engines, relays and the bus are killed at random while contacts are on their way: of every run exactly the mails that
it should be sent are queued (crm-and-reliability §C6). A little in every run of the tests; more by `make chaos`."""

import asyncio
import os
from collections import Counter
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from libs.contracts.clock import SystemClock
from libs.contracts.crm import workflows as rpc
from libs.contracts.crm.common import OfBy
from libs.contracts.crm.workflow_runs import RunStatus
from libs.contracts.crm.workflows import NewWorkflow
from libs.contracts.ids import new_id
from libs.store import Database, StoreError
from libs.store.crm.runs import Entry, Runs
from libs.store.crm.workflows import Workflows
from services.crm.workflows.desk import WorkflowDesk
from tests.integration.crm.sending.rows import a_version
from tests.integration.crm.workflows.drawn import edge, flow, node
from tests.integration.nats_server import NatsServer
from tests.integration.service_process import ServiceProcess
from tests.integration.supabase_server import SupabaseServer

_RUNS = int(os.environ.get("PREGAO_CHAOS_RUNS", "40"))
_FAULTS = int(os.environ.get("PREGAO_CHAOS_FAULTS", "4"))
_SEED = int(os.environ.get("PREGAO_CHAOS_SEED", "1"))
_PIECE = 20
"""Contacts that enter at once."""

pytestmark = pytest.mark.takes(20)


def drawn(template: str) -> dict[str, object]:
    """A mail, a second, one of two mails, a second, and a mail."""
    mail = {"template_id": template, "topic": "news"}
    mails = [node(name, "send_email", mail, on_error="continue") for name in ("first", "a", "b", "last")]
    waits = [node(name, "delay", {"seconds": 1}) for name in ("wait", "again")]
    split = node("split", "split", {"variants": [{"id": "a"}, {"id": "b"}]})
    edges = [
        edge("begin", "first"), edge("first", "wait"), edge("wait", "split"), edge("split", "a", "a"),
        edge("split", "b", "b"), edge("a", "again"), edge("b", "again"), edge("again", "last"), edge("last", "end"),
    ]  # fmt: skip
    return flow([node("begin", "trigger", {"event": "manual"}), *mails, *waits, split, node("end", "exit")], edges)


class Sender:
    """Says of every mail that is queued that it was sent; once, as far as it knows."""

    def __init__(self, server: SupabaseServer) -> None:
        self._server = server

    async def run(self) -> None:
        while True:
            await self._server.as_service(
                "PATCH", "/rest/v1/crm_mail_out?state=in.(queued,sending)&select=id", {"state": "sent"}
            )
            await asyncio.sleep(0.1)


async def entering(runs: Runs, workflow: UUID, version: UUID, contacts: list[str]) -> None:
    """Each piece twice: whoever lets them in does not know either whether it was done."""
    for begin in range(0, len(contacts), _PIECE):
        entries = [
            Entry(workflow=workflow, version=version, contact=UUID(contact), key="once", node="begin", event={})
            for contact in contacts[begin : begin + _PIECE]
        ]
        for _ in range(2):
            await runs.enter(entries)
        await asyncio.sleep(0.2)


async def hurting(random: Random, nats: NatsServer, engines: list[ServiceProcess], done: asyncio.Event) -> int:
    """Kills one or the other, and starts it again, until everything is done or it was often enough."""
    faults = 0
    while not done.is_set() and faults < _FAULTS:
        await asyncio.sleep(random.uniform(0.1, 1.5))
        faults += 1
        if random.random() < 0.3:
            nats.kill()
            await asyncio.sleep(random.uniform(0, 0.5))
            nats.start()
            continue
        engine = random.choice(engines)
        await engine.kill()
        await asyncio.sleep(random.uniform(0, 0.5))
        await engine.start()
    return faults


@pytest.mark.timeout(60 + _RUNS // 2 + 8 * _FAULTS)
async def test_every_run_is_sent_its_mails_whatever_dies(own_supabase_server: SupabaseServer, tmp_path: Path) -> None:
    """Repeat with PREGAO_CHAOS_SEED."""
    server = own_supabase_server
    nats = NatsServer(tmp_path)
    nats.start()
    environment = nats.environment("crm") | server.environment
    engines = [ServiceProcess("services.crm", environment, tmp_path / f"crm-{number}.log") for number in range(2)]
    async with await Database.connect(server.url, server.secret_key) as database:
        try:
            await asyncio.gather(*(engine.start() for engine in engines))
            version = await a_version(server)
            [template] = await server.as_service("GET", f"/rest/v1/crm_email_template_versions?id=eq.{version}")
            contacts = await server.as_service(
                "POST", "/rest/v1/crm_contacts", [{"email": f"{new_id()}@example.test"} for _ in range(_RUNS)]
            )
            desk = WorkflowDesk(Workflows(database), SystemClock(), lambda: None)
            new = NewWorkflow(name="Three mails", workflow_definition=drawn(template["template_id"]))
            made = await desk.create(rpc.CreateWorkflow(by="test", workflow=new))
            assert (await desk.activate(OfBy(by="test", id=made.id))).problems == ()
            published = await Workflows(database).published(made.id)
            assert published is not None
            runs, done = Runs(database), asyncio.Event()
            sender = asyncio.create_task(Sender(server).run())
            hurt = asyncio.create_task(hurting(Random(_SEED), nats, engines, done))
            await entering(runs, made.id, published.id, [row["id"] for row in contacts])
            while (await figures(runs, made.id)) != {"completed": _RUNS}:
                assert not sender.done() or sender.exception() is None
                await asyncio.sleep(0.25)
            done.set()
            assert await hurt > 0
            sender.cancel()
            mails = await server.as_service("GET", "/rest/v1/crm_mail_out?select=run_id,key")
            counted = Counter(mail["run_id"] for mail in mails)
            assert len(counted) == _RUNS
            assert set(counted.values()) == {3}
            steps = await server.as_service("GET", "/rest/v1/crm_workflow_steps?select=run_id")
            assert set(Counter(step["run_id"] for step in steps).values()) == {8}
        finally:
            for engine in engines:
                await engine.stop()
            nats.kill()


async def figures(runs: Runs, workflow: UUID) -> dict[RunStatus, int]:
    try:
        found = await runs.figures(workflow)
    except StoreError:
        return {}
    return found.runs if found is not None else {}
