"""Contacts and what is sent to them (api-contract §3.18, §4.10). The messages of crm."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, field

from libs.contracts.admin import Limit, Offset, Text
from libs.contracts.codec import Message
from libs.contracts.pattern import END

Email = Annotated[str, Meta(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}" + END)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
ContactStatus = Literal["lead", "prospect", "customer", "inactive", "churned"]
IntegrationId = Annotated[str, Meta(pattern="^[a-z0-9-]{1,40}" + END)]


class ListQuery(Message, frozen=True, kw_only=True, rename="camel"):
    search: Text = ""
    limit: Limit = 50
    offset: Offset = 0


class ContactsQuery(ListQuery, frozen=True, kw_only=True, rename="camel"):
    status: ContactStatus | None = None
    segment: UUID | None = None
    min_score: Annotated[int, Meta(ge=0, le=100)] | None = None
    sort_by: Literal["created_at", "email", "name", "score"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"


class NewContact(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    email: Email
    name: Text = ""
    phone: Annotated[str, Meta(max_length=40)] = ""
    status: ContactStatus = "lead"
    score: Annotated[int, Meta(ge=0, le=100)] = 0
    tags: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=50)], ...], Meta(max_length=50)] = ()
    custom_fields: dict[str, str | int | float | bool] = field(default_factory=dict)


class CreateContact(Message, frozen=True, kw_only=True):
    by: str
    """The administrator, as the edge has verified."""
    contact: NewContact


class Contact(Message, frozen=True, kw_only=True):
    id: UUID
    email: str
    name: str
    phone: str
    status: ContactStatus
    score: int
    tags: tuple[str, ...]
    custom_fields: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class Segment(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    rules: dict[str, Any]
    contact_count: int
    created_at: datetime


class Workflow(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    status: Literal["draft", "active", "paused"]
    trigger_type: str
    execution_count: int
    created_at: datetime


class Campaign(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    channel: Literal["email", "sms", "push", "webhook"]
    status: Literal["draft", "scheduled", "sending", "sent", "paused", "cancelled"]
    created_at: datetime


class Template(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    category: str
    variables: tuple[str, ...]
    created_at: datetime


class OfIntegration(Message, frozen=True, kw_only=True):
    id: IntegrationId


class Configure(Message, frozen=True, kw_only=True):
    by: str
    id: str
    settings: dict[str, str]


class Integration(Message, frozen=True, kw_only=True):
    """Its secrets are never told, only which are set."""

    id: str
    name: str
    type: Literal["email", "sms", "webhook"]
    status: Literal["active", "inactive"]
    configured: bool
    settings_set: tuple[str, ...] = ()


class Tested(Message, frozen=True, kw_only=True):
    connected: bool
    message: str
