"""Between an edge and its database: what is asked there, and answers that no database of ours gives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from tests.integration.supabase_server import SupabaseServer
from tests.ports import free_port


class Between:
    """A proxy between an edge and its database, which notes what is asked with the service's key."""

    def __init__(self, supabase: SupabaseServer, http: aiohttp.ClientSession) -> None:
        self._supabase = supabase
        self._http = http
        self.asked: set[tuple[str, str]] = set()
        """Path, and whose rows."""
        self.answers: dict[str, str] = {}
        """By path, what is answered instead."""

    async def hand_on(self, request: web.Request) -> web.Response:
        if request.headers.get("apikey") == self._supabase.secret_key:
            self.asked.add((request.path.removeprefix("/rest/v1/"), request.query.get("user_id", "")))
        instead = self.answers.get(request.path.removeprefix("/rest/v1/"))
        if instead is not None:
            return web.Response(text=instead, content_type="application/json")
        sent = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        url, data = self._supabase.url + request.path_qs, await request.read()
        async with self._http.request(request.method, url, headers=sent, data=data) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() in ("content-type",)}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


@asynccontextmanager
async def between(supabase: SupabaseServer) -> AsyncIterator[tuple[Between, str]]:
    async with aiohttp.ClientSession() as http:
        proxy, port = Between(supabase, http), free_port()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", proxy.hand_on)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield proxy, f"http://127.0.0.1:{port}"
        await runner.cleanup()
