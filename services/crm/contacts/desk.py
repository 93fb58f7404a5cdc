"""Contacts as administrators read and change them."""

import asyncio
from typing import Any

import msgspec

from libs.contracts.admin import Rows
from libs.contracts.crm import contacts as rpc
from libs.contracts.crm.common import Activity, Of
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.crm.contacts import Contacts, Outcome, cursor_of, place_of
from libs.store.cursors import BadCursor
from services.crm.answering import Answer, not_found

_ORIGIN = "api"
LONGEST_RULE = 8.0
"""Seconds; hosted databases stop it after two."""


class ContactDesk:
    """Raises RpcError: NOT_FOUND, CONFLICT, INVALID_REQUEST."""

    def __init__(self, contacts: Contacts) -> None:
        self._contacts = contacts

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.CONTACTS: self.find,
            rpc.FILTER_CONTACTS: self.filter,
            rpc.CREATE_CONTACT: self.create,
            rpc.UPSERT_CONTACT: self.upsert,
            rpc.CONTACT: self.one,
            rpc.REPLACE_CONTACT: self.replace,
            rpc.CHANGE_CONTACT: self.change,
            rpc.TAG_CONTACT: self.tag,
            rpc.ACTIVITIES: self.activities,
            rpc.ADD_ACTIVITY: self.add_activity,
        }

    async def find(self, query: rpc.ContactsQuery) -> Rows[rpc.Contact]:
        return await self._page(query, None)

    async def filter(self, query: rpc.ContactsFilter) -> Rows[rpc.Contact]:
        try:
            async with asyncio.timeout(LONGEST_RULE):
                return await self._page(query, query.rules)
        except TimeoutError:
            raise RpcError(ErrorCode.TIMEOUT, "the rule takes too long") from None

    async def _page(self, query: rpc.ContactsQuery, rules: dict[str, Any] | None) -> Rows[rpc.Contact]:
        try:
            behind = place_of(query.cursor, query) if query.cursor else None
        except BadCursor as error:
            raise bad_cursor() from error
        page = await self._contacts.find(query, query.limit + 1, behind, rules)
        if page.outcome == "invalid":
            raise RpcError(ErrorCode.INVALID_REQUEST, page.message or "`rules` are not valid")
        rows, more = page.rows[: query.limit], len(page.rows) > query.limit
        return Rows(rows=rows, total=page.total, next=cursor_of(rows[-1], query) if more else "")

    async def create(self, request: rpc.CreateContact) -> rpc.Contact:
        return contact_of(await self._contacts.create(_given(request.contact), _ORIGIN))

    async def upsert(self, request: rpc.UpsertContact) -> rpc.Contact:
        return contact_of(await self._contacts.upsert(_given(request.contact), _ORIGIN))

    async def one(self, query: Of) -> rpc.Contact:
        contact = await self._contacts.one(query.id)
        if contact is None:
            raise not_found("contact")
        return contact

    async def replace(self, request: rpc.ReplaceContact) -> rpc.Contact:
        expected = request.contact.version
        return contact_of(await self._contacts.change(request.id, _given(request.contact), expected, whole=True))

    async def change(self, request: rpc.ChangeContact) -> rpc.Contact:
        return contact_of(await self._contacts.change(request.id, _given(request.change), request.change.version))

    async def tag(self, request: rpc.TagContact) -> rpc.Contact:
        return contact_of(await self._contacts.tag(request.id, request.tags, request.added))

    async def activities(self, query: rpc.ActivitiesQuery) -> Rows[Activity]:
        """The newest first."""
        if query.cursor and not query.cursor.isdecimal():
            raise bad_cursor()
        behind = int(query.cursor[:18]) if query.cursor else None
        page = await self._contacts.activities(query.id, query.type, query.limit + 1, query.offset, behind)
        if page is None:
            raise not_found("contact")
        rows, more = page.rows[: query.limit], len(page.rows) > query.limit
        told = tuple(msgspec.convert(row, Activity, from_attributes=True) for row in rows)
        return Rows(rows=told, total=page.total, next=str(rows[-1].number) if more else "")

    async def add_activity(self, request: rpc.AddActivity) -> Activity:
        data = msgspec.to_builtins(request.activity)
        kind = data.pop("type")
        told = {name: value for name, value in data.items() if value is not None}
        made = await self._contacts.add_activity(request.id, kind, told, request.by)
        if made is None:
            raise not_found("contact")
        return made


def contact_of(outcome: Outcome) -> rpc.Contact:
    """Raises RpcError when it was not done."""
    match outcome.outcome:
        case "done" if outcome.contact is not None:
            return outcome.contact
        case "taken":
            raise RpcError(ErrorCode.CONFLICT, outcome.message or f"Another contact has this {outcome.field}")
        case "conflict":
            version = outcome.contact.version if outcome.contact is not None else 0
            raise RpcError(ErrorCode.CONFLICT, f"The contact was changed meanwhile: it is of version {version}")
        case "invalid":
            raise RpcError(ErrorCode.INVALID_REQUEST, outcome.message or "It is not valid")
    raise not_found("contact")


def bad_cursor() -> RpcError:
    return RpcError(ErrorCode.INVALID_REQUEST, "`cursor`: Expected the `next` of another page")


def _given(contact: msgspec.Struct) -> dict[str, Any]:
    """What was said, by name."""
    given: dict[str, Any] = msgspec.to_builtins(contact)
    given.pop("version", None)
    return given
