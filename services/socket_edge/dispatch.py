"""From a declared route and its handler to what aiohttp serves: who asks, may they, what do they say, answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from aiohttp import web
from msgspec import Struct

from libs.contracts.codec import Message
from libs.service.logging import user_id
from services.socket_edge import credentials, wire
from services.socket_edge.credentials import Origins
from services.socket_edge.errors import ApiError, forbidden
from services.socket_edge.identity import TokenVerifier
from services.socket_edge.reading import from_json, from_query
from services.socket_edge.requests import OfUser
from services.socket_edge.roles import Roles
from services.socket_edge.routes import Access, Body, Query, Route

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Call(Generic[Query, Body]):
    """A request that was found to be allowed and well-formed."""

    user: str
    """On whose behalf; empty on public routes."""
    query: Query
    body: Body


Handler = Callable[[Call[Any, Any]], Awaitable[Message | Sequence[Struct]]]


class Gate:
    """Lets a request through to its handler."""

    def __init__(self, verifier: TokenVerifier, roles: Roles, origins: Origins) -> None:
        self._verifier = verifier
        self._roles = roles
        self._origins = origins

    async def admit(self, request: web.Request, route: Route[Query, Body]) -> Call[Query, Body]:
        """Raises ApiError: 401 without a valid token, 403 for what is another's, 400 or 415 for what cannot be read."""
        caller = "" if route.access is Access.PUBLIC else await self._caller(request, route)
        query = from_query({**request.query, **request.match_info}, route.query)
        body = await _body(request, route.body)
        return Call(await self._on_behalf_of(caller, query, body), query, body)

    async def _caller(self, request: web.Request, route: Route[Query, Body]) -> str:
        credential = credentials.find(request.headers.get("Authorization"), request.cookies)
        identity = await self._verifier.verify(credential.token)
        if route.changes:
            self._origins.check_intent(credential, request.headers.get("Origin"), request.host)
        user_id.set(identity.user)
        if route.access is Access.ADMIN and not await self._roles.is_admin(identity.user):
            raise forbidden("Access denied. Admin role required.")
        return identity.user

    async def _on_behalf_of(self, caller: str, *parts: object) -> str:
        named = {str(part.user_id) for part in parts if isinstance(part, OfUser) and part.user_id is not None}
        others = named - {caller}
        if not others:
            return caller
        if len(named) > 1 or not await self._roles.is_admin(caller):
            raise forbidden("userId is somebody else's")
        return others.pop()


async def _body(request: web.Request, type_: type[Body]) -> Body:
    data = await request.read() if request.method != "GET" else b""
    if data and request.content_type != JSON:
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", f"The body must be {JSON}")
    return from_json(data, type_)


def serve(app: web.Application, gate: Gate, handlers: Mapping[Route[Any, Any], Handler]) -> None:
    """Adds every route with its handler."""
    for route, handler in handlers.items():
        app.router.add_route(route.method, route.path, _endpoint(gate, route, handler))


def _endpoint(
    gate: Gate, route: Route[Any, Any], handler: Handler
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def endpoint(request: web.Request) -> web.StreamResponse:
        answer = await handler(await gate.admit(request, route))
        return web.Response(body=wire.encode(answer), content_type=JSON)

    return endpoint
