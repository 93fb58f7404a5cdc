"""Exports as files: made while the client reads, or in the background and read when they are done. One page, or one
piece of a file, is in memory."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar

import stamina
from msgspec import Struct

from libs.bus import Bus
from libs.contracts import admin_rpc as rpc
from libs.contracts.exports import (
    PAGE_ROWS,
    AnalyticsExport,
    ExportedPage,
    ExportFormat,
    ExportJob,
    ExportPage,
    ExportState,
    OfExport,
    OfPiece,
    StartExport,
    TradesExport,
    Wanted,
)
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from services.socket_edge import admin_routes as routes
from services.socket_edge import export_answers as edge
from services.socket_edge.admin_answers import Data
from services.socket_edge.dispatch import Call, Handler
from services.socket_edge.download import Download
from services.socket_edge.errors import ApiError
from services.socket_edge.export_links import ExportLinks
from services.socket_edge.rates import too_many
from services.socket_edge.route import Route

R = TypeVar("R", bound=Struct)

_AT_ONCE = 4
"""Files that one edge sends at once."""
_SOON = 5.0
"""Seconds after which it may be tried again."""
_LOOK = 0.25
_PATIENCE = 75.0
"""Seconds that somebody waits for a PDF file."""


class ExportApi:
    def __init__(self, bus: Bus, links: ExportLinks) -> None:
        self._bus = bus
        self._links = links
        self._sending = 0

    def handlers(self) -> dict[Route[Any, Any], Handler]:
        return {
            routes.EXPORT_ANALYTICS: self.analytics,
            routes.EXPORT_TRADES: self.trades,
            routes.START_ANALYTICS_EXPORT: self.start_analytics,
            routes.START_TRADES_EXPORT: self.start_trades,
            routes.EXPORT: self.status,
            routes.EXPORT_FILE: self.file,
        }

    async def analytics(self, call: Call[AnalyticsExport, Any]) -> Download:
        return await self._made(StartExport(by=call.user, analytics=call.query))

    async def trades(self, call: Call[TradesExport, Any]) -> Download:
        return await self._made(StartExport(by=call.user, trades=call.query))

    async def start_analytics(self, call: Call[AnalyticsExport, Any]) -> Data[edge.ExportStatus]:
        return self._told(await self._bus.call(rpc.START_EXPORT, StartExport(by=call.user, analytics=call.query)))

    async def start_trades(self, call: Call[TradesExport, Any]) -> Data[edge.ExportStatus]:
        return self._told(await self._bus.call(rpc.START_EXPORT, StartExport(by=call.user, trades=call.query)))

    async def status(self, call: Call[edge.OfExport, Any]) -> Data[edge.ExportStatus]:
        return self._told(await self._bus.call(rpc.EXPORT_JOB, OfExport(by=call.user, id=call.query.id)))

    async def file(self, call: Call[edge.ExportFile, Any]) -> Download:
        link = call.query
        self._links.check(link.id, call.user, link.expires, link.signature)
        job = await self._bus.call(rpc.EXPORT_JOB, OfExport(by=call.user, id=link.id))
        return self._download(job.file_name, job.asked.format, self._pieces(job))

    async def _made(self, wanted: StartExport) -> Download:
        """What is wrong with the request is said before anything of the file is."""
        if wanted.asked.format is ExportFormat.PDF:
            job = await self._finished(await self._bus.call(rpc.START_EXPORT, wanted))
            return self._download(job.file_name, ExportFormat.PDF, self._pieces(job))
        first = await self._bus.call(rpc.EXPORT_PAGE, _page_of(wanted, "", wanted.most))
        at = round(self._bus.clock.now().timestamp() * 1000)
        return self._download(f"{wanted.name}_{at}.csv", ExportFormat.CSV, self._pages(wanted, first))

    async def _finished(self, job: ExportJob) -> ExportJob:
        try:
            async with asyncio.timeout(_PATIENCE):
                while job.state is ExportState.RUNNING:
                    await asyncio.sleep(_LOOK)
                    job = await self._call(rpc.EXPORT_JOB, OfExport(by=job.by, id=job.id))
        except TimeoutError:
            message = f"It is still being made: ask for /api/admin/exports/{job.id}"
            raise ApiError(504, "TIMEOUT", message) from None
        if job.state is ExportState.FAILED:
            raise ApiError(422, "EXPORT_FAILED", job.error)
        return job

    def _told(self, job: ExportJob) -> Data[edge.ExportStatus]:
        link = self._links.make(job.id, job.by) if job.state is ExportState.DONE else None
        done = 100.0 if job.state is ExportState.DONE else None
        return Data(
            data=edge.ExportStatus(
                id=job.id,
                state=job.state,
                file_name=job.file_name,
                started_at=job.started_at,
                updated_at=job.updated_at,
                rows=job.rows,
                total=job.total,
                progress=round(min(100.0, 100 * job.rows / job.total), 1) if done is None and job.total else done,
                error=job.error,
                link=link[0] if link is not None else None,
                link_expires_at=link[1] if link is not None else None,
            )
        )

    def _download(self, name: str, form: ExportFormat, pieces: AsyncIterator[bytes]) -> Download:
        if self._sending >= _AT_ONCE:
            raise too_many(_SOON)
        return Download(name, form.content_type, self._counted(pieces))

    async def _counted(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        self._sending += 1
        try:
            async for piece in pieces:
                yield piece
        finally:
            self._sending -= 1

    async def _pages(self, wanted: Wanted, page: ExportedPage) -> AsyncIterator[bytes]:
        yield page.text.encode()
        left = wanted.most - page.rows
        while page.next and left > 0:
            page = await self._call(rpc.EXPORT_PAGE, _page_of(wanted, page.next, left))
            left -= page.rows
            yield page.text.encode()

    async def _pieces(self, job: ExportJob) -> AsyncIterator[bytes]:
        for number in range(job.pieces):
            piece = await self._call(rpc.EXPORT_PIECE, OfPiece(by=job.by, id=job.id, number=number))
            yield zlib.decompress(piece.data)

    async def _call(self, endpoint: Endpoint[Any, R], request: Any) -> R:
        """Again, if nobody answers: whoever downloads for minutes should not notice that analytics was started anew."""
        async for attempt in stamina.retry_context(on=_may_come_back, attempts=6, timeout=30.0, wait_initial=0.2):
            with attempt:
                return await self._bus.call(endpoint, request)
        raise AssertionError("retry_context raises what the last attempt did")


def _page_of(wanted: Wanted, after: str, left: int) -> ExportPage:
    return ExportPage(
        by=wanted.by, analytics=wanted.analytics, trades=wanted.trades, after=after, limit=min(left, PAGE_ROWS)
    )


def _may_come_back(error: Exception) -> bool:
    return isinstance(error, RpcError) and error.code in (ErrorCode.UNAVAILABLE, ErrorCode.TIMEOUT)
