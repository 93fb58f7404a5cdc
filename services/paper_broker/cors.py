"""What browsers want to hear before a page of another origin may call. Nothing goes by cookies, so any page may."""

from aiohttp import web

from services.paper_broker.http_api import Answer

_PATHS = ("/v2/", "/auth/", "/api/")
"""What clients in browsers call; the session API, sign-up and control API are for servers."""
_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
    "Access-Control-Max-Age": "86400",
}


@web.middleware
async def cors(request: web.Request, handler: Answer) -> web.StreamResponse:
    if not request.path.startswith(_PATHS):
        return await handler(request)
    response = web.Response(status=204) if request.method == "OPTIONS" else await handler(request)
    response.headers.update(_HEADERS)
    return response
