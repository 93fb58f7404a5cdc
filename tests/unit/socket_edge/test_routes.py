"""What the table of routes promises, whatever routes are added to it."""

from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from services.socket_edge import requests, routes
from services.socket_edge.route import Access, Route

ROUTES = routes.ALL


def test_every_path_has_one_handler_per_method() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_no_path_is_swallowed_by_one_with_a_parameter(route: Route[Any, Any]) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response()

    app = web.Application()
    for each in ROUTES:
        app.router.add_route(each.method, each.path, handler)
    asked = make_mocked_request(route.method, route.path.replace("{", "").replace("}", ""))
    found = await app.router.resolve(asked)
    assert found.route.resource is not None
    assert found.route.resource.canonical == route.path


FOR_STRANGERS = {
    "/api/crm/public/forms/{id}", "/api/crm/public/forms/{id}/submissions", "/api/crm/public/confirmations/{token}",
}  # fmt: skip
"""Who fills in a form, and confirms it by a link."""


def test_little_is_public() -> None:
    assert {route.path for route in ROUTES if route.access is Access.PUBLIC} == {
        "/", "/health", "/healthz", "/readyz", "/api/assets", "/api/avalon/create-user", *FOR_STRANGERS,
    }  # fmt: skip


def test_what_is_about_everybody_needs_a_role() -> None:
    for route in ROUTES:
        if ("/crm/" in route.path and route.path not in FOR_STRANGERS) or "/admin/" in route.path:
            assert route.access.roles, route.path
            assert route.access is not Access.STAFF or not route.changes, route.path


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_read_has_no_body(route: Route[Any, Any]) -> None:
    if not route.changes:
        assert route.body is requests.Nothing


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_what_is_declared_can_be_documented(route: Route[Any, Any]) -> None:
    schemas, _ = msgspec.json.schema_components([route.query, route.body, *route.answers])
    assert len(schemas) == 2 + len(route.answers)
    assert route.summary


def test_whoever_acts_on_a_bot_may_name_the_user() -> None:
    for route in ROUTES:
        if route.path.startswith(("/api/bot/", "/api/user/")) and route.access is Access.USER:
            in_body = route.changes and "{userId}" not in route.path
            assert issubclass(route.body if in_body else route.query, requests.OfUser), route.path


def test_whoever_acts_on_all_bots_is_an_administrator() -> None:
    everybody = {"/api/bot/sessions", "/api/bot/sessions/stop-all", "/api/bot/sessions/cleanup", "/api/bot/stats"}
    assert {route.path for route in ROUTES if route.path in everybody and route.access is Access.ADMIN} == everybody
