"""People that are written to."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import UNSET, Meta, UnsetType, field

from libs.contracts.admin import Cursor, Rows, Text
from libs.contracts.codec import Message
from libs.contracts.crm.common import Activity, By, Email, ListQuery, Of, OfBy, Phone, Tag
from libs.contracts.pattern import END
from libs.contracts.rpc import Endpoint, ErrorCode
from libs.contracts.rpc import Nothing as Empty

ContactStatus = Literal["lead", "prospect", "customer", "inactive", "churned"]
Score = Annotated[int, Meta(ge=0, le=100)]
Locale = Annotated[str, Meta(pattern=r"^([a-z]{2,3}([-_][A-Za-z0-9]{2,8})*)?" + END)]
TimeZone = Annotated[str, Meta(pattern=r"^([A-Za-z][A-Za-z0-9_+/-]{0,59})?" + END)]
FIELD_KEY = r"[a-z][a-z0-9_]{0,39}"
FieldKey = Annotated[str, Meta(pattern=f"^{FIELD_KEY}{END}")]
CustomValue = Annotated[str, Meta(max_length=2000, pattern=r"^[^\x00]*$")] | int | float | bool
Tags = Annotated[tuple[Tag, ...], Meta(max_length=50)]
Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]
ExternalId = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")]
"""What another system calls the contact, but for white space around it; no other contact has it. Empty: none."""


class ContactsQuery(ListQuery, frozen=True, kw_only=True, rename="camel"):
    """`search`: part of an e-mail address, a name, a phone number or an external id."""

    status: ContactStatus | None = None
    segment: UUID | None = None
    tag: Tag | None = None
    min_score: Score | None = None
    external_id: ExternalId = ""
    """The whole of it."""
    sort_by: Literal["created_at", "email", "name", "score"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    cursor: Cursor = ""
    """Instead of an offset: what the page before said is next."""


class ContactsFilter(ContactsQuery, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Contacts that a rule picks, which nothing keeps."""

    rules: dict[str, Any]
    """A tree, as a segment's."""


