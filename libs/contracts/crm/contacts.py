"""People that are written to."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, field

from libs.contracts.admin import Rows, Text
from libs.contracts.codec import Message
from libs.contracts.crm.common import Email, ListQuery
from libs.contracts.rpc import Endpoint, ErrorCode

ContactStatus = Literal["lead", "prospect", "customer", "inactive", "churned"]


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


CONTACTS = Endpoint("crm", "contacts", ContactsQuery, Rows[Contact])
CREATE_CONTACT = Endpoint("crm", "create_contact", CreateContact, Contact, (ErrorCode.CONFLICT,))
