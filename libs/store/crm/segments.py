"""Segments: rules are compiled and followed by the database (functions `crm_*`)."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.contracts.crm.contacts import Contact
from libs.contracts.crm.segments import CostlyCondition, Segment
from libs.store.database import Database
from libs.store.rows import read_optional, read_value


class SegmentOutcome(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Literal["done", "not_found", "conflict", "taken", "invalid", "used"]
    """`conflict`: it is of another version, or not of the kind. `taken`: another one has this name. `used`: something
    mentions it."""
    message: str | None = None
    segment: Segment | None = None


class SegmentPage(msgspec.Struct, frozen=True):
    rows: tuple[Segment, ...]
    total: int


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Literal["done", "invalid"]
    count: int
    samples: tuple[Contact, ...]
    slowest: CostlyCondition | None = None
    """None: the rules are invalid."""
    message: str | None = None


class Check(msgspec.Struct, frozen=True):
    contact: UUID
    names: tuple[str, ...]
    """Of what changed; `*`: all."""


class PlainField(msgspec.Struct, frozen=True):
    name: str
    type: str


class Segments:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, search: str, limit: int, offset: int) -> SegmentPage:
        data = await self._database.call(
            "crm_find_segments", search=search.strip() or None, at_most=limit, skipped=offset
        )
        return read_value(data, SegmentPage)

    async def one(self, segment: UUID) -> Segment | None:
        return read_optional(await self._database.call("crm_one_segment", segment=str(segment)), Segment)

    async def save(self, segment: UUID | None, given: Mapping[str, Any], expected: int | None = None) -> SegmentOutcome:
        """None: a new one."""
        data = await self._database.call(
            "crm_save_segment", segment=str(segment) if segment else None, given=dict(given), expected=expected
        )
        return read_value(data, SegmentOutcome)

    async def drop(self, segment: UUID, by: str) -> SegmentOutcome:
        return read_value(await self._database.call("crm_drop_segment", segment=str(segment), actor=by), SegmentOutcome)

    async def put(self, segment: UUID, contacts: Iterable[UUID], entering: bool) -> SegmentOutcome:
        data = await self._database.call(
            "crm_put_members", segment=str(segment), contacts=[str(each) for each in contacts], entering=entering
        )
        return read_value(data, SegmentOutcome)

    async def preview(self, rules: Mapping[str, Any]) -> Previewed:
        return read_value(await self._database.call("crm_preview_segment", rules=dict(rules)), Previewed)

    async def fields(self) -> tuple[PlainField, ...]:
        """Those that every rule may mention."""
        return read_value(await self._database.call("crm_rule_fields"), tuple[PlainField, ...])

    async def recheck(self, checks: Iterable[Check]) -> int:
        """How often somebody entered or left a segment."""
        data = await self._database.call("crm_recheck", checks=[msgspec.to_builtins(check) for check in checks])
        return read_value(data, int)

    async def due(self, older_than: float) -> tuple[UUID, ...]:
        """Those that are to be built: new ones, changed ones, and those built more than so many seconds ago."""
        data = await self._database.call("crm_segments_due", older_than=f"{older_than:g} seconds")
        return read_value(data, tuple[UUID, ...])

    async def rebuild(self, segment: UUID) -> int:
        """How many contacts entered or left."""
        return read_value(await self._database.call("crm_rebuild_segment", segment=str(segment)), int)