class NewContact(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    email: Email
    external_id: ExternalId = ""
    name: Text = ""
    first_name: Text | None = None
    last_name: Text | None = None
    phone: Phone = ""
    locale: Locale | None = None
    timezone: TimeZone | None = None
    status: ContactStatus = "lead"
    score: Score = 0
    tags: Tags = ()
    custom_fields: Annotated[dict[str, CustomValue], Meta(max_length=100)] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_keys(self.custom_fields)
        check_zone(self.timezone, "timezone")


class ReplacedContact(NewContact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it: what is left out is empty again."""

    version: Version | None = None
    """That was seen; if there is another one meanwhile, nothing is changed."""


class ContactFields(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays."""

    email: Email | UnsetType = UNSET
    external_id: ExternalId | UnsetType = UNSET
    name: Text | UnsetType = UNSET
    first_name: Text | UnsetType | None = UNSET
    last_name: Text | UnsetType | None = UNSET
    phone: Phone | UnsetType = UNSET
    locale: Locale | UnsetType | None = UNSET
    timezone: TimeZone | UnsetType | None = UNSET
    status: ContactStatus | UnsetType = UNSET
    score: Score | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    custom_fields: Annotated[dict[str, CustomValue | None], Meta(max_length=100)] | UnsetType = UNSET
    """One by one; null takes a value away."""

    def __post_init__(self) -> None:
        if self.custom_fields is not UNSET:
            _check_keys(self.custom_fields)
        if self.timezone is not UNSET:
            check_zone(self.timezone, "timezone")


class ContactChange(ContactFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Version | None = None


class KnownContact(ContactFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the contact that has this external id, or else this address; of a new one, if none has. Consent stays."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.email is UNSET and (self.external_id is UNSET or not self.external_id.strip()):
            raise ValueError("Expected an address, where there is no external id, in `email`")


class CreateContact(By, frozen=True, kw_only=True):
    contact: NewContact


class UpsertContact(By, frozen=True, kw_only=True):
    contact: KnownContact


class ReplaceContact(OfBy, frozen=True, kw_only=True):
    contact: ReplacedContact


class ChangeContact(OfBy, frozen=True, kw_only=True):
    change: ContactChange


class TagContact(OfBy, frozen=True, kw_only=True):
    tags: Annotated[tuple[Tag, ...], Meta(min_length=1, max_length=50)]
    added: bool


class Contact(Message, frozen=True, kw_only=True):
    id: UUID
    user_id: UUID | None = None
    """The trading user, if the contact is one."""
    email: str | None
    external_id: str | None = None
    name: str
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None
    locale: str | None = None
    timezone: str | None = None
    source: str = "api"
    """How it came: api, import, form, workflow, trading."""
    status: ContactStatus
    score: int
    tags: tuple[str, ...]
    custom_fields: dict[str, Any]
    version: int = 1
    created_at: datetime
    updated_at: datetime
    last_seen_at: datetime | None = None


class ActivitiesQuery(Of, frozen=True, kw_only=True, rename="camel"):
    type: Annotated[str, Meta(pattern=r"^[a-z_]{0,40}" + END)] = ""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    cursor: Cursor = ""


class NewActivity(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody did or noted; what happens by itself is written by itself."""

    type: Literal["note", "call", "meeting", "task"]
    text: Annotated[str, Meta(min_length=1, max_length=5000, pattern=r"^[^\x00]*$")]
    due_at: datetime | None = None
    """Of a task."""


class AddActivity(OfBy, frozen=True, kw_only=True):
    activity: NewActivity


class FieldDefinition(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    label: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    type: Literal["text", "number", "boolean", "date", "select"]
    options: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00]*$")], ...],
                       Meta(max_length=200)] = ()  # fmt: skip
    """Of `select`: the values there are."""
    required: bool = False
    """Of contacts that are made or changed from now on; those who signed up as traders come without it."""
    pii: bool = False
    """Personal: named in what a person is told of their data."""

    def __post_init__(self) -> None:
        if (self.type == "select") is not bool(self.options):
            raise ValueError("Expected some for a select, and none otherwise, in `options`")


class NewField(FieldDefinition, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: FieldKey


class CustomField(Message, frozen=True, kw_only=True):
    key: str
    label: str
    type: str
    options: tuple[str, ...]
    required: bool
    pii: bool
    created_at: datetime


class OfField(Message, frozen=True, kw_only=True):
    key: FieldKey


class DefineField(By, frozen=True, kw_only=True):
    field: NewField


class ChangeField(By, frozen=True, kw_only=True):
    """Its type stays what it is."""

    key: FieldKey
    field: FieldDefinition


class DropField(By, frozen=True, kw_only=True):
    key: FieldKey


class FieldGone(Message, frozen=True, kw_only=True):
    key: str


def check_zone(name: str | None, where: str) -> None:
    """Raises ValueError for one that there is not; empty is none."""
    try:
        ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"Expected an IANA time zone in `{where}`") from None


def _check_keys(given: Mapping[str, object]) -> None:
    if any(re.fullmatch(FIELD_KEY, key) is None for key in given):
        raise ValueError("Expected names such as `plan` in `custom_fields`")


_NOT_FOUND, _CONFLICT = ErrorCode.NOT_FOUND, ErrorCode.CONFLICT

FILTER_CONTACTS = Endpoint("crm", "filter_contacts", ContactsFilter, Rows[Contact], timeout=10.0)
CONTACTS = Endpoint("crm", "contacts", ContactsQuery, Rows[Contact])
CREATE_CONTACT = Endpoint("crm", "create_contact", CreateContact, Contact, (_CONFLICT,))
UPSERT_CONTACT = Endpoint("crm", "upsert_contact", UpsertContact, Contact, (_CONFLICT,))
CONTACT = Endpoint("crm", "contact", Of, Contact, (_NOT_FOUND,))
REPLACE_CONTACT = Endpoint("crm", "replace_contact", ReplaceContact, Contact, (_NOT_FOUND, _CONFLICT))
CHANGE_CONTACT = Endpoint("crm", "change_contact", ChangeContact, Contact, (_NOT_FOUND, _CONFLICT))
TAG_CONTACT = Endpoint("crm", "tag_contact", TagContact, Contact, (_NOT_FOUND,))
ACTIVITIES = Endpoint("crm", "activities", ActivitiesQuery, Rows[Activity], (_NOT_FOUND,))
ADD_ACTIVITY = Endpoint("crm", "add_activity", AddActivity, Activity, (_NOT_FOUND,))
FIELDS = Endpoint("crm", "fields", Empty, Rows[CustomField])
DEFINE_FIELD = Endpoint("crm", "define_field", DefineField, CustomField, (_CONFLICT,))
CHANGE_FIELD = Endpoint("crm", "change_field", ChangeField, CustomField, (_NOT_FOUND, _CONFLICT))
DROP_FIELD = Endpoint("crm", "drop_field", DropField, FieldGone, (_NOT_FOUND, _CONFLICT))
