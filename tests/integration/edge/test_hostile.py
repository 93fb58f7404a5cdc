"""Fields that nobody declared and ids that are none, at every route: refused at the door, and no part of a subject."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import msgspec
import nats
import pytest
import pytest_asyncio
from nats.aio.msg import Msg
from yarl import URL

from libs.bus.permissions import ADMIN
from libs.contracts.account import SessionState
from services.socket_edge import routes
from services.socket_edge.route import Route
from tests.integration.edge.client import Browser
from tests.integration.edge.stack import Stack, eventually
from tests.integration.edge.test_authorisation import BODIES, NEEDED, path_of
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRITES = [route for route in routes.ALL if route.changes]
MARK = "zq9"
HOSTILE = [
    f"{MARK}.b", f"{MARK}*", "*", f"{MARK}>", ">", f"{MARK} b", f"{MARK}\r\nPUB rpc.bots.stop 2\r\n{{}}\r\n",
    f"{MARK}\n", f"{MARK}\x00", "../" + MARK, "$" + MARK, MARK + "é", MARK * 100, "",
]  # fmt: skip
TEXT = ("affId", "externalId", "external_id", "ssid")
"""Called ids, but text that is handed on as text: other systems make them up."""
UNDECLARED = ("surprise", "owner_id", "ownerId", "user_id", "role", "status", "score", "id", "is_admin", "created_at")


def named(route: Route[Any, Any]) -> str:
    return f"{route.method} {route.path}"


class Wiretap:
    """Everything that is published on the bus, by whomever."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    async def hear(self, message: Msg) -> None:
        self.subjects.append(message.subject)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def wiretap(unlimited_stack: Stack) -> AsyncIterator[Wiretap]:
    tap, server = Wiretap(), unlimited_stack.nats
    connection = await nats.connect(server.url, user=ADMIN, password=server.passwords[ADMIN])
    await connection.subscribe(">", cb=tap.hear)
    await connection.flush()
    yield tap
    await connection.flush()
    await connection.close()
    assert tap.subjects
    assert [subject for subject in tap.subjects if MARK in subject] == []


@pytest.mark.parametrize("route", WRITES, ids=named)
async def test_a_write_with_a_field_that_is_not_declared_is_refused(
    unlimited_stack: Stack, super_admin: Person, route: Route[Any, Any]
) -> None:
    edge, backend = unlimited_stack.edge, unlimited_stack.backend
    backend.reset()
    declared = {field.encode_name for field in msgspec.structs.fields(route.body)}
    whole = NEEDED.get(route.path, {}) | BODIES.get(route.path, {})
    for name in set(UNDECLARED) - declared:
        path = path_of(route, super_admin.user)
        status, body, _ = await edge.ask(route.method, path, super_admin, json={name: "admin"} | whole)
        assert (status, body["code"], body["field"]) == (400, "INVALID_REQUEST", name)
    assert backend.asked == []


def ids(type_: type[msgspec.Struct]) -> Iterator[str]:
    """Names of fields that are ids, or numbers: all that could be taken for part of a subject."""
    for field in msgspec.structs.fields(type_):
        kinds = {type(kind) for kind in alternatives(msgspec.inspect.type_info(field.type))}
        if field.encode_name in TEXT:
            continue
        if kinds & {msgspec.inspect.UUIDType, msgspec.inspect.IntType} or re.search("[iI]d$", field.encode_name):
            yield field.encode_name


def alternatives(kind: Any) -> tuple[Any, ...]:
    return kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)


async def refused(stack: Stack, route: Route[Any, Any], person: Person, name: str, value: str, **sent: Any) -> None:
    path = sent.pop("path", path_of(route, person.user))
    if route.changes:
        sent.setdefault("json", NEEDED.get(route.path, {}) | BODIES.get(route.path, {}))
    status, body, _ = await stack.edge.ask(route.method, path, person, **sent)
    assert (status, body.get("field")) == (400, name) or (status, body["code"]) == (404, "NOT_FOUND"), (value, body)


@pytest.mark.parametrize("route", [route for route in routes.ALL if "{" in route.path], ids=named)
async def test_in_a_path(unlimited_stack: Stack, wiretap: Wiretap, super_admin: Person, route: Route[Any, Any]) -> None:
    unlimited_stack.backend.reset()
    names = re.findall(r"\{(\w+)\}", route.path)
    for value in HOSTILE:
        quoted = "".join(f"%{byte:02X}" for byte in value.encode())
        await refused_raw(unlimited_stack, route, super_admin, names, re.sub(r"\{\w+\}", quoted, route.path))
    assert unlimited_stack.backend.asked == []


