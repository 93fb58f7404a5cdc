"""Works imports off in the background, whoever started them: how far it came is written with the rows."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from prometheus_client import Counter

from libs.bus import Bus, BusError
from libs.contracts.crm.imports import Import
from libs.store import StoreError, StoreRefused, StoreUnavailable
from libs.store.crm.contacts import CustomFields
from libs.store.crm.imports import Imports
from services.crm.imports.reader import Reader
from services.crm.imports.table import BadFile

log = structlog.get_logger()

_BATCH = 1000
_LOOK = 2.0
"""Seconds between two looks for what was left by another process."""
_TIDIED_EVERY = 3600.0
_KEPT = 7 * 86400.0
"""Seconds in which a file that was uploaded is to be started."""

_rows = Counter("pregao_crm_imported_rows_total", "Rows of imports that were worked off")


class ImportWorker:
    def __init__(self, bus: Bus, imports: Imports, fields: CustomFields, told: Callable[[], None]) -> None:
        """`told()`: there is something to publish."""
        self._bus = bus
        self._imports = imports
        self._fields = fields
        self._told = told
        self._news = asyncio.Event()
        self._tidied = float("-inf")

    def started(self) -> None:
        """There is one more to be worked off."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled; of all processes one works, one import after the other."""
        lease = self._bus.lease("crm.imports")
        try:
            while True:
                try:
                    if lease.held or await lease.acquire():
                        await self._tidy()
                        for job in await self._imports.running():
                            await self._work(job)
                except (StoreError, BusError) as error:
                    log.warning("imports_wait", error=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK):
                        await self._news.wait()
                self._news.clear()
        finally:
            await lease.release()

    async def _tidy(self) -> None:
        if self._bus.clock.monotonic() > self._tidied + _TIDIED_EVERY:
            await self._imports.expire(_KEPT)
            self._tidied = self._bus.clock.monotonic()

    async def _work(self, job: Import) -> None:
        try:
            if await self._write(job):
                await self._imports.move(job.id, ("running",), "done")
        except StoreUnavailable:
            raise
        except (BadFile, StoreRefused) as error:
            log.warning("import_failed", id=str(job.id), error=str(error))
            await self._imports.move(job.id, ("running",), "failed", why=str(error)[:500])
        except Exception:
            log.exception("import_failed", id=str(job.id))
            await self._imports.move(job.id, ("running",), "failed", why="It failed; the log says why")

    async def _write(self, job: Import) -> bool:
        """Goes on behind the rows that are done. False: it was cancelled, or another process goes on."""
        reader = await Reader.open(self._imports, job, await self._fields.all())
        await reader.skip(job.done)
        done = job.done
        while batch := await reader.batch(_BATCH):
            written = await self._imports.write(job.id, done, *batch)
            if written is None:
                return False
            _rows.inc(written.done - done)
            done = written.done
            self._told()
        return True
