"""Nobody has a role but by the table of administrators, and where it is asked for, with a second factor."""

from typing import Any

import jwt
import pytest
import pytest_asyncio
import socketio

from services.socket_edge import admin_routes, routes
from services.socket_edge.route import Role, Route
from tests.integration.edge.client import Browser, Edge
from tests.integration.edge.stack import Stack
from tests.integration.edge.test_authorisation import path_of
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLAIMED = {"role": "super_admin", "roles": list(Role), "is_admin": True, "is_super_admin": True}
GUARDED = [route for route in routes.ALL if route.access.roles]
EVERY = pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pretender(supabase_server: SupabaseServer) -> Person:
    """Has written every role into what users may write: it is in their token, as hosted Supabase signs it."""
    somebody = await supabase_server.sign_up()
    status, _ = await supabase_server.as_person(somebody, "PUT", "/auth/v1/user", {"data": CLAIMED})
    assert status == 200
    return with_claims(supabase_server, somebody, user_metadata=CLAIMED)


def with_claims(supabase: SupabaseServer, person: Person, **claims: object) -> Person:
    """With a token that says this, too."""
    said = jwt.decode(person.token, options={"verify_signature": False}) | claims
    return Person(person.user, person.email, jwt.encode(said, supabase.jwt_secret, "HS256"))


async def ask(edge: Edge, route: Route[Any, Any], person: Person) -> tuple[int, str]:
    sent: dict[str, Any] = {"json": {}} if route.changes else {}
    status, body, _ = await edge.ask(route.method, path_of(route, person.user), person, **sent)
    return status, body.get("code", "")


@EVERY
async def test_what_users_say_of_themselves_gives_no_role(
    edge: Edge, pretender: Person, route: Route[Any, Any]
) -> None:
    assert await ask(edge, route, pretender) == (403, "FORBIDDEN")


async def test_nor_for_others_nor_in_the_namespace_of_administrators(
    edge: Edge, pretender: Person, somebody_else: Person
) -> None:
    status, body = await edge.get(f"/api/bot/status?userId={somebody_else.user}", pretender)
    assert (status, body["code"]) == (403, "FORBIDDEN")
    assert await refusal(edge, pretender) == "forbidden"


async def refusal(edge: Edge, person: Person) -> str:
    """By the namespace of administrators; empty if they are let in."""
    browser = Browser()
    refused: list[Any] = []
    browser.socket.on("connect_error", refused.append, namespace="/admin")
    try:
        await browser.socket.connect(
            edge.url, auth={"token": person.token}, transports=["websocket"], namespaces=["/admin"]
        )
    except socketio.exceptions.ConnectionError:
        return str(refused[0]["message"])
    await browser.socket.disconnect()
    return ""


@pytest.mark.parametrize("own_stack", [{"variables": {"PREGAO_EDGE_ADMIN_SECOND_FACTOR": "true"}}], indirect=True)
async def test_where_it_is_asked_for_no_role_counts_without_a_second_factor(
    own_stack: Stack, supabase_server: SupabaseServer, somebody_else: Person
) -> None:
    edge, boss = own_stack.edge, await supabase_server.sign_up("91234567")
    await supabase_server.appoint(boss, "super_admin")
    for level, refused in (("aal1", True), ("aal2", False)):
        person = with_claims(supabase_server, boss, aal=level)
        for route in GUARDED if refused else (routes.SESSIONS, routes.PLATFORM, admin_routes.SSIDS):
            status, code = await ask(edge, route, person)
            assert (status, code) == ((403, "FORBIDDEN") if refused else (200, "")), route.path
        status, _ = await edge.get(f"/api/bot/status?userId={somebody_else.user}", person)
        assert status == (403 if refused else 200)
        assert await refusal(edge, person) == ("forbidden" if refused else "")
        assert (await edge.get("/api/bot/status", person))[0] == 200, "a user they are all the same"
