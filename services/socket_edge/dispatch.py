"""From a declared route and its handler to what aiohttp serves: who asks, may they, what do they say, answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic

from aiohttp import ETag, web
from msgspec import Struct

from libs.bus import BusError, request_id
from libs.contracts.codec import Message
from libs.contracts.rpc import RpcError
from libs.service.logging import user_id
from libs.store import StoreUnavailable
from services.socket_edge import credentials, middleware, wire
from services.socket_edge.credentials import Origins
from services.socket_edge.download import Download
from services.socket_edge.errors import ApiError, forbidden, not_connected, of_rpc
from services.socket_edge.html_page import Page
from services.socket_edge.identity import Identity, TokenVerifier
from services.socket_edge.limits import Limits
from services.socket_edge.once import HEADER as IDEMPOTENCY_KEY
from services.socket_edge.once import Answer, NotDone, Once
from services.socket_edge.reading import from_json, from_query
from services.socket_edge.repeats import AGAIN, Again
from services.socket_edge.requests import OfUser
from services.socket_edge.roles import Roles
from services.socket_edge.route import Access, Body, Query, Route
from services.socket_edge.standing import Standing
from services.socket_edge.state import Facts, State
from services.socket_edge.wire import JSON, vary

_TIME_TO_SEND = 15.0
"""Seconds in which a body must have come."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Query, Body]):
    """A request that was found to be allowed and well-formed."""

    user: str
    """On whose behalf; empty on public routes."""
    query: Query
    body: Body
    address: str = ""
    """The client's, as are, on public routes,…"""
    origin: str = ""
    """…what its browser says it is on the page of, if anything,…"""
    agent: str = ""
    """…and what it calls itself."""


Admitted = Callable[[], bool]
Said = Message | Sequence[Struct]
Handler = Callable[[Call[Any, Any]], Awaitable[Said | Download | Page] | Said]
"""Only what changes nothing may answer a file: others are answered from a record when they are asked again, but for
pages, which are answered anew. A handler
that answers from memory is no coroutine; what it was asked may be answered again without being read (`repeats`)."""


class OfFacts(Generic[Query]):
    """A handler that answers from the facts of its user alone: the same, until one of them changes."""

    def __init__(self, state: State, answer: Callable[[Facts, Call[Query, Any]], Message]) -> None:
        self._state = state
        self._answer = answer

    def __call__(self, call: Call[Query, Any]) -> Message:
        return self._answer(self._state.of(call.user), call)

    def again(self, call: Call[Query, Any]) -> Callable[[], bytes]:
        """What answers that call once more."""
        state, known, said = self._state, None, b""

        def answer() -> bytes:
            nonlocal known, said
            facts = state.of(call.user)
            if facts is not known:
                said, known = wire.encode(self._answer(facts, call)), facts
            return said

        return answer


class Gate:
    """Lets a request through to its handler."""

    def __init__(
        self,
        verifier: TokenVerifier,
        standing: Standing,
        roles: Roles,
        origins: Origins,
        limits: Limits,
        only_user: Callable[[], str | None] | None,
    ) -> None:
        """`only_user()`: the one with a session to the broker. With it, a request without a token comes from whom it
        names, or else from that one (api-contract §2.2, `legacy`)."""
        self._verifier = verifier
        self._standing = standing
        self._roles = roles
        self._origins = origins
        self._limits = limits
        self._only_user = only_user

    async def admit(self, request: web.Request, route: Route[Query, Body]) -> Call[Query, Body]:
        """Raises ApiError: 429 for too many, 401 without a valid token, 403 for what is another's, 400 or 415 for what
        cannot be read."""
        address = self._limits.address(request)
        if route.access is Access.PUBLIC:
            await self._limits.of_stranger(route.rate, address)
            return Call(
                "", _query(request, route), await _body(request, route.body), address,
                request.headers.get("Origin", ""), request.headers.get("User-Agent", ""),
            )  # fmt: skip
        await self._limits.of_address(route.rate, address)
        caller = await self._caller(request, route)
        if caller is not None:
            await self._limits.of_user(route.rate, caller.user)
        query, body = _query(request, route), await _body(request, route.body)
        return Call(await self._on_behalf_of(caller, query, body, _in_query(request, route)), query, body, address)

    def again(self, request: web.Request, route: Route[Query, Body], call: Call[Query, Body]) -> Admitted | None:
        """Of a request that was admitted, whether it would be once more. None where that takes more than a look: of
        strangers, of administrators, and of who asks about others."""
        try:
            token = credentials.find(request.headers.get("Authorization"), request.cookies).token
        except ApiError:
            return None
        identity = self._verifier.known(token)
        if route.access is not Access.USER or identity is None or identity.user != call.user:
            return None
        verifier, standing = self._verifier, self._standing
        spend = self._limits.at_hand(route.rate, call.user, call.address)

        def admitted() -> bool:
            return verifier.known(token) is identity and standing.still(identity) and spend()

        return admitted

    async def _caller(self, request: web.Request, route: Route[Query, Body]) -> Identity | None:
        """None for a request without a token that is let through all the same."""
        try:
            credential = credentials.find(request.headers.get("Authorization"), request.cookies)
        except ApiError:
            if self._only_user is None or route.access is not Access.USER:
                raise
            if route.changes:
                self._origins.check_page(request.headers.get("Origin"), request.host)
            return None
        identity = await self._verifier.verify(credential.token)
        await self._standing.admit(identity)
        if route.changes:
            self._origins.check_intent(credential, request.headers.get("Origin"), request.host)
        user_id.set(identity.user)
        if route.access.roles and not await self._roles.may(identity, route.access):
            raise forbidden("Access denied. Admin role required.")
        return identity

    async def _on_behalf_of(self, caller: Identity | None, *parts: object) -> str:
        named = {str(part.user_id) for part in parts if isinstance(part, OfUser) and part.user_id is not None}
        if caller is None:
            return self._believed(named)
        others = named - {caller.user}
        if not others:
            return caller.user
        if len(named) > 1 or not await self._roles.may(caller, Access.ADMIN):
            raise forbidden("userId is somebody else's")
        return others.pop()

    def _believed(self, named: set[str]) -> str:
        user = named.pop() if len(named) == 1 else self._only_user() if self._only_user is not None else None
        if user is None:
            raise not_connected()
        self._standing.check_user(user)
        return user


