"""Engines, relays, senders, the bus and the database are killed at random while contacts are on their way: of every run
exactly the mails that it should be sent are queued (crm-and-reliability §C6). A little in every run of the tests. By
`make chaos` more, and with a mail server that refuses some for now and some for good, and is handed each mail once, or
by who died while doing so: then it is unknown."""

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple
from uuid import UUID

import aiohttp
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
from tests.integration.crm.sending.post_office import PostOffice, open_post_office
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
_ENDS = ("sent", "unknown", "failed")
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
    queued = "/rest/v1/crm_mail_out?state=in.(queued,sending)&select=id"
    while True:
        with suppress(aiohttp.ClientError, TimeoutError, AssertionError):
            await server.as_service("PATCH", queued, {"state": "sent"})
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
        entered = 0
        while entered < 2:
            with suppress(StoreError):
                await runs.enter(entries)
                entered += 1
            await asyncio.sleep(0.1)


class Trouble:
    """What is killed, and started again."""

    def __init__(
        self,
        random: Random,
        nats: NatsServer,
        server: SupabaseServer,
        engines: list[ServiceProcess],
        office: PostOffice,
    ) -> None:
        self._random = random
        self._nats = nats
        self._server = server
        self._engines = engines
        self._office = office
        self.made: Counter[str] = Counter()

    async def until(self, done: asyncio.Event) -> None:
        """One or the other, until everything is done or it was often enough."""
        kinds = {"bus": self._bus, "database": self._database, "engine": self._engine}
        weights = [0.25, 0.25, 0.5]
        if _HANDED_OVER:
            kinds["post office"] = self._post_office
            weights.append(0.1)
        while not done.is_set() and self.made.total() < _FAULTS:
            await asyncio.sleep(self._random.uniform(0.1, 1.5))
            [kind] = self._random.choices(list(kinds), weights)
            self.made[kind] += 1
            await kinds[kind]()

    async def _for_a_moment(self) -> None:
        await asyncio.sleep(self._random.uniform(0, 0.5))

    async def _bus(self) -> None:
        self._nats.kill()
        await self._for_a_moment()
        self._nats.start()

    async def _database(self) -> None:
        self._server.kill()
        await self._for_a_moment()
        await asyncio.to_thread(self._server.start)

    async def _engine(self) -> None:
        engine = self._random.choice(self._engines)
        await engine.kill()
        await self._for_a_moment()
        await engine.start(within=120)

    async def _post_office(self) -> None:
        self._office.busy = True
        await self._for_a_moment()
        self._office.busy = False


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
    database: Database, server: SupabaseServer, office: PostOffice, trouble: Trouble, workflow: Published
) -> None:
    """Everybody's way from beginning to end, with all the trouble there is. Of some the first mail is refused for now,
    of some for good."""
    names = [new_id() for _ in range(_RUNS)]
    office.refusals = {name: ["451 4.3.0 later"] for name in names[::50]}
    office.refusals |= {name: ["554 5.7.1 not you"] for name in names[25::50]}
    rows = [{"email": f"{name}@example.test"} for name in names]
    contacts = [row["id"] for row in await server.as_service("POST", "/rest/v1/crm_contacts", rows)]
    runs, done = Runs(database), asyncio.Event()
    hurt = asyncio.create_task(trouble.until(done))
    await entering(runs, workflow, contacts)
    while (await figures(runs, workflow.workflow)) != {"completed": _RUNS}:
        await asyncio.sleep(0.25)
    done.set()
    await hurt
    assert trouble.made


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
        trouble = Trouble(Random(_SEED), nats, server, engines, office)
        await lived(database, server, office, trouble, await published(database, server))
        print(f"{_RUNS} runs under {dict(trouble.made)}")
        mails = await everything(server, "crm_mail_out?select=run_id,id,state&order=id")
        counted = Counter(mail["run_id"] for mail in mails)
        assert (len(counted), set(counted.values())) == (_RUNS, {3})
        steps = await everything(server, "crm_workflow_steps?select=run_id&order=run_id,node_id,visit")
        assert set(Counter(step["run_id"] for step in steps).values()) == {8}
        if _HANDED_OVER:
            arrived = office.of_ids()
            assert max(arrived.values()) == 1
            taken = {name.strip("<>").partition("@")[0] for name in arrived}
            became = {state: {mail["id"] for mail in mails if mail["state"] == state} for state in _ENDS}
            assert sum(map(len, became.values())) == len(mails)
            assert became["sent"] <= taken
            assert not became["failed"] & taken
            assert len(became["failed"]) <= len(range(25, _RUNS, 50))


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
