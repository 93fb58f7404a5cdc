"""Steps of workflows: 2,000 contacts on their way through a split, a condition, a tag, a note and two waits, by one
process of crm with the local database, from the first who enters to the last who has ended."""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from libs.contracts.crm import workflows as rpc
from libs.contracts.crm.common import Of, OfBy
from libs.contracts.crm.workflow_runs import FIGURES
from libs.contracts.ids import new_id
from libs.store import Database
from libs.store.crm.runs import Entry, Runs
from libs.store.crm.workflows import Workflows
from tests.bench.crm import crm
from tests.bench.result import Result
from tests.unit.crm.workflows.drawings import edge, flow, node

NAMES = ("crm.steps_per_s",)

_RUNS = 2000
_PIECE = 500
_RULE = {"field": "score", "cmp": "gte", "value": 50}
_FLOW = flow(
    [
        node("begin", "trigger", {"event": "manual"}), node("split", "split", {"variants": [{"id": "a"}, {"id": "b"}]}),
        node("tag", "add_tag", {"tag": "bench"}), node("wait", "delay", {"seconds": 1}),
        node("is", "condition", {"rule": _RULE}), node("note", "create_note", {"text": "Was here"}),
        node("again", "delay", {"seconds": 1}), node("end", "exit"),
    ],
    [
        edge("begin", "split"), edge("split", "tag", "a"), edge("split", "wait", "b"), edge("tag", "wait"),
        edge("wait", "is"), edge("is", "note", "true"), edge("is", "note", "false"), edge("note", "again"),
        edge("again", "end"),
    ],
)  # fmt: skip


async def run() -> list[Result]:
    with TemporaryDirectory() as directory:
        async with (
            crm(Path(directory)) as (bus, server),
            await Database.connect(server.url, server.secret_key) as database,
        ):
            rows = [{"email": f"{number}@bench.test"} for number in range(_RUNS)]
            contacts = [row["id"] for row in await server.as_service("POST", "/rest/v1/crm_contacts", rows)]
            made = await bus.call(
                rpc.CREATE_WORKFLOW,
                rpc.CreateWorkflow(by="bench", workflow=rpc.NewWorkflow(name="Bench", workflow_definition=_FLOW)),
            )
            await bus.call(rpc.ACTIVATE_WORKFLOW, OfBy(by="bench", id=made.id))
            published = await Workflows(database).published(made.id)
            if published is None:
                raise RuntimeError("nothing was published")
            started = time.monotonic()
            for begin in range(0, _RUNS, _PIECE):
                entries = [
                    Entry(workflow=made.id, version=published.id, contact=contact, key=new_id(), node="begin", event={})
                    for contact in contacts[begin : begin + _PIECE]
                ]
                await Runs(database).enter(entries)
            while (await bus.call(FIGURES, Of(id=made.id), timeout=30.0)).runs != {"completed": _RUNS}:
                await asyncio.sleep(0.25)
            seconds = time.monotonic() - started
            figures = await bus.call(FIGURES, Of(id=made.id), timeout=30.0)
    return [Result("crm.steps_per_s", sum(node.entered for node in figures.nodes) / seconds, "1/s")]
