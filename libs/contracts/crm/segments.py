"""Contacts that a rule picks, or that somebody has put together.

A rule is a tree: `{"op": "and" | "or" | "not", "children": […]}` or `{"field", "cmp", "value"}`, at most 5 levels and
50 conditions. What it may mention is told by `RULE_FIELDS`.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from libs.contracts.admin import Cursor, Rows, Text
from libs.contracts.codec import Message
from libs.contracts.crm.common import By, Gone, ListQuery, Name, Of, OfBy
from libs.contracts.crm.contacts import Contact, Version
from libs.contracts.rpc import Endpoint, ErrorCode
from libs.contracts.rpc import Nothing as Empty

Kind = Literal["dynamic", "static"]
Rules = dict[str, Any]
Description = Annotated[str, Meta(max_length=2000, pattern=r"^[^\x00]*$")]


class Segment(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    description: str = ""
    kind: Kind = "dynamic"
    rules: Rules
    active: bool = True
    """Whether its rules are followed."""
    contact_count: int
    built_at: datetime | None = None
    """When all contacts were last looked through; None: that is still to come."""
    version: int = 1
    created_at: datetime
    updated_at: datetime


class NewSegment(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name
    description: Description = ""
    kind: Kind = "dynamic"
    rules: Rules | UnsetType = UNSET
    """Of a dynamic one."""
    active: bool = True


class SegmentChange(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays."""

    version: Version | None = None
    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    rules: Rules | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class CreateSegment(By, frozen=True, kw_only=True):
    segment: NewSegment


class ChangeSegment(OfBy, frozen=True, kw_only=True):
    change: SegmentChange


class Members(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    contacts: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=1000)]
    """Who does not exist is left out."""


class PutMembers(OfBy, frozen=True, kw_only=True):
    contacts: tuple[UUID, ...]
    entering: bool


class MembersQuery(Of, frozen=True, kw_only=True, rename="camel"):
    search: Text = ""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    cursor: Cursor = ""


class PreviewRules(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rules: Rules


class CostlyCondition(Message, frozen=True, kw_only=True):
    """Of a rule's conditions the one that alone would take the longest, as the database expects before it looks."""

    path: str
    """E.g. `rules.children.1`."""
    field: str
    cost: float
    """In the units of its plans; of two the larger one takes longer."""
    expected: int
    """Contacts that it picks."""


class Preview(Message, frozen=True, kw_only=True):
    count: int
    samples: tuple[Contact, ...]
    """The newest, at most 20."""
    slowest: CostlyCondition


class RuleField(Message, frozen=True, kw_only=True):
    """What a rule may mention, and with which `cmp`."""

    name: str
    type: str
    comparisons: tuple[str, ...]


_NOT_FOUND, _CONFLICT = ErrorCode.NOT_FOUND, ErrorCode.CONFLICT

SEGMENTS = Endpoint("crm", "segments", ListQuery, Rows[Segment])
SEGMENT = Endpoint("crm", "segment", Of, Segment, (_NOT_FOUND,))
CREATE_SEGMENT = Endpoint("crm", "create_segment", CreateSegment, Segment, (_CONFLICT,))
CHANGE_SEGMENT = Endpoint("crm", "change_segment", ChangeSegment, Segment, (_NOT_FOUND, _CONFLICT))
DROP_SEGMENT = Endpoint("crm", "drop_segment", OfBy, Gone, (_NOT_FOUND, _CONFLICT))
MEMBERS = Endpoint("crm", "segment_contacts", MembersQuery, Rows[Contact], (_NOT_FOUND,))
PUT_MEMBERS = Endpoint("crm", "put_segment_contacts", PutMembers, Segment, (_NOT_FOUND, _CONFLICT))
PREVIEW = Endpoint("crm", "preview_segment", PreviewRules, Preview, timeout=10.0)
RULE_FIELDS = Endpoint("crm", "rule_fields", Empty, Rows[RuleField])
