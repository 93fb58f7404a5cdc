"""The documents of the interface: `/openapi.json` for machines, and a page to read and try it at `/docs`."""

from collections.abc import Iterable
from importlib import resources
from typing import Any

from aiohttp import web

from services.socket_edge import wire
from services.socket_edge.openapi import document
from services.socket_edge.plain import Plain
from services.socket_edge.route import Route
from services.socket_edge.wire import JSON

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Pregão</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = "SwaggerUIBundle({url: '/openapi.json', dom_id: '#page', deepLinking: true, docExpansion: 'list'})"
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
_TYPES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


def serve_documents(
    app: web.Application, routes: Iterable[Route[Any, Any]], plain: Iterable[Plain], version: str
) -> None:
    made = wire.encode(document(routes, version, plain))
    static = resources.files("swagger_ui") / "static"
    files = {name: (static / name).read_bytes() for name in _TYPES} | {"start.js": _START.encode()}

    async def openapi(_: web.Request) -> web.Response:
        return _compressed(made, JSON)

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html", headers={"Content-Security-Policy": _POLICY})

    async def file(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in files:
            raise web.HTTPNotFound
        response = _compressed(files[name], _TYPES.get(name, "text/javascript"))
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response

    app.router.add_get("/openapi.json", openapi)
    app.router.add_get("/docs", page)
    app.router.add_get("/docs/{name}", file)


def _compressed(body: bytes, type_: str) -> web.Response:
    response = web.Response(body=body, content_type=type_, charset=None if type_ == JSON else "utf-8")
    response.enable_compression()
    wire.vary(response, "Accept-Encoding")
    return response
