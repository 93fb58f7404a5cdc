"""Which errors a retry can help, told from answers of the real server and of what may stand in front of it."""

import asyncio
import json
import time

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.contracts.ids import new_id
from libs.store import Database, StoreRefused, StoreTooSlow, StoreUnavailable
from libs.store.people import People
from tests.integration.supabase_server import SupabaseServer
from tests.ports import free_port

KEY = "sb_secret_of_a_server_that_is_not_there"


async def test_nobody_listens() -> None:
    async with await Database.connect(f"http://127.0.0.1:{free_port()}", KEY) as database:
        started = time.monotonic()
        for question in (database.call("crm_stats"), People(database).profile(new_id())):
            with pytest.raises(StoreUnavailable):
                await question
        assert not await database.reachable()
        assert time.monotonic() - started < 1, "it is for the caller to decide how long to try"


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (502, "text/html", "<html>Bad Gateway</html>"),
        (503, "application/json", '{"message": "name resolution failed"}'),
        (504, "text/plain", ""),
        (520, "text/html", "<html>"),
        (500, "text/plain", "Internal Server Error"),
        (429, "application/json", '{"message": "too many requests"}'),
        (401, "application/json", '{"message": "Invalid API key", "hint": "check it"}'),
        (401, "application/json", '{"code": "PGRST301", "message": "JWT expired"}'),
        (404, "application/json", '{"code": "PGRST202", "message": "Could not find the function in the schema cache"}'),
        (503, "application/json", '{"code": "PGRST002", "message": "Could not query the database"}'),
        (500, "application/json", '{"code": "57P01", "message": "terminating connection"}'),
        (500, "application/json", '{"code": "40P01", "message": "deadlock detected"}'),
        (500, "application/json", '{"code": "57014", "message": "canceling statement due to statement timeout"}'),
        (403, "application/json", '{"code": "42501", "message": "permission denied for table trade_history"}'),
        (200, "text/html", "<html>Log in to the airport's network</html>"),
    ],
)
async def test_a_retry_can_help(status: int, content_type: str, body: str) -> None:
    with pytest.raises(StoreUnavailable, match="crm_stats"):
        await ask(status, content_type, body)


async def test_what_takes_too_long_is_told_apart() -> None:
    with pytest.raises(StoreTooSlow, match="57014"):
        await ask(
            500, "application/json", '{"code": "57014", "message": "canceling statement due to statement timeout"}'
        )


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "23505"), (409, "23503"), (400, "23514"), (400, "22P02"), (400, "P0001"), (400, "PGRST102")],
)
async def test_a_retry_cannot_help(status: int, code: str) -> None:
    with pytest.raises(StoreRefused, match=code):
        await ask(status, "application/json", f'{{"code": "{code}", "message": "no"}}')


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ('new row for relation "trade_history" violates check constraint "trade_history_valor_check"', StoreRefused),
        ("deadlock detected", StoreUnavailable),
        ("terminating connection due to administrator command", StoreUnavailable),
    ],
)
async def test_what_the_local_server_has_no_code_for_is_refused_only_for_a_constraint(
    message: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match="SUP"):
        await ask(500, "application/json", json.dumps({"code": "SUP", "message": message}))


async def ask(status: int, content_type: str, body: str) -> None:
    """A question to a server that gives this answer to all of them."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type=content_type)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server, await Database.connect(str(server.make_url("")), KEY) as database:
        await database.call("crm_stats")


async def test_a_connection_that_is_cut_off_is_a_retry_that_can_help() -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with (
        server,
        await Database.connect(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", KEY) as database,
    ):
        with pytest.raises(StoreUnavailable):
            await database.call("crm_stats")


async def test_the_wrong_key_is_a_retry_that_can_help(supabase_server: SupabaseServer) -> None:
    async with await Database.connect(supabase_server.url, KEY) as database:
        with pytest.raises(StoreUnavailable):
            await database.call("crm_stats")
        assert not await database.reachable()


async def test_a_database_that_answers_is_reachable(database: Database) -> None:
    assert await database.reachable()


async def test_what_the_database_does_not_know_is_waited_for(database: Database) -> None:
    """A deployment may come before its migrations."""
    with pytest.raises(StoreUnavailable):
        await database.call("a_function_of_tomorrow")


async def test_what_breaks_a_rule_of_the_database_is_refused(database: Database) -> None:
    with pytest.raises(StoreRefused):
        await People(database).profile("no uuid")


async def test_it_comes_back_with_the_server(own_supabase_server: SupabaseServer) -> None:
    async with await Database.connect(own_supabase_server.url, own_supabase_server.secret_key) as database:
        assert await database.reachable()
        own_supabase_server.stop()
        with pytest.raises(StoreUnavailable):
            await database.call("crm_stats")
        own_supabase_server.start()
        await database.call("crm_stats")
