"""The uploaded file of an import as contacts, batch by batch; parsed in a thread."""

import asyncio
from collections.abc import Callable
from typing import Self

from libs.contracts.crm.contacts import CustomField
from libs.contracts.crm.imports import Import, RowError
from libs.store.crm.imports import GivenRow, Imports
from services.crm.imports.table import BadFile, Header, Reading, Table, header_of

_PIECE_TIMEOUT = 30.0

Batch = tuple[list[GivenRow], list[RowError]]


class Reader:
    def __init__(self, table: Table, header: Header, custom: list[CustomField]) -> None:
        self.header = header
        self._table = table
        self._reading = Reading(header, custom)

    @classmethod
    async def open(cls, imports: Imports, job: Import, custom: list[CustomField]) -> Self:
        """Raises BadFile, StoreError."""
        table = await asyncio.to_thread(Table, _fetching(imports, job))
        first = await asyncio.to_thread(table.batch, 1)
        if not first:
            raise BadFile("The file is empty")
        return cls(table, header_of(first[0][1], job.mapping, custom), custom)

    async def batch(self, many: int) -> Batch | None:
        """None at the end. Raises BadFile, StoreError."""
        return await asyncio.to_thread(self._batch, many)

    async def skip(self, rows: int) -> None:
        while rows > 0:
            skipped = await asyncio.to_thread(self._table.batch, min(rows, 1000))
            if not skipped:
                return
            rows -= len(skipped)

    def _batch(self, many: int) -> Batch | None:
        rows = self._table.batch(many)
        return self._reading.read(rows) if rows else None


def _fetching(imports: Imports, job: Import) -> Callable[[int], str | None]:
    loop = asyncio.get_running_loop()

    def fetch(number: int) -> str | None:
        return asyncio.run_coroutine_threadsafe(imports.piece(job.id, number), loop).result(_PIECE_TIMEOUT)

    return fetch
