"""Imports: uploaded, checked, started; and contacts as lines of CSV."""

import asyncio
from collections.abc import Callable
from typing import Any

from libs.contracts.crm import imports as rpc
from libs.contracts.crm.common import Of, OfBy
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.crm.contacts import CustomFields
from libs.store.crm.imports import Imports
from libs.store.crm.segments import Segments
from services.crm.answering import Answer, not_found
from services.crm.imports.lines import COLUMNS, csv_lines, line_of
from services.crm.imports.reader import Reader
from services.crm.imports.table import BadFile

_BATCH = 1000
_ERRORS = 100


class ImportDesk:
    """Raises RpcError: NOT_FOUND, CONFLICT, INVALID_REQUEST."""

    def __init__(self, imports: Imports, fields: CustomFields, segments: Segments, started: Callable[[], None]) -> None:
        """`started()`: there is an import to be worked off."""
        self._imports = imports
        self._fields = fields
        self._segments = segments
        self._started = started
        self._checking = asyncio.Semaphore(1)

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.START_IMPORT: self.new,
            rpc.ADD_PIECE: self.add,
            rpc.CHECK_IMPORT: self.check,
            rpc.RUN_IMPORT: self.run,
            rpc.CANCEL_IMPORT: self.cancel,
            rpc.IMPORT: self.one,
            rpc.EXPORT_CONTACTS: self.export,
        }

    async def new(self, request: rpc.StartImport) -> rpc.Import:
        return await self._imports.new(request.by, request.wanted)

    async def add(self, request: rpc.AddPiece) -> rpc.Import:
        match await self._imports.add(request.id, request.number, request.text):
            case "not_found":
                raise not_found("import")
            case "conflict":
                raise RpcError(ErrorCode.CONFLICT, "It is not being uploaded any more")
            case "full":
                raise RpcError(ErrorCode.CONFLICT, f"A file has at most {rpc.MOST_BYTES} bytes")
        return await self.one(Of(id=request.id))

    async def one(self, query: Of) -> rpc.Import:
        found = await self._imports.one(query.id)
        if found is None:
            raise not_found("import")
        return found

    async def check(self, request: OfBy) -> rpc.Checked:
        """Nothing is written but how many rows there are, and what is wrong with them."""
        job = await self.one(Of(id=request.id))
        if job.state not in ("uploading", "checked"):
            raise RpcError(ErrorCode.CONFLICT, "It was started already")
        async with self._checking:
            try:
                checked = await self._check(job)
            except BadFile as error:
                raise RpcError(ErrorCode.INVALID_REQUEST, str(error)) from error
        moved = await self._imports.move(
            job.id, ("uploading", "checked"), "checked", total=checked.total, errors=checked.errors
        )
        if moved is None:
            raise RpcError(ErrorCode.CONFLICT, "It was started already")
        return checked

    async def _check(self, job: rpc.Import) -> rpc.Checked:
        reader = await Reader.open(self._imports, job, await self._fields.all())
        total = known = bad = 0
        errors: list[rpc.RowError] = []
        while batch := await reader.batch(_BATCH):
            good, faults = batch
            checked = await self._imports.check(good)
            total += len(good) + len(faults)
            bad += len(faults) + len(checked.errors)
            known += checked.known
            if total > rpc.MOST_ROWS:
                raise BadFile(f"There are more than {rpc.MOST_ROWS} rows")
            errors = sorted((*errors, *faults, *checked.errors), key=lambda one: one.line)[:_ERRORS]
        return rpc.Checked(
            total=total, valid=total - bad, known=known, columns=reader.header.mapped, ignored=reader.header.ignored,
            errors=tuple(errors),
        )  # fmt: skip

    async def run(self, request: OfBy) -> rpc.Import:
        job = await self.one(Of(id=request.id))
        started = await self._imports.move(job.id, ("checked",), "running", errors=())
        if started is None:
            raise RpcError(ErrorCode.CONFLICT, "Only what was checked, and not started yet, can be started")
        await self._imports.note(request.by, "imported", {"import": str(job.id), "rows": job.total})
        self._started()
        return started

    async def cancel(self, request: OfBy) -> rpc.Import:
        """What was worked off stays."""
        job = await self.one(Of(id=request.id))
        cancelled = await self._imports.move(job.id, ("uploading", "checked", "running"), "cancelled")
        if cancelled is None:
            raise RpcError(ErrorCode.CONFLICT, "It has ended already")
        return cancelled

    async def export(self, request: rpc.ExportContacts) -> rpc.ContactLines:
        """That it was asked for is recorded with the first page."""
        if request.segment is not None and await self._segments.one(request.segment) is None:
            raise not_found("segment")
        custom = [field.key for field in await self._fields.all()]
        if request.after is None:
            details = {"segment": str(request.segment)} if request.segment else {}
            await self._imports.note(request.by, "contacts_exported", details)
        contacts = await self._imports.contacts(request.segment, request.after, request.limit)
        lines = [line_of(contact, custom) for contact in contacts]
        if request.after is None:
            lines = [[*COLUMNS, *(f"custom.{key}" for key in custom)], *lines]
        more = contacts[-1].id if len(contacts) == request.limit else None
        return rpc.ContactLines(text=csv_lines(lines), next=more)
