"""Who may ask what: every kind of caller at every route."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
import socketio

from libs.bus.topology import PLATFORM
from libs.contracts import keys
from libs.contracts.ids import new_id
from libs.contracts.platform import BarredUser
from services.socket_edge import admin_routes, routes
from services.socket_edge.crm import exports as crm_exports
from services.socket_edge.crm import forms as crm_forms
from services.socket_edge.crm import routes as crm_routes
from services.socket_edge.crm.stats import STATS as CRM_STATS
from services.socket_edge.emissions import ADMIN, NAMESPACES, REQUEST_METRICS, REQUESTS
from services.socket_edge.requests import OfUser
from services.socket_edge.route import Access, Role, Route
from tests.integration.edge import crm_requests
from tests.integration.edge.client import Browser
from tests.integration.edge.stack import UNLIMITED, Stack, eventually, running
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROLES = [None, *Role]


@dataclass(frozen=True, slots=True)
class Callers:
    stack: Stack
    user: Person
    with_role: dict[Role | None, Person]
    """By role; of None, another user."""
    suspended: Person
    expired: Person


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def callers(supabase_server: SupabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callers]:
    user, suspended, late = [await supabase_server.sign_up() for _ in range(3)]
    with_role = {role: await supabase_server.sign_up() for role in ROLES}
    for role, person in with_role.items():
        if role is not None:
            await supabase_server.appoint(person, role)
    claims = jwt.decode(late.token, options={"verify_signature": False})
    claims["exp"] = int((datetime.now(UTC) - timedelta(hours=1)).timestamp())
    expired = Person(late.user, late.email, jwt.encode(claims, supabase_server.jwt_secret, "HS256"))
    directory: Path = tmp_path_factory.mktemp("authorisation")
    async with running(directory, supabase_server, variables=UNLIMITED) as stack:
        barred = BarredUser(user=suspended.user, at=datetime.now(UTC))
        await stack.backend.analytics.bucket(PLATFORM).put(keys.barred(suspended.user), barred)
        await eventually(stack.edge, "/api/bot/status", suspended, lambda status, _: status == 403)
        yield Callers(stack, user, with_role, suspended, expired)


NEEDED: dict[str, dict[str, object]] = {
    "/api/user/validate-ssid": {"ssid": "a-handle"},
    "/api/bot/account-type": {"accountType": "demo"},
    "/api/bot/reconfigure": {"config": {}},
}
"""What a body cannot be without."""


BODIES: dict[str, dict[str, object]] = {
    "/api/admin/users/{id}/suspend": {"reason": "fraud"},
    "/api/admin/users/{id}/role": {"role": "analyst"},
}
"""What a request is valid with that a service is handed; of the CRM, crm_requests.py has them."""


def path_of(route: Route, user: str) -> str:  # type: ignore[type-arg]
    """With something in its braces."""
    whole = route.path.replace("{activeId}", "76").replace("{userId}", "42" if "/ssid/" in route.path else user)
    if "/crm/" in whole:
        for name, value in crm_requests.PATHS.items():
            whole = whole.replace(name, value)
    number = any(part in whole for part in ("/trades/", "/alerts/"))
    return re.sub(r"\{\w+\}", "7" if number else new_id(), whole)


async def answer(callers: Callers, route: Route, person: Person | None, user: str = "") -> tuple[int, str]:  # type: ignore[type-arg]
    """Status and code; `user`: on whose behalf."""
    path = path_of(route, user or (person.user if person is not None else new_id()))
    sent = NEEDED.get(route.path, {}) | ({"userId": user} if user and "{userId}" not in route.path else {})
    if route.changes:
        status, body, _ = await callers.stack.edge.ask(route.method, path, person, json=sent)
    else:
        status, body, _ = await callers.stack.edge.ask(route.method, path, person, params=sent)
    assert status != 500, body
    return status, body.get("code", "") if isinstance(body, dict) else ""


EVERY = pytest.mark.parametrize("route", routes.ALL, ids=lambda route: f"{route.method} {route.path}")


@EVERY
async def test_every_kind_of_caller(callers: Callers, route: Route) -> None:  # type: ignore[type-arg]
    if route.access is Access.PUBLIC:
        for person in (None, callers.user, callers.expired, callers.suspended):
            assert (await answer(callers, route, person))[0] not in (401, 403)
        return
    assert await answer(callers, route, None) == (401, "UNAUTHORIZED")
    assert await answer(callers, route, callers.expired) == (401, "UNAUTHORIZED")
    assert await answer(callers, route, callers.suspended) == (403, "SUSPENDED")
    for role, person in callers.with_role.items():
        status, code = await answer(callers, route, person)
        if route.access is Access.USER or role in route.access.roles:
            assert status not in (401, 403), (role, status, code)
        else:
            assert (status, code) == (403, "FORBIDDEN"), role


OF_A_USER = [route for route in routes.ALL if issubclass(route.body, OfUser) or issubclass(route.query, OfUser)]


EVERY_OF_A_USER = pytest.mark.parametrize("route", OF_A_USER, ids=lambda route: f"{route.method} {route.path}")


@EVERY_OF_A_USER
async def test_whoever_is_named_anywhere_counts(callers: Callers, route: Route) -> None:  # type: ignore[type-arg]
    """Or an administrator who wrote the user into the query would stop their own bot, say."""
    boss, mine = callers.with_role[Role.ADMIN], callers.with_role[None]
    assert mine is not None

    async def ask(person: Person, user: str, query: str, **body: str) -> tuple[int, Any]:
        sent: dict[str, Any] = {"json": NEEDED.get(route.path, {}) | body} if route.changes else {}
        path = f"{path_of(route, user)}?userId={query}"
        status, answer, _ = await callers.stack.edge.ask(route.method, path, person, **sent)
        return status, answer.get("field", answer.get("code"))

    other = callers.user.user
    assert await ask(mine, mine.user, other) == (403, "FORBIDDEN")
    assert await ask(boss, other, "x") == (400, "userId")
    if "{userId}" in route.path:
        assert await ask(boss, mine.user, other) == (403, "FORBIDDEN"), "two are nobody"
    elif route.changes:
        assert await ask(boss, "", other, userId=mine.user) == (403, "FORBIDDEN"), "two are nobody"


@EVERY_OF_A_USER
async def test_only_administrators_act_for_others(callers: Callers, route: Route) -> None:  # type: ignore[type-arg]
    for role, person in callers.with_role.items():
        status, code = await answer(callers, route, person, callers.user.user)
        if role in Access.ADMIN.roles:
            assert status not in (401, 403), (role, status, code)
        else:
            assert (status, code) == (403, "FORBIDDEN"), role


HERE = (
    CRM_STATS, crm_exports.EXPORT, crm_exports.FILE, crm_exports.PERSONAL, crm_exports.PERSONAL_FILE,
    crm_forms.ASK, admin_routes.EXPORT_FILE, admin_routes.HEALTH,
)  # fmt: skip
HANDED_ON = [
    route for route in (*admin_routes.ALL, *crm_routes.ALL) if "/ssid/" not in route.path and route not in HERE
]
"""To services that do not run here. Health is told all the same."""


@pytest.mark.parametrize("route", HANDED_ON, ids=lambda route: f"{route.method} {route.path}")
async def test_without_the_service_that_answers_it_is_said_so(callers: Callers, route: Route) -> None:  # type: ignore[type-arg]
    boss = callers.with_role[Role.SUPER_ADMIN]
    body_of = crm_requests.BODIES.get(f"{route.method} {route.path}", BODIES.get(route.path, {}))
    sent: dict[str, Any] = {"json": body_of} if route.changes else {}
    status, body, headers = await callers.stack.edge.ask(route.method, path_of(route, new_id()), boss, **sent)
    assert (status, body["code"]) == (503, "UNAVAILABLE"), body
    assert body["success"] is False
    assert body["error"] == body["message"]
    assert body["requestId"]
    assert int(headers["retry-after"]) > 0


async def enter(callers: Callers, person: Person | None, namespace: str) -> str:
    """How a socket of theirs is refused; empty if it is let in, and then everything that may be asked is answered."""
    browser = Browser()
    refused: list[dict[str, str]] = []
    browser.socket.on("connect_error", refused.append, namespace=namespace)
    auth = {"token": person.token if person else ""}
    try:
        await browser.socket.connect(
            callers.stack.edge.url, auth=auth, transports=["websocket"], namespaces=[namespace]
        )
    except socketio.exceptions.ConnectionError:
        return refused[0]["message"]
    for request in (each for each in REQUESTS if each.namespace == namespace):
        feed = {"asset": "EURUSD-OTC", "timeframe": 60}
        known = request is not REQUEST_METRICS  # to a service that does not run here
        told = {"ok": True} if known else {"ok": False, "error": "UNAVAILABLE"}
        assert await browser.socket.call(request.name, feed, namespace=namespace, timeout=10) == told
    await browser.socket.disconnect()
    return ""


@pytest.mark.parametrize("namespace", NAMESPACES)
async def test_every_kind_of_caller_at_every_namespace(callers: Callers, namespace: str) -> None:
    assert await enter(callers, None, namespace) == "unauthorized"
    assert await enter(callers, callers.expired, namespace) == "unauthorized"
    assert await enter(callers, callers.suspended, namespace) == "suspended"
    for role, person in callers.with_role.items():
        allowed = namespace != ADMIN or role in Access.ADMIN.roles
        assert await enter(callers, person, namespace) == ("" if allowed else "forbidden"), role
