"""Requests that are made again under the same Idempotency-Key."""

import asyncio
from pathlib import Path

import pytest

from libs.bus import Bus
from libs.contracts import rpc
from libs.contracts.rpc import ErrorCode, RpcError
from services.socket_edge.errors import ApiError
from services.socket_edge.once import Answer, NotDone, Once
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.edge.database_proxy import between
from tests.integration.edge.stack import running
from tests.integration.supabase_server import Person, SupabaseServer

KEY = {"Idempotency-Key": "a1"}
DONE = Answer(status=200, body="{}")


@pytest.mark.asyncio(loop_scope="session")
async def test_a_repetition_is_answered_alike_and_done_once(
    edge: Edge, backend: Backend, person: Person, somebody_else: Person
) -> None:
    first = await edge.ask("POST", "/api/bot/start-runtime", person, json={}, headers=KEY)
    again = await edge.ask("POST", "/api/bot/start-runtime", person, json={}, headers=KEY)
    assert first[:2] == again[:2]
    assert first[0] == 200
    assert len(backend.requests(rpc.StartBot)) == 1
    await edge.ask("POST", "/api/bot/start-runtime", somebody_else, json={}, headers=KEY)
    assert len(backend.requests(rpc.StartBot)) == 2, "another user's key is another key"


@pytest.mark.asyncio(loop_scope="session")
async def test_another_request_under_the_key_is_refused(edge: Edge, backend: Backend, person: Person) -> None:
    await edge.ask("POST", "/api/bot/stop-runtime", person, json={}, headers=KEY)
    for path, body in (("stop-runtime", {"accountType": "real"}), ("stop-runtime?_=1", {}), ("pause", {})):
        status, answer, _ = await edge.ask("POST", f"/api/bot/{path}", person, json=body, headers=KEY)
        assert (status, answer["code"], answer["field"]) == (422, "IDEMPOTENCY_KEY_REUSED", "Idempotency-Key")
    status, answer, _ = await edge.ask(
        "POST", "/api/bot/pause", person, json={}, headers={"Idempotency-Key": "with space"}
    )
    assert (status, answer["field"]) == (400, "Idempotency-Key")


@pytest.mark.asyncio(loop_scope="session")
async def test_a_refusal_is_kept_as_an_unknown_outcome_is_and_what_nobody_did_is_not(
    edge: Edge, backend: Backend, person: Person
) -> None:
    backend.refusals["start"] = RpcError(ErrorCode.NO_BALANCE, "there is no demo balance")
    first = await edge.ask("POST", "/api/bot/start-runtime", person, json={}, headers=KEY)
    del backend.refusals["start"]
    again = await edge.ask("POST", "/api/bot/start-runtime", person, json={}, headers=KEY)
    assert first[:2] == again[:2]
    assert first[0] == 400
    lost = {"Idempotency-Key": "a3"}
    backend.refusals["start"] = RpcError(ErrorCode.TIMEOUT, "")
    first = await edge.ask("POST", "/api/bot/start-runtime", person, json={}, headers=lost)
    del backend.refusals["start"]
    again = await edge.ask("POST", "/api/bot/start-runtime", person, json={}, headers=lost)
    assert first[:2] == again[:2]
    assert (first[0], len(backend.requests(rpc.StartBot))) == (504, 2), "what may have been done is not done again"
    other = {"Idempotency-Key": "a2"}
    backend.refusals["start"] = RpcError(ErrorCode.UNAVAILABLE, "")
    assert (await edge.ask("POST", "/api/bot/start-runtime", person, json={}, headers=other))[0] == 503
    del backend.refusals["start"]
    assert (await edge.ask("POST", "/api/bot/start-runtime", person, json={}, headers=other))[0] == 200


@pytest.mark.asyncio(loop_scope="session")
async def test_what_could_not_be_begun_may_be_made_again(
    supabase_server: SupabaseServer, tmp_path: Path, person: Person
) -> None:
    async with (
        between(supabase_server) as (database, url),
        running(tmp_path, supabase_server, variables={"PREGAO_SUPABASE_URL": url}) as stack,
    ):
        database.answers["profiles"] = "no JSON"
        assert (await stack.edge.post("/api/bot/connect", person, headers=KEY))[0] == 503
        del database.answers["profiles"]
        assert (await stack.edge.post("/api/bot/connect", person, headers=KEY))[0] == 200


async def test_of_two_at_once_one_is_told_to_wait(bus: Bus) -> None:
    working, may_end = asyncio.Event(), asyncio.Event()

    async def act() -> Answer:
        working.set()
        await may_end.wait()
        return DONE

    first = asyncio.create_task(Once(bus, "a secret").answer("me", "k", b"request", act))
    await working.wait()
    with pytest.raises(ApiError) as raised:
        await Once(bus, "a secret").answer("me", "k", b"request", act)
    assert (raised.value.status, raised.value.code) == (409, "IN_PROGRESS")
    may_end.set()
    assert await first == await Once(bus, "a secret").answer("me", "k", b"request", act) == DONE


async def test_what_was_certainly_not_done_may_be_made_again_and_what_failed_somehow_not_at_once(bus: Bus) -> None:
    async def refuse() -> Answer:
        raise NotDone(ApiError(503, "UNAVAILABLE", "not now"))

    async def fail() -> Answer:
        raise ZeroDivisionError

    async def act() -> Answer:
        return DONE

    with pytest.raises(ApiError, match="UNAVAILABLE"):
        await Once(bus, "a secret").answer("me", "k", b"request", refuse)
    assert await Once(bus, "a secret").answer("me", "k", b"request", act) == DONE
    with pytest.raises(ZeroDivisionError):
        await Once(bus, "a secret").answer("me", "other", b"request", fail)
    with pytest.raises(ApiError, match="IN_PROGRESS"):
        await Once(bus, "a secret").answer("me", "other", b"request", act)
