"""Engines, relays, senders and the bus are killed at random while contacts are on their way: of every run exactly the
mails that it should be sent are queued (crm-and-reliability §C6). A little in every run of the tests. By `make chaos`
more, and with a mail server, which is handed each mail once, or by who died while doing so: then it is unknown."""

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import NamedTuple
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
from services.crm.keys import Keys
from services.crm.workflows.desk import WorkflowDesk
from services.crm.workflows.hook_secrets import HookSecrets
from tests.integration.crm.sending.post_office import open_post_office
from tests.integration.crm.sending.rows import a_version
from tests.integration.crm.workflows.drawn import edge, flow, node
from tests.integration.nats_server import NatsServer
from tests.integration.service_process import ServiceProcess
from tests.integration.supabase_server import SupabaseServer

_RUNS = int(os.environ.get("PREGAO_CHAOS_RUNS", "40"))
_FAULTS = int(os.environ.get("PREGAO_CHAOS_FAULTS", "4"))
_SEED = int(os.environ.get("PREGAO_CHAOS_SEED", "1"))
_HANDED_OVER = "PREGAO_CHAOS_RUNS" in os.environ
"""Whether mails are handed to a server, by the processes that are killed."""
_PIECE = 20
"""Contacts that enter at once."""

pytestmark = pytest.mark.takes(20)


class Published(NamedTuple):
    workflow: UUID
    version: UUID


def drawn(template: str) -> dict[str, object]:
    """A mail, a second, one of two mails, a second, and a mail."""
    mail = {"template_id": template, "class": "transactional"}
    mails = [node(name, "send_email", mail, on_error="continue") for name in ("first", "a", "b", "last")]
    waits = [node(name, "delay", {"seconds": 1}) for name in ("wait", "again")]
    split = node("split", "split", {"variants": [{"id": "a"}, {"id": "b"}]})
    edges = [
        edge("begin", "first"), edge("first", "wait"), edge("wait", "split"), edge("split", "a", "a"),
        edge("split", "b", "b"), edge("a", "again"), edge("b", "again"), edge("again", "last"), edge("last", "end"),
    ]  # fmt: skip
    return flow([node("begin", "trigger", {"event": "manual"}), *mails, *waits, split, node("end", "exit")], edges)


async def all_is_sent(server: SupabaseServer) -> None:
    """Says so of every mail that is queued: a process that dies while it hands one over is waited for a minute."""
    while True:
        await server.as_service("PATCH", "/rest/v1/crm_mail_out?state=in.(queued,sending)&select=id", {"state": "sent"})
        await asyncio.sleep(0.1)


async def entering(runs: Runs, workflow: Published, contacts: list[str]) -> None:
    """Each piece twice: whoever lets them in does not know either whether it was done."""
    for begin in range(0, len(contacts), _PIECE):
        entries = [
            Entry(
                workflow=workflow.workflow,
                version=workflow.version,
                contact=UUID(contact),
                key="once",
                node="begin",
                event={},
            )
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


async def published(database: Database, server: SupabaseServer) -> Published:
    template = await a_version(server)
    [version] = await server.as_service("GET", f"/rest/v1/crm_email_template_versions?id=eq.{template}")
    workflows = Workflows(database)
    desk = WorkflowDesk(workflows, HookSecrets(workflows, Keys(["a key of tests"])), SystemClock(), lambda: None)
    new = NewWorkflow(name="Three mails", workflow_definition=drawn(version["template_id"]))
    made = await desk.create(rpc.CreateWorkflow(by="test", workflow=new))
    assert (await desk.activate(OfBy(by="test", id=made.id))).problems == ()
    found = await workflows.published(made.id)
    assert found is not None
    return Published(made.id, found.id)


async def lived(
    database: Database, server: SupabaseServer, nats: NatsServer, engines: list[ServiceProcess], workflow: Published
) -> None:
    """Everybody's way from beginning to end, with all the trouble there is."""
    rows = [{"email": f"{new_id()}@example.test"} for _ in range(_RUNS)]
    contacts = [row["id"] for row in await server.as_service("POST", "/rest/v1/crm_contacts", rows)]
    runs, done = Runs(database), asyncio.Event()
    hurt = asyncio.create_task(hurting(Random(_SEED), nats, engines, done))
    await entering(runs, workflow, contacts)
    while (await figures(runs, workflow.workflow)) != {"completed": _RUNS}:
        await asyncio.sleep(0.25)
    done.set()
    assert await hurt > 0


@pytest.mark.timeout(120 + _RUNS // 2 + 10 * _FAULTS)
async def test_every_run_is_sent_its_mails_whatever_dies(own_supabase_server: SupabaseServer, tmp_path: Path) -> None:
    """Repeat with PREGAO_CHAOS_SEED."""
    server = own_supabase_server
    async with AsyncExitStack() as stack:
        office = await stack.enter_async_context(open_post_office())
        nats = NatsServer(tmp_path)
        nats.start()
        stack.callback(nats.kill)
        environment = nats.environment("crm") | server.environment
        if _HANDED_OVER:
            environment |= {
                "PREGAO_MAIL_SMTP_HOST": "127.0.0.1", "PREGAO_MAIL_SMTP_PORT": str(office.port),
                "PREGAO_MAIL_SMTP_SECURITY": "none", "PREGAO_MAIL_PACE": "0",
            }  # fmt: skip
        else:
            sender = asyncio.create_task(all_is_sent(server))
            stack.callback(sender.cancel)
        engines = [ServiceProcess("services.crm", environment, tmp_path / f"crm-{number}.log") for number in range(2)]
        for engine in engines:
            stack.push_async_callback(engine.stop)
        await asyncio.gather(*(engine.start() for engine in engines))
        database = await stack.enter_async_context(await Database.connect(server.url, server.secret_key))
        await lived(database, server, nats, engines, await published(database, server))
        mails = await everything(server, "crm_mail_out?select=run_id,id,state&order=id")
        counted = Counter(mail["run_id"] for mail in mails)
        assert (len(counted), set(counted.values())) == (_RUNS, {3})
        steps = await everything(server, "crm_workflow_steps?select=run_id&order=run_id,node_id,visit")
        assert set(Counter(step["run_id"] for step in steps).values()) == {8}
        if _HANDED_OVER:
            arrived = office.of_ids()
            assert max(arrived.values()) == 1
            sent = {mail["id"] for mail in mails if mail["state"] == "sent"}
            assert sent <= {name.strip("<>").partition("@")[0] for name in arrived}
            assert {mail["state"] for mail in mails} <= {"sent", "unknown"}


async def everything(server: SupabaseServer, asked: str) -> list[dict[str, str]]:
    """The server answers 1,000 rows at a time."""
    rows: list[dict[str, str]] = []
    while page := await server.as_service("GET", f"/rest/v1/{asked}&limit=1000&offset={len(rows)}"):
        rows += page
    return rows


async def figures(runs: Runs, workflow: UUID) -> dict[RunStatus, int]:
    try:
        found = await runs.figures(workflow)
    except StoreError:
        return {}
    return found.runs if found is not None else {}
