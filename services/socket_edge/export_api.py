"""Exports as files: asked of analytics page by page while the client reads, one page in memory."""

from collections.abc import AsyncGenerator
from typing import Any

import stamina
from msgspec.structs import replace

from libs.bus import Bus
from libs.contracts import admin_rpc as rpc
from libs.contracts.exports import MOST_ROWS, PAGE_ROWS, AnalyticsExport, ExportedPage, ExportPage, TradesExport
from libs.contracts.rpc import ErrorCode, RpcError
from services.socket_edge import admin_routes as routes
from services.socket_edge.dispatch import Call, Handler
from services.socket_edge.download import Download
from services.socket_edge.rates import too_many
from services.socket_edge.route import Route

_AT_ONCE = 4
"""Files that one edge sends at once."""
_SOON = 5.0
"""Seconds after which it may be tried again."""


class ExportApi:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._sending = 0

    def handlers(self) -> dict[Route[Any, Any], Handler]:
        return {routes.EXPORT_ANALYTICS: self.analytics, routes.EXPORT_TRADES: self.trades}

    async def analytics(self, call: Call[AnalyticsExport, Any]) -> Download:
        name = f"analytics_{call.query.type}"
        return await self._csv(name, ExportPage(by=call.user, analytics=call.query), MOST_ROWS)

    async def trades(self, call: Call[TradesExport, Any]) -> Download:
        return await self._csv("trades", ExportPage(by=call.user, trades=call.query), call.query.max_records)

    async def _csv(self, name: str, request: ExportPage, most: int) -> Download:
        """The first page is read before anything is answered: what is wrong with the request is said as usual."""
        if self._sending >= _AT_ONCE:
            raise too_many(_SOON)
        request = replace(request, limit=min(most, PAGE_ROWS))
        first = await self._bus.call(rpc.EXPORT_PAGE, request)
        at = round(self._bus.clock.now().timestamp() * 1000)
        return Download(f"{name}_{at}.csv", "text/csv", self._pages(request, first, most))

    async def _pages(self, request: ExportPage, page: ExportedPage, most: int) -> AsyncGenerator[bytes]:
        """Of at most so many rows."""
        self._sending += 1
        try:
            yield page.text.encode()
            left = most - page.rows
            while page.next and left > 0:
                page = await self._next(replace(request, after=page.next, limit=min(left, PAGE_ROWS)))
                left -= page.rows
                yield page.text.encode()
        finally:
            self._sending -= 1

    async def _next(self, request: ExportPage) -> ExportedPage:
        async for attempt in stamina.retry_context(on=_may_come_back, attempts=6, timeout=30.0, wait_initial=0.2):
            with attempt:
                return await self._bus.call(rpc.EXPORT_PAGE, request)
        raise AssertionError("retry_context raises what the last attempt did")


def _may_come_back(error: Exception) -> bool:
    """Whoever downloads for minutes should not notice that analytics was started anew."""
    return isinstance(error, RpcError) and error.code in (ErrorCode.UNAVAILABLE, ErrorCode.TIMEOUT)
