"""Clients that send no token, where that is allowed."""

from pathlib import Path

import pytest
import socketio

from libs.contracts import rpc
from libs.contracts.account import SessionState
from tests.integration.edge.client import ORIGIN, Browser
from tests.integration.edge.stack import eventually, running
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_request_is_believed_whom_it_names(
    supabase_server: SupabaseServer, tmp_path: Path, person: Person, somebody_else: Person
) -> None:
    async with running(tmp_path, supabase_server, variables={"PREGAO_EDGE_AUTH": "legacy"}) as stack:
        edge, backend = stack.edge, stack.backend
        status, body = await edge.get("/api/bot/balance")
        assert (status, body["code"]) == (400, "NOT_CONNECTED"), "nobody has a session"
        await backend.session(person.user, SessionState.CONNECTED)
        await eventually(edge, f"/api/bot/status?userId={person.user}", person, lambda _, body: body["isConnected"])
        assert (await edge.get("/api/bot/balance"))[0] == 200, "the only one with a session"
        await backend.session(somebody_else.user, SessionState.CONNECTED)
        other = f"/api/bot/status?userId={somebody_else.user}"
        await eventually(edge, other, somebody_else, lambda _, body: body["isConnected"])
        assert (await edge.get("/api/bot/balance"))[0] == 400, "it could be either"
        assert (await edge.post("/api/bot/stop-runtime", None, {"userId": person.user}))[0] == 200
        assert backend.requests(rpc.StopBot)[-1].user == person.user
        for origin, status, stops in (("https://evil.test", 403, 1), ("null", 403, 1), (ORIGIN, 200, 2)):
            answer = await edge.post("/api/bot/stop-runtime", None, {"userId": person.user}, headers={"Origin": origin})
            assert answer[0] == status, "a page of another site may not act for who looks at it"
            assert len(backend.requests(rpc.StopBot)) == stops
        _, body = await edge.get("/api/bot/status", person)
        assert body["userId"] == person.user, "a token counts for more"
        assert (await edge.get(f"/api/bot/status?userId={somebody_else.user}", person))[0] == 403
        assert (await edge.get("/api/crm/stats"))[0] == 401, "administrators need one"


async def test_a_socket_without_a_token_is_the_only_users(
    supabase_server: SupabaseServer, tmp_path: Path, person: Person, somebody_else: Person
) -> None:
    async with running(tmp_path, supabase_server, variables={"PREGAO_EDGE_AUTH": "legacy"}) as stack:
        browser = Browser("snapshot")
        await browser.socket.connect(stack.edge.url, transports=["websocket"])
        assert await browser.show("EURUSD-OTC") == {"ok": True}
        await stack.backend.session(person.user, SessionState.CONNECTED)
        (snapshot,) = await browser.heard("snapshot")
        assert snapshot["userId"] == person.user
        await stack.backend.opened(somebody_else.user, "order-1")
        await stack.backend.opened(person.user, "order-2")
        (opened,) = await browser.heard("position:opened")
        assert opened["userId"] == person.user
        await browser.socket.disconnect()
        with pytest.raises(socketio.exceptions.ConnectionError):
            await browser.socket.connect(stack.edge.url, transports=["websocket"], namespaces=["/admin"])


async def test_otherwise_it_is_not(supabase_server: SupabaseServer, tmp_path: Path, person: Person) -> None:
    async with running(tmp_path, supabase_server) as stack:
        await stack.backend.session(person.user, SessionState.CONNECTED)
        assert (await stack.edge.get(f"/api/bot/status?userId={person.user}"))[0] == 401
