"""The documents of Socket.IO: `/asyncapi.json` for machines, and `/docs/sockets` to read."""

from aiohttp import web

from services.socket_edge import asyncapi, wire
from services.socket_edge.wire import JSON

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def serve_socket_documents(app: web.Application, version: str) -> None:
    document = asyncapi.document(version)
    made, read = wire.encode(document), asyncapi.page(document)

    async def machines(_: web.Request) -> web.Response:
        response = web.Response(body=made, content_type=JSON)
        response.enable_compression()
        wire.vary(response, "Accept-Encoding")
        return response

    async def people(_: web.Request) -> web.Response:
        return web.Response(text=read, content_type="text/html", headers={"Content-Security-Policy": _POLICY})

    app.router.add_get("/asyncapi.json", machines)
    app.router.add_get("/docs/sockets", people)
