"""Files that are made in the background. A job is a key that any process may take on, whoever began it: what is made of
its file is stored piece by piece with where it goes on, so that a restart costs no more than the last piece."""

import asyncio
import zlib
from contextlib import suppress
from typing import Any

import structlog
from msgspec.structs import replace
from prometheus_client import Counter

from libs.bus import Bus, BusError
from libs.bus.entry import Entry
from libs.bus.keyvalue import KeyValue
from libs.bus.rpc import Handler
from libs.bus.topology import EXPORT_JOBS, EXPORTS
from libs.contracts import admin_rpc as rpc
from libs.contracts import subjects
from libs.contracts.exports import (
    PAGE_ROWS,
    ExportFormat,
    ExportJob,
    ExportPiece,
    ExportState,
    OfExport,
    OfPiece,
    StartExport,
)
from libs.contracts.ids import new_id
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.store import StoreRefused, StoreUnavailable
from services.analytics.answering import answering
from services.analytics.exports import Exports
from services.analytics.report_maker import ReportMaker
from services.analytics.typesetting import Typesetter, TypesettingFailed

_AT_ONCE = 2
"""Files that one process makes at once."""
_OF_ONE = 3
"""Files that one administrator may have in the making."""
_AGAIN = 2.0
"""Seconds until a job is taken up again whose process, bus or database went away."""
_PIECE = 256 * 1024
"""Bytes of a file that is there as a whole."""

log = structlog.get_logger()

_ended = Counter("pregao_exports_total", "Export jobs that ended", ["state"])


class ExportJobs:
    """Raises RpcError: LIMIT_REACHED, NOT_FOUND."""

    def __init__(self, bus: Bus, exports: Exports, reports: ReportMaker, typesetter: Typesetter) -> None:
        self._bus = bus
        self._jobs = bus.bucket(EXPORT_JOBS)
        self._exports = exports
        self._reports = reports
        self._typesetter = typesetter

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return answering(
            {rpc.START_EXPORT: self.start, rpc.EXPORT_JOB: self.job, rpc.EXPORT_PIECE: self.piece}
        )  # fmt: skip

    async def start(self, request: StartExport) -> ExportJob:
        """Recorded, and certain to be made when this returns."""
        known = await self._jobs.entries("*", ExportJob)
        running = [each for each in known if each.value.by == request.by and each.value.state is ExportState.RUNNING]
        if len(running) >= _OF_ONE:
            raise RpcError(ErrorCode.LIMIT_REACHED, f"{_OF_ONE} exports of yours are in the making")
        await self._exports.lines(request, "", 1)  # what is wrong with it is said now
        now = self._bus.clock.now()
        await self._exports.record(request)
        job = ExportJob(
            by=request.by,
            analytics=request.analytics,
            trades=request.trades,
            id=new_id(),
            started_at=now,
            updated_at=now,
            total=await self._exports.count(request),
        )
        await self._jobs.create(job.id, job)
        return job

    async def job(self, request: OfExport) -> ExportJob:
        entry = await self._jobs.get(request.id, ExportJob)
        if entry is None or entry.value.by != request.by:
            raise RpcError(ErrorCode.NOT_FOUND, "There is no such export")
        return entry.value

    async def piece(self, request: OfPiece) -> ExportPiece:
        job = await self.job(request)
        found = None
        if job.state is ExportState.DONE and request.number < job.pieces:
            found = await self._bus.last(EXPORTS, subjects.export_piece(job.id, request.number), ExportPiece)
        if found is None:
            raise RpcError(ErrorCode.NOT_FOUND, "There is no such piece of an export")
        return found

    async def run(self) -> None:
        """Take on what is in the making, also what another process left. Until cancelled."""
        news = asyncio.Event()

        def hear(_key: str, _entry: object) -> None:
            news.set()

        unfinished = await self._bus.mirror(
            EXPORT_JOBS, "*", ExportJob, hear, lambda job: job.state is ExportState.RUNNING
        )
        working: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                news.clear()
                working = {job: task for job, task in working.items() if not task.done()}
                waiting = [job for job, _ in unfinished.items() if job not in working]
                for job in waiting[: _AT_ONCE - len(working)]:
                    working[job] = asyncio.create_task(self._take_on(job), name=f"export:{job}")
                    working[job].add_done_callback(lambda _: news.set())
                with suppress(TimeoutError):
                    async with asyncio.timeout(_AGAIN):
                        await news.wait()
        finally:
            for task in working.values():
                task.cancel()
            await asyncio.gather(*working.values(), return_exceptions=True)
            await unfinished.stop()

    async def _take_on(self, id: str) -> None:
        lease = self._bus.lease(f"analytics.export.{id}")
        if not await lease.acquire():
            await asyncio.sleep(_AGAIN)  # another process makes it
            return
        try:
            await self._make(id)
        except (BusError, StoreUnavailable) as error:
            log.warning("export_interrupted", export=id, error=str(error))
            await asyncio.sleep(_AGAIN)
        finally:
            await lease.release()

    async def _make(self, id: str) -> None:
        entry = await self._jobs.get(id, ExportJob)
        if entry is None or entry.value.state is not ExportState.RUNNING:
            return
        job = _Work(self._bus, self._jobs, entry)
        await job.save()  # from here on, who had it before is refused
        try:
            if entry.value.asked.format is ExportFormat.PDF:
                await self._pdf(job)
            else:
                await self._csv(job)
        except (BusError, StoreUnavailable):
            raise
        except (TypesettingFailed, StoreRefused, RpcError) as error:
            log.warning("export_failed", export=id, error=str(error))
            await job.save(state=ExportState.FAILED, error=str(error))
        except Exception:
            log.exception("export_failed", export=id)
            await job.save(state=ExportState.FAILED, error="It could not be made; the log says why")
        else:
            await job.save(state=ExportState.DONE)
        _ended.labels(job.value.state).inc()

    async def _csv(self, job: "_Work") -> None:
        """Goes on behind the last piece that is there."""
        most, more = job.value.most, not job.value.pieces or bool(job.value.after)
        while more and job.value.rows < most:
            page = await self._exports.lines(job.value, job.value.after, min(PAGE_ROWS, most - job.value.rows))
            await job.add(page.text.encode(), rows=page.rows, after=page.next)
            more = bool(page.next)

    async def _pdf(self, job: "_Work") -> None:
        """Begins anew."""
        report = await self._reports.make(job.value)
        file = await self._typesetter.typeset(report)
        await job.save(pieces=0)
        for begin in range(0, len(file), _PIECE):
            await job.add(file[begin : begin + _PIECE])
        job.value = replace(job.value, rows=len(report.table.rows))


class _Work:
    """A job that this process has taken on. Every method raises RevisionConflict when another one has, and BusError."""

    def __init__(self, bus: Bus, jobs: KeyValue, entry: Entry[ExportJob]) -> None:
        self.value = entry.value
        self._bus = bus
        self._jobs = jobs
        self._revision = entry.revision

    async def add(self, piece: bytes, rows: int = 0, after: str = "") -> None:
        """Stored first, then counted: what is stored and not counted is written over."""
        subject = subjects.export_piece(self.value.id, self.value.pieces)
        data = await asyncio.to_thread(zlib.compress, piece, 1)
        await self._bus.append(subject, ExportPiece(data=data), id=new_id())
        await self.save(rows=self.value.rows + rows, pieces=self.value.pieces + 1, after=after)

    async def save(self, **changes: Any) -> None:
        self.value = replace(self.value, updated_at=self._bus.clock.now(), **changes)
        self._revision = await self._jobs.update(self.value.id, self.value, self._revision)
