"""Around every request, outermost first: its id, the origin rules, then errors as JSON and its measure."""

import re

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import Histogram

from libs.bus import BusError, request_id, tracing
from libs.contracts.ids import new_id
from libs.contracts.rpc import RpcError
from libs.service.logging import user_id
from libs.store import StoreUnavailable
from services.socket_edge import wire
from services.socket_edge.credentials import Origins
from services.socket_edge.errors import ApiError, internal, invalid, of_rpc, unavailable
from services.socket_edge.wire import JSON, vary

log = structlog.get_logger()

SOCKETS = "/socket.io/"
FOR_ALL_PAGES = "/api/crm/public/"
"""Asked from pages of others, which each form lists: it is answered without regard to who asks."""
REQUEST_ID = "X-Request-Id"
_ORIGIN = "Access-Control-Allow-Origin"
_USABLE_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key, if-none-match, x-request-id",
    "Access-Control-Max-Age": "600",
}
PRECAUTIONS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Server": "pregao",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer that says nothing else (OWASP secure headers)."""
_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE"}

_duration = Histogram("pregao_edge_request_seconds", "Time to answer a request", ["route", "status"])


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The client's id, or a new one, is returned, logged and passed on to whom we ask."""
    given = request.headers.get(REQUEST_ID, "")
    request_id.set(given if _USABLE_ID.fullmatch(given) else new_id())
    user_id.set("")
    if request.path.startswith(SOCKETS):
        response = await handler(request)  # goes on for as long as the browser is there: each of its events is traced
    else:
        with tracing.begin(f"{request.method} {_route(request)}"):
            response = await handler(request)
    if not response.prepared:
        response.headers[REQUEST_ID] = request_id.get()
        for name, value in PRECAUTIONS.items():
            response.headers.setdefault(name, value)
        if request.headers.get("X-Forwarded-Proto") == "https":
            # Whoever pretends tells only their own browser, which believes it over TLS alone.
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


@web.middleware
async def answer_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong, the client gets the error body of the contract, and only the log has the details."""
    if request.path.startswith(SOCKETS):
        return await handler(request)
    with _duration.time() as timer:
        try:
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 - the last place that can answer
            response = _error(request, _answer_to(error), error)
        timer.labels(_route(request), response.status)
    return response


def measure(request: web.Request, status: int) -> Histogram:
    """Of requests to the same route that are answered with this status."""
    return _duration.labels(_route(request), status)


def cross_origin(origins: Origins) -> Middleware:
    """CORS by an allow-list (api-contract §2.6): a browser keeps from a page what carries no header for its origin.
    The Socket.IO server does the same for its own path."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin", "")
        for_all = bool(origin) and request.path.startswith(FOR_ALL_PAGES)
        if request.path.startswith(SOCKETS) or not (for_all or origins.allow(origin, request.host)):
            return await handler(request)
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = web.Response(status=204, headers=_PREFLIGHT) if preflight else await handler(request)
        response.headers.update({_ORIGIN: origin} if for_all else _allowing(origin))
        vary(response, "Origin")
        return response

    return middleware


def _allowing(origin: str) -> dict[str, str]:
    return {
        _ORIGIN: origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": f"{REQUEST_ID}, Content-Disposition, ETag, Retry-After",
    }


def _of_http(error: web.HTTPException) -> ApiError:
    """What aiohttp itself refuses: no such route, wrong method, body too large."""
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return ApiError(error.status, _CODES.get(error.status, "HTTP_ERROR"), error.reason, headers=headers)


def _answer_to(error: Exception) -> ApiError:
    match error:
        case ApiError():
            return error
        case RpcError():
            return of_rpc(error)
        case BusError() | StoreUnavailable():
            return unavailable()
        case web.HTTPException():
            return _of_http(error)
        case web.RequestPayloadError() | ConnectionError():
            return invalid("The body could not be read")
        case _:
            return internal()


def _error(request: web.Request, answer: ApiError, cause: Exception) -> web.Response:
    if answer.status == 500:
        log.error("request_failed", method=request.method, path=request.path, exc_info=cause)
    elif answer.status > 500:
        log.warning("request_not_served", method=request.method, path=request.path, reason=str(cause))
    body = wire.encode(answer.body(request_id.get()))
    return web.Response(status=answer.status, body=body, content_type=JSON, headers=answer.headers)


def _route(request: web.Request) -> str:
    """The declared path; unknown ones share a name, or a scan would fill the memory with metrics."""
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical
