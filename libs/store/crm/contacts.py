"""Contacts, their timeline and the registry of custom fields. The database writes them (functions `crm_*`), and says
what became of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.contracts.crm.common import Activity
from libs.contracts.crm.contacts import Contact, ContactsQuery, CustomField, NewField
from libs.store.cursors import BadCursor, amount_in, read_cursor, time_in, write_cursor
from libs.store.database import Database
from libs.store.rows import read_optional, read_rows, read_value


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Literal["done", "not_found", "conflict", "taken", "invalid"]
    """`conflict`: it is of another version. `taken`: another contact has this `field`."""
    field: str | None = None
    message: str | None = None
    contact: Contact | None = None


class FieldDropped(msgspec.Struct, frozen=True):
    outcome: Literal["done", "not_found", "used"]
    by: str = ""
    """What uses it, e.g. `Segment Traders`."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Behind which row a page begins, in the list's order."""

    value: str
    id: UUID


class ContactPage(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Literal["done", "invalid"]
    """`invalid`: the rule is, and `message` says why."""
    message: str | None = None
    rows: tuple[Contact, ...]
    total: int


class NumberedActivity(Activity, frozen=True, kw_only=True):
    number: int
    """In the order in which things happened."""


class ActivityPage(msgspec.Struct, frozen=True):
    rows: tuple[NumberedActivity, ...]
    total: int


class Contacts:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, given: Mapping[str, Any], origin: str) -> Outcome:
        return read_value(await self._database.call("crm_create_contact", given=dict(given), origin=origin), Outcome)

    async def upsert(self, given: Mapping[str, Any], origin: str) -> Outcome:
        """Of the one that has its external id, or else its address; if none has, a new one."""
        return read_value(await self._database.call("crm_upsert_contact", given=dict(given), origin=origin), Outcome)

    async def change(
        self, contact: UUID, given: Mapping[str, Any], expected: int | None = None, whole: bool = False
    ) -> Outcome:
        """`expected`: the version it must have. `whole`: what is not given is emptied."""
        data = await self._database.call(
            "crm_change_contact", contact=str(contact), given=dict(given), expected=expected, whole=whole
        )
        return read_value(data, Outcome)

    async def tag(self, contact: UUID, tags: tuple[str, ...], added: bool) -> Outcome:
        data = await self._database.call("crm_tag_contact", contact=str(contact), tags=list(tags), added=added)
        return read_value(data, Outcome)

    async def one(self, contact: UUID) -> Contact | None:
        return read_optional(await self._database.call("crm_one_contact", contact=str(contact)), Contact)

    async def find(
        self, query: ContactsQuery, limit: int, behind: Place | None, rules: Mapping[str, Any] | None = None
    ) -> ContactPage:
        data = await self._database.call(
            "crm_find_contacts",
            rules=rules,
            search=query.search.strip() or None,
            of_status=query.status,
            of_tag=query.tag,
            least_score=query.min_score,
            of_external_id=query.external_id.strip() or None,
            of_segment=str(query.segment) if query.segment else None,
            sort_by=query.sort_by,
            ascending=query.sort_order == "asc",
            at_most=limit,
            skipped=query.offset if behind is None else 0,
            behind_value=behind.value if behind else None,
            behind_id=str(behind.id) if behind else None,
        )
        return read_value(data, ContactPage)

    async def activities(
        self, contact: UUID, kind: str, limit: int, offset: int, behind: int | None
    ) -> ActivityPage | None:
        """None: there is no such contact."""
        data = await self._database.call(
            "crm_activities_of",
            contact=str(contact),
            kind=kind or None,
            at_most=limit,
            skipped=offset if behind is None else 0,
            behind=behind,
        )
        return read_optional(data, ActivityPage)

    async def add_activity(self, contact: UUID, kind: str, data: Mapping[str, Any], by: str) -> Activity | None:
        """None: there is no such contact."""
        made = await self._database.call("crm_add_activity", contact=str(contact), kind=kind, data=dict(data), actor=by)
        return read_optional(made, Activity)


class CustomFields:
    """Table `crm_custom_fields`. Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[CustomField]:
        query = self._database.client.table("crm_custom_fields").select("*").order("key")
        return read_rows(await self._database.execute(query, "crm_custom_fields"), CustomField)

    async def define(self, field: NewField) -> CustomField | None:
        """None: there is one of that key."""
        row = msgspec.to_builtins(field) | {"options": list(field.options)}
        query = self._database.client.table("crm_custom_fields").upsert(row, on_conflict="key", ignore_duplicates=True)
        return next(iter(read_rows(await self._database.execute(query, "crm_custom_fields"), CustomField)), None)

    async def change(self, key: str, changes: Mapping[str, Any]) -> CustomField | None:
        query = self._database.client.table("crm_custom_fields").update(dict(changes)).eq("key", key)
        return next(iter(read_rows(await self._database.execute(query, "crm_custom_fields"), CustomField)), None)

    async def drop(self, key: str, by: str) -> FieldDropped:
        """With its values."""
        return read_value(await self._database.call("crm_drop_custom_field", of_key=key, actor=by), FieldDropped)


def cursor_of(contact: Contact, query: ContactsQuery) -> str:
    value = getattr(contact, query.sort_by)
    return write_cursor(Place(value.isoformat() if isinstance(value, datetime) else str(value or ""), contact.id))


def place_of(cursor: str, query: ContactsQuery) -> Place:
    """Raises BadCursor."""
    place = read_cursor(cursor, Place)
    match query.sort_by:
        case "created_at":
            return Place(time_in(place.value), place.id)
        case "score" if len(place.value) < 10:
            return Place(str(int(float(amount_in(place.value)))), place.id)
        case "email" | "name" if "\0" not in place.value:
            return place
    raise BadCursor(cursor)
