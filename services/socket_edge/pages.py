"""The clients' built pages, served from the edge's own origin: one origin, no CORS, and requests that say who asks.

The clients send no token to this server (api-contract §2.1). A script that is put first into their page copies it from
where supabase-js keeps it to where their requests take it from: an entry of localStorage and a cookie (§13.5).
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

SCRIPT_PATH = "/pregao-session.js"
_SCRIPT = """\
(function () {
  'use strict';
  var COPY = 'sb-access-token';
  var SESSION = /^sb-.+-auth-token$/;
  var store = Storage.prototype.setItem;
  var remove = Storage.prototype.removeItem;
  var secure = location.protocol === 'https:' ? '; Secure' : '';

  function copy(text) {
    var session = null;
    try { session = JSON.parse(text); } catch (error) { /* not a session */ }
    if (!session || typeof session.access_token !== 'string') { return; }
    store.call(localStorage, COPY, session.access_token);
    document.cookie = COPY + '=' + session.access_token + '; path=/; SameSite=Strict; max-age=3600' + secure;
  }

  function forget() {
    remove.call(localStorage, COPY);
    document.cookie = COPY + '=; path=/; SameSite=Strict; max-age=0' + secure;
  }

  Storage.prototype.setItem = function (key, value) {
    store.call(this, key, value);
    if (this === localStorage && SESSION.test(key)) { copy(value); }
  };
  Storage.prototype.removeItem = function (key) {
    remove.call(this, key);
    if (this === localStorage && SESSION.test(key)) { forget(); }
  };
  Object.keys(localStorage).filter(function (key) { return SESSION.test(key); }).forEach(function (key) {
    copy(localStorage.getItem(key));
  });
})();
"""
_TAG = f'<script src="{SCRIPT_PATH}"></script>'
_OURS = ("/api/", "/socket.io/", "/docs/", "/api", "/docs", "/openapi.json")
_PRECAUTIONS = {
    "Content-Security-Policy": "frame-ancestors 'none'; object-src 'none'; base-uri 'self'",
    "X-Frame-Options": "DENY",
}
_FOR_EVER = "public, max-age=31536000, immutable"
"""Of files below `assets`, whose names change with what is in them."""


@dataclass(frozen=True, slots=True)
class Pages:
    client: Path
    """The directory of the traders' build."""
    admin: Path | None
    """And of the administrators', served below /admin."""

    def serve(self, app: web.Application) -> None:
        """After every other route: what is asked for and is none of theirs is a page."""
        app.router.add_get(SCRIPT_PATH, _script)
        app.router.add_get("/{path:.*}", self._page)

    @property
    def front(self) -> Middleware:
        """The page where browsers ask for it and programs get the edge's own description."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path == "/" and request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
                return await self._index(self.client)
            return await handler(request)

        return middleware

    async def _page(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path.startswith(_OURS) or path == "/sw.js":
            # A service worker would answer every navigation with the page it keeps, /admin included (§13.5).
            raise web.HTTPNotFound
        directories = [each for each in (self.client, self.admin) if each is not None]
        file = await asyncio.to_thread(_file, directories, path)
        if file is not None:
            kept = _FOR_EVER if path.startswith("/assets/") else "no-cache"
            return web.FileResponse(file, headers={"Cache-Control": kept, **_PRECAUTIONS})
        if Path(path).suffix and not path.endswith(".html"):
            raise web.HTTPNotFound
        is_admin = self.admin is not None and (path == "/admin" or path.startswith("/admin/"))
        return await self._index(self.admin if is_admin and self.admin is not None else self.client)

    async def _index(self, directory: Path) -> web.StreamResponse:
        html = await asyncio.to_thread((directory / "index.html").read_text, "utf-8")
        head, tag, rest = html.partition("<head>")
        return web.Response(
            text=f"{head}{tag}{_TAG}{rest}" if tag else f"{_TAG}{html}",
            content_type="text/html",
            headers={"Cache-Control": "no-cache", **_PRECAUTIONS},
        )


async def _script(_: web.Request) -> web.Response:
    return web.Response(text=_SCRIPT, content_type="text/javascript", headers={"Cache-Control": "no-cache"})


def _file(directories: list[Path], path: str) -> Path | None:
    """The file of that path in the first directory that has it; never one outside of them, nor a page."""
    for directory in directories:
        try:
            file = (directory / path.lstrip("/")).resolve()
            if file.is_relative_to(directory.resolve()) and file.is_file() and file.name != "index.html":
                return file
        except (OSError, ValueError):
            continue  # no file has such a name
    return None
