"""`GET /api/bot/status`, which every open page polls: the edge with a verified token, and Express with the same JSON
and no authentication. One Node process asks over 32 kept connections."""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.local.node import install, node_path
from libs.contracts.account import SessionState
from libs.contracts.bots import Activity
from tests.bench.fanout import NODE, child
from tests.bench.result import Result
from tests.integration.edge.stack import running
from tests.integration.supabase_server import SupabaseServer

NAMES = ("edge.status_vs_express",)

_PATH = "/api/bot/status"
_REQUESTS = 20_000
_CONNECTIONS = 32
_ROUNDS = 3


async def run() -> list[Result]:
    install(NODE)
    with TemporaryDirectory() as directory:
        async with _supabase(Path(directory) / "supabase") as supabase:
            ours = await _edge(Path(directory), supabase)
    async with child(node_path(), NODE / "fanout_server.mjs") as express:
        theirs = await _rate(int(await express.line()))
    return [Result("edge.status_vs_express", ours, "/s", theirs)]


async def _edge(directory: Path, supabase: SupabaseServer) -> float:
    person = await supabase.sign_up("91234567")
    async with running(directory, supabase, variables={"PREGAO_EDGE_RATE_POLL": "1000000000"}) as stack:
        await stack.backend.session(person.user, SessionState.CONNECTED)
        await stack.backend.status(person.user, Activity.ANALYZING)
        return await _rate(int(stack.edge.url.rsplit(":", 1)[1]), person.token)


async def _rate(port: int, *token: str) -> float:
    """Requests a second; the best of some rounds."""
    best = 0.0
    for _ in range(_ROUNDS):
        command = (node_path(), NODE / "load.mjs", port, _PATH, _REQUESTS, _CONNECTIONS, *token)
        process = await asyncio.create_subprocess_exec(*map(str, command), stdout=PIPE)
        said, _ = await process.communicate()
        best = max(best, float(said))
    return best


@asynccontextmanager
async def _supabase(directory: Path) -> AsyncIterator[SupabaseServer]:
    server = SupabaseServer(directory)
    await asyncio.to_thread(server.prepare)
    server.start()
    try:
        yield server
    finally:
        server.stop()