def _query(request: web.Request, route: Route[Query, Body]) -> Query:
    given = {route.aliases.get(name, name): value for name, value in request.query.items()}
    return from_query({**given, **request.match_info}, route.query)


def _in_query(request: web.Request, route: Route[Any, Any]) -> OfUser | None:
    """Whom the query names, also where that belongs into the body or the path: it must not be done for somebody else
    than somebody meant."""
    of_user = issubclass(route.query, OfUser) or issubclass(route.body, OfUser)
    return from_query(request.query, OfUser) if of_user else None


async def _body(request: web.Request, type_: type[Body]) -> Body:
    data = await _received(request) if request.method != "GET" else b""
    if data and request.content_type != JSON:
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", f"The body must be {JSON}")
    return from_json(data, type_)


async def _received(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_TIME_TO_SEND):
            return await request.read()
    except TimeoutError:
        raise ApiError(408, "REQUEST_TIMEOUT", "The body did not come in time") from None


def serve(app: web.Application, gate: Gate, once: Once, handlers: Mapping[Route[Any, Any], Handler]) -> None:
    """Adds every route with its handler."""
    for route, handler in handlers.items():
        app.router.add_route(route.method, route.path, _endpoint(gate, once, route, handler))


def _endpoint(
    gate: Gate, once: Once, route: Route[Any, Any], handler: Handler
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def endpoint(request: web.Request) -> web.StreamResponse:
        call = await gate.admit(request, route)
        key = request.headers.get(IDEMPOTENCY_KEY) if route.changes and not route.files else None
        if key is None:
            answering = handler(call)
            answered = await answering if isinstance(answering, Awaitable) else answering
            if answered is answering and (admitted := gate.again(request, route, call)) is not None:
                again = handler.again(call) if isinstance(handler, OfFacts) else lambda: wire.encode(handler(call))
                request[AGAIN] = Again(admitted, again, middleware.measure(request, 200))
            if isinstance(answered, Download | Page):
                return answered.response()
            return _response(request, route, 200, wire.encode(answered))

        async def act() -> Answer:
            try:
                answering = handler(call)
                answered = await answering if isinstance(answering, Awaitable) else answering
                return Answer(status=200, body=wire.encode(answered).decode())
            except (BusError, StoreUnavailable) as error:
                raise NotDone(error) from error  # what it needs to know first could not be read
            except (ApiError, RpcError) as error:
                refusal = error if isinstance(error, ApiError) else of_rpc(error)
                if refusal.status == 503:
                    raise NotDone(error) from error  # nobody was there to do it
                return Answer(status=refusal.status, body=wire.encode(refusal.body(request_id.get())).decode())

        asked = b"\n".join((request.method.encode(), request.path_qs.encode(), await request.read()))
        answer = await once.answer(call.user or call.address, key, asked, act)
        return _response(request, route, answer.status, answer.body.encode())

    return endpoint


def _response(request: web.Request, route: Route[Any, Any], status: int, body: bytes) -> web.Response:
    if not route.etag:
        response = web.Response(status=status, body=body, content_type=JSON)
    else:
        tag = blake2b(body, digest_size=12).hexdigest()
        if any(each.value in (tag, "*") for each in request.if_none_match or ()):
            response = web.Response(status=304)
        else:
            response = web.Response(status=status, body=body, content_type=JSON)
        response.etag = ETag(tag, is_weak=True)
        response.headers["Cache-Control"] = "private, no-cache"
    if response.status == 200 and len(body) >= wire.WORTH_COMPRESSING:
        response.enable_compression()
        vary(response, "Accept-Encoding")
    return response
