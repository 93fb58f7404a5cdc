"""Table `crm_outbox`: messages that follow a commit."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from libs.store.database import Database
from libs.store.rows import read_rows


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    subject: str
    payload: Any
    headers: dict[str, str]
    number: int


class OutboxRows:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, most: int, lease: float) -> list[Waiting]:
        """The oldest that nobody has claimed; theirs who asked, for `lease` seconds."""
        data = await self._database.call("crm_claim_outbox", at_most=most, lease=f"{lease:g} seconds")
        return sorted(read_rows(data, Waiting), key=lambda row: row.number)

    async def mark(self, published: Iterable[UUID]) -> None:
        await self._database.call("crm_mark_published", ids=[str(each) for each in published])

    async def prune(self, kept: float) -> None:
        """Forget what was published longer ago than so many seconds."""
        await self._database.call("crm_prune_outbox", kept=f"{kept:g} seconds")

    async def age(self) -> float:
        """Seconds that the oldest has waited."""
        return msgspec.convert(await self._database.call("crm_outbox_age"), float, strict=False)
