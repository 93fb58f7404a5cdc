"""Segments as administrators read and change them."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from libs.contracts.admin import Rows
from libs.contracts.crm import segments as rpc
from libs.contracts.crm.common import Gone, ListQuery, Of, OfBy
from libs.contracts.crm.contacts import Contact, ContactsQuery
from libs.contracts.rpc import ErrorCode, Nothing, RpcError
from libs.store.crm.contacts import Contacts, CustomFields, cursor_of, place_of
from libs.store.crm.segments import SegmentOutcome, Segments
from libs.store.cursors import BadCursor
from services.crm.answering import Answer, not_found
from services.crm.contacts.desk import LONGEST_RULE, bad_cursor
from services.crm.segments.comparisons import COMPARISONS, OF_TAGS

_TYPES = {"select": "text", "date": "time"}
"""Of custom fields, where they are called otherwise."""
_SPECIAL = (
    rpc.RuleField(name="tags", type="tags", comparisons=OF_TAGS),
    rpc.RuleField(name="segments", type="segments", comparisons=("in", "not_in")),
    rpc.RuleField(name="consent.{channel}.{topic}", type="consent", comparisons=("eq", "ne")),
    rpc.RuleField(
        name="activity.{type}", type="activity", comparisons=("within_days", "not_within_days", "empty", "not_empty")
    ),
)


class SegmentDesk:
    """Raises RpcError: NOT_FOUND, CONFLICT, INVALID_REQUEST."""

    def __init__(
        self, segments: Segments, contacts: Contacts, fields: CustomFields, changed: Callable[[], None]
    ) -> None:
        """`changed()`: a segment is to be built."""
        self._segments = segments
        self._contacts = contacts
        self._fields = fields
        self._changed = changed

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.SEGMENTS: self.find,
            rpc.SEGMENT: self.one,
            rpc.CREATE_SEGMENT: self.create,
            rpc.CHANGE_SEGMENT: self.change,
            rpc.DROP_SEGMENT: self.drop,
            rpc.MEMBERS: self.members,
            rpc.PUT_MEMBERS: self.put,
            rpc.PREVIEW: self.preview,
            rpc.RULE_FIELDS: self.fields,
        }

    async def find(self, query: ListQuery) -> Rows[rpc.Segment]:
        page = await self._segments.find(query.search, query.limit, query.offset)
        return Rows(rows=page.rows, total=page.total)

    async def one(self, query: Of) -> rpc.Segment:
        segment = await self._segments.one(query.id)
        if segment is None:
            raise not_found("segment")
        return segment

    async def create(self, request: rpc.CreateSegment) -> rpc.Segment:
        made = _segment_of(await self._segments.save(None, msgspec.to_builtins(request.segment)))
        self._changed()
        return made

    async def change(self, request: rpc.ChangeSegment) -> rpc.Segment:
        given = msgspec.to_builtins(request.change)
        changed = _segment_of(await self._segments.save(request.id, given, given.pop("version", None)))
        self._changed()
        return changed

    async def drop(self, request: OfBy) -> Gone:
        outcome = await self._segments.drop(request.id, request.by)
        if outcome.outcome != "done":
            _segment_of(outcome)
        return Gone(id=request.id)

    async def members(self, query: rpc.MembersQuery) -> Rows[Contact]:
        """The newest contacts first."""
        await self.one(Of(id=query.id))
        asked = ContactsQuery(segment=query.id, search=query.search, offset=query.offset)
        try:
            behind = place_of(query.cursor, asked) if query.cursor else None
        except BadCursor as error:
            raise bad_cursor() from error
        page = await self._contacts.find(asked, query.limit + 1, behind)
        rows, more = page.rows[: query.limit], len(page.rows) > query.limit
        return Rows(rows=rows, total=page.total, next=cursor_of(rows[-1], asked) if more else "")

    async def put(self, request: rpc.PutMembers) -> rpc.Segment:
        return _segment_of(await self._segments.put(request.id, request.contacts, request.entering))

    async def preview(self, request: rpc.PreviewRules) -> rpc.Preview:
        try:
            async with asyncio.timeout(LONGEST_RULE):
                previewed = await self._segments.preview(request.rules)
        except TimeoutError:
            raise RpcError(ErrorCode.TIMEOUT, "the rule takes too long") from None
        if previewed.slowest is None:
            raise RpcError(ErrorCode.INVALID_REQUEST, previewed.message or "`rules` are not valid")
        return rpc.Preview(count=previewed.count, samples=previewed.samples, slowest=previewed.slowest)

    async def fields(self, _: Nothing) -> Rows[rpc.RuleField]:
        plain = [(field.name, field.type) for field in await self._segments.fields()]
        plain += [(f"custom.{field.key}", _TYPES.get(field.type, field.type)) for field in await self._fields.all()]
        told = tuple(rpc.RuleField(name=name, type=type_, comparisons=COMPARISONS[type_]) for name, type_ in plain)
        return Rows(rows=(*told, *_SPECIAL), total=len(told) + len(_SPECIAL))


def _segment_of(outcome: SegmentOutcome) -> rpc.Segment:
    """Raises RpcError when it was not done."""
    match outcome.outcome:
        case "done" if outcome.segment is not None:
            return outcome.segment
        case "taken":
            raise RpcError(ErrorCode.CONFLICT, "Another segment has this name")
        case "invalid":
            raise RpcError(ErrorCode.INVALID_REQUEST, outcome.message or "`rules` are not valid")
        case "conflict" if outcome.message is None and outcome.segment is not None:
            version = outcome.segment.version
            raise RpcError(ErrorCode.CONFLICT, f"The segment was changed meanwhile: it is of version {version}")
        case "conflict" | "used":
            raise RpcError(ErrorCode.CONFLICT, outcome.message or "Something uses it")
    raise not_found("segment")