async def refused_raw(stack: Stack, route: Route[Any, Any], person: Person, names: list[str], path: str) -> None:
    """`names`: one of them is told. As it is written: a client library would tidy it up."""
    edge = stack.edge
    sent: dict[str, Any] = {"json": NEEDED.get(route.path, {}) | BODIES.get(route.path, {})} if route.changes else {}
    headers = {"Authorization": f"Bearer {person.token}"}
    async with edge.http.request(route.method, URL(edge.url + path, encoded=True), headers=headers, **sent) as response:
        body = await response.json()
        told = response.status == 400 and body.get("field") in names
        assert told or response.status in (404, 405), (path, body)


@pytest.mark.parametrize(
    ("route", "name"),
    [(route, name) for route in routes.ALL for name in ids(route.query) if f"{{{name}}}" not in route.path],
    ids=lambda each: each if isinstance(each, str) else named(each),
)
async def test_in_a_query(
    unlimited_stack: Stack, wiretap: Wiretap, super_admin: Person, route: Route[Any, Any], name: str
) -> None:
    unlimited_stack.backend.reset()
    for value in HOSTILE:
        await refused(unlimited_stack, route, super_admin, name, value, params={name: value})
    assert unlimited_stack.backend.asked == []


@pytest.mark.parametrize(
    ("route", "name"),
    [(route, name) for route in WRITES for name in ids(route.body)],
    ids=lambda each: each if isinstance(each, str) else named(each),
)
async def test_in_a_body(
    unlimited_stack: Stack, wiretap: Wiretap, super_admin: Person, route: Route[Any, Any], name: str
) -> None:
    unlimited_stack.backend.reset()
    whole = NEEDED.get(route.path, {}) | BODIES.get(route.path, {})
    for value in HOSTILE:
        await refused(unlimited_stack, route, super_admin, name, value, json=whole | {name: value})
    assert unlimited_stack.backend.asked == []


async def test_text_is_never_part_of_a_subject(unlimited_stack: Stack, wiretap: Wiretap, super_admin: Person) -> None:
    """Of handles, assets, names, keys and headers, which may be anything."""
    edge, backend = unlimited_stack.edge, unlimited_stack.backend
    await backend.session(super_admin.user, SessionState.CONNECTED)
    await eventually(edge, "/api/bot/status", super_admin, lambda _, body: body["connected"])
    for value in HOSTILE:
        assert (await edge.post("/api/sync-pending-positions", super_admin, {"ssid": value}))[0] == 200
        assert (await edge.post("/api/user/validate-ssid", super_admin, {"ssid": value}))[0] in (400, 422)
        config = {"mode": "manual", "asset": value, "timeframe": 60}
        assert (await edge.post("/api/bot/start-runtime", super_admin, {"config": config}))[0] in (400, 404)
        for name in ("strategy", "timeZone"):
            assert (await edge.post("/api/bot/preview", super_admin, {"config": {name: value}}))[0] == 400
        status, _ = await edge.get("/api/candles", super_admin, params={"asset": value, "timeframe": "60"})
        assert status in (400, 404)
        for header in ("X-Request-Id", "Idempotency-Key", "Origin", "X-Forwarded-For"):
            clean = re.sub(r"[\r\n\x00]", "", value)
            status, _ = await edge.post("/api/bot/stop-runtime", super_admin, headers={header: clean})
            assert status in (200, 400, 409)


async def test_in_an_event(unlimited_stack: Stack, wiretap: Wiretap, super_admin: Person) -> None:
    browser = Browser()
    await browser.socket.connect(
        unlimited_stack.edge.url, auth={"token": super_admin.token, "lastSeq": HOSTILE[0]}, transports=["websocket"]
    )
    for event in ("subscribe-candles", "watch-candles", "unwatch-candles"):
        for value in HOSTILE:
            answer = await browser.socket.call(event, {"asset": value, "timeframe": 60}, timeout=10)
            assert (answer["ok"], answer["error"]) in ((False, "ASSET_NOT_FOUND"), (False, "INVALID_REQUEST")), value
            answer = await browser.socket.call(event, {"asset": "EURUSD-OTC", "timeframe": value}, timeout=10)
            assert answer == {"ok": False, "error": "INVALID_REQUEST"}
    await browser.socket.disconnect()


async def test_the_caller_is_who_the_token_names(unlimited_stack: Stack, wiretap: Wiretap, person: Person) -> None:
    """The subject that a gateway's session is asked on has the verified user in it, whatever else was sent."""
    edge, backend = unlimited_stack.edge, unlimited_stack.backend
    await backend.session(person.user, SessionState.CONNECTED)
    await eventually(edge, "/api/bot/status", person, lambda _, body: body["connected"])
    wiretap.subjects.clear()
    for named_user in (person.user, person.user.upper(), person.user.replace("-", ""), f"{{{person.user}}}"):
        await edge.post("/api/sync-pending-positions", person, {"userId": named_user, "ssid": "x"})
    asked = [subject.split(".") for subject in wiretap.subjects if subject.endswith(".settle")]
    assert asked
    for *_, user, _verb in asked:
        assert user == str(UUID(user)) == person.user
