"""Imports: tables `crm_imports`, `crm_import_pieces`; and contacts page by page, for exports."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.contracts.crm.contacts import Contact
from libs.contracts.crm.imports import MOST_BYTES, Import, NewImport, RowError
from libs.store.database import Database
from libs.store.rows import read_optional, read_rows, read_value


class GivenRow(msgspec.Struct, frozen=True):
    line: int
    given: Mapping[str, Any]


class RowsChecked(msgspec.Struct, frozen=True):
    errors: tuple[RowError, ...]
    known: int


class _Text(msgspec.Struct, frozen=True):
    text: str


class _Added(msgspec.Struct, frozen=True):
    outcome: Literal["done", "not_found", "conflict", "full"]


class Imports:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def new(self, by: str, wanted: NewImport) -> Import:
        row = {"by_user": by, **msgspec.to_builtins(wanted)}
        query = self._database.client.table("crm_imports").insert(row)
        return read_rows(await self._database.execute(query, "crm_imports"), Import)[0]

    async def one(self, id: UUID) -> Import | None:
        query = self._database.client.table("crm_imports").select("*").eq("id", str(id))
        return next(iter(read_rows(await self._database.execute(query, "crm_imports"), Import)), None)

    async def running(self) -> list[Import]:
        """The oldest first."""
        query = self._database.client.table("crm_imports").select("*").eq("state", "running").order("created_at")
        return read_rows(await self._database.execute(query, "crm_imports"), Import)

    async def expire(self, kept: float) -> int:
        """Forget what nobody went on with for so many seconds; of how many imports."""
        return read_value(await self._database.call("crm_expire_imports", kept=kept), int)

    async def add(self, id: UUID, number: int, text: str) -> Literal["done", "not_found", "conflict", "full"]:
        data = await self._database.call(
            "crm_add_import_piece", import_id=str(id), piece=number, content=text, most=MOST_BYTES
        )
        return read_value(data, _Added).outcome

    async def piece(self, id: UUID, number: int) -> str | None:
        table = self._database.client.table("crm_import_pieces").select("text")
        query = table.eq("import_id", str(id)).eq("number", number)
        rows = read_rows(await self._database.execute(query, "crm_import_pieces"), _Text)
        return rows[0].text if rows else None

    async def move(
        self,
        id: UUID,
        before: tuple[str, ...],
        state: str,
        total: int | None = None,
        errors: tuple[RowError, ...] | None = None,
        why: str | None = None,
    ) -> Import | None:
        """None: it is in none of these states."""
        data = await self._database.call(
            "crm_move_import",
            import_id=str(id),
            before=list(before),
            wanted=state,
            found_total=total,
            found_errors=msgspec.to_builtins(errors),
            why=why,
        )
        return read_optional(data, Import)

    async def check(self, rows: list[GivenRow]) -> RowsChecked:
        data = await self._database.call("crm_check_import_rows", rows=msgspec.to_builtins(rows))
        return read_value(data, RowsChecked)

    async def write(self, id: UUID, done: int, rows: list[GivenRow], faults: list[RowError]) -> Import | None:
        """Behind the first `done` rows. None: another process did, or it is not running any more."""
        data = await self._database.call(
            "crm_import_rows",
            import_id=str(id),
            from_row=done,
            rows=msgspec.to_builtins(rows),
            faults=msgspec.to_builtins(faults),
        )
        return read_optional(data, Import)

    async def contacts(self, segment: UUID | None, behind: UUID | None, limit: int) -> tuple[Contact, ...]:
        """In the order of their ids."""
        data = await self._database.call(
            "crm_export_contacts",
            of_segment=str(segment) if segment else None,
            behind=str(behind) if behind else None,
            at_most=limit,
        )
        return read_value(data, tuple[Contact, ...])

    async def note(self, by: str, action: str, details: Mapping[str, Any]) -> None:
        """Who did what, for good."""
        await self._database.call("crm_audit_note", actor=by, action=action, details=dict(details))
