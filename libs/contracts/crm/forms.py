"""Forms that strangers fill in; nothing comes of it until the address is confirmed (double opt-in)."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from libs.contracts.admin import Limit, Offset, Rows
from libs.contracts.codec import Message
from libs.contracts.crm.common import By, Email, Gone, ListQuery, Name, Of, OfBy
from libs.contracts.crm.contacts import FIELD_KEY, CustomValue, Tags, Version
from libs.contracts.pattern import END
from libs.contracts.rpc import Endpoint, ErrorCode

TRAP = "website"
"""A field that people do not see and programs fill in: what comes with it is let go without a word."""

_KEY = rf"^(first_name|last_name|name|phone|custom\.{FIELD_KEY})" + END
AskedKey = Annotated[str, Meta(pattern=_KEY)]
Origin = Annotated[str, Meta(max_length=200, pattern=r"^https?://[a-z0-9.:\[\]-]+" + END)]
Words = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
Thanks = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00]*$")]
OwnTopic = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}" + END)]
Token = Annotated[str, Meta(pattern=r"^v1\.[0-9a-f]{8}\.[0-9a-f]{32}\.[0-9]{1,12}\.[A-Za-z0-9_-]{32}" + END)]
"""Of a link in a mail."""
SubmissionState = Literal["pending", "confirmed", "expired"]


class AskedField(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: AskedKey
    """Of the contact."""
    label: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")] = ""
    required: bool = False


AskedFields = Annotated[tuple[AskedField, ...], Meta(max_length=30)]


class NewForm(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name
    topic: OwnTopic
    """Of the mails that are agreed to."""
    consent_text: Words
    """What is agreed to, in the words that are shown."""
    template_id: UUID
    """Of the mail that asks for confirmation; it leads to `{{links.confirm}}`."""
    fields: AskedFields = ()
    """Besides the address."""
    origins: Annotated[tuple[Origin, ...], Meta(max_length=20)] = ()
    """Pages of which it may be sent, such as `https://www.example.com`."""
    tags: Tags = ()
    """Of who has confirmed…"""
    segment_id: UUID | None = None
    """…who is put into this static segment, too."""
    reminders: Annotated[int, Meta(ge=0, le=2)] = 0
    """Further mails to who does not confirm, two days apart."""
    thanks: Thanks = ""
    """Told to who has sent it."""
    active: bool = True

    def __post_init__(self) -> None:
        _check_fields(self.fields)


class FormChange(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays."""

    version: Version | None = None
    """That was seen; if there is another one meanwhile, nothing is changed."""
    name: Name | UnsetType = UNSET
    topic: OwnTopic | UnsetType = UNSET
    consent_text: Words | UnsetType = UNSET
    template_id: UUID | UnsetType = UNSET
    fields: AskedFields | UnsetType = UNSET
    origins: Annotated[tuple[Origin, ...], Meta(max_length=20)] | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    segment_id: UUID | UnsetType | None = UNSET
    reminders: Annotated[int, Meta(ge=0, le=2)] | UnsetType = UNSET
    thanks: Thanks | UnsetType = UNSET
    active: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.fields is not UNSET:
            _check_fields(self.fields)


class Form(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    topic: str
    consent_text: str
    text_version: int
    """Of these words: it is kept with each consent."""
    template_id: UUID
    fields: tuple[AskedField, ...]
    origins: tuple[str, ...]
    tags: tuple[str, ...]
    segment_id: UUID | None
    reminders: int
    thanks: str
    active: bool
    pending: int
    """Sent and not confirmed…"""
    confirmed: int
    """…and confirmed."""
    version: int
    created_at: datetime
    updated_at: datetime


class CreateForm(By, frozen=True, kw_only=True):
    form: NewForm


class ChangeForm(OfBy, frozen=True, kw_only=True):
    change: FormChange


class SubmissionsQuery(Of, frozen=True, kw_only=True, rename="camel"):
    state: SubmissionState | None = None
    limit: Limit = 50
    offset: Offset = 0


class Submission(Message, frozen=True, kw_only=True):
    id: UUID
    form_id: UUID
    contact_id: UUID
    state: SubmissionState
    fields: dict[str, Any]
    """As they were given; empty when the contact has them."""
    text_version: int
    ip: str | None
    agent: str | None
    mails: int
    """How often confirmation was asked for."""
    expires_at: datetime
    created_at: datetime
    confirmed_at: datetime | None


class PublicForm(Message, frozen=True, kw_only=True):
    """What a page needs to show it."""

    id: UUID
    fields: tuple[AskedField, ...]
    consent_text: str
    text_version: int
    trap: str = TRAP
    """A field to be hidden from people and sent empty."""
    captcha: str = ""
    """The site key of the captcha that is to be shown; empty: none is asked for."""


class Filled(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    email: Email
    consent: bool
    """That the words were agreed to; without it nothing is taken."""
    fields: Annotated[dict[str, CustomValue], Meta(max_length=30)] = field(default_factory=dict)
    website: Annotated[str, Meta(max_length=2000)] = ""
    """The trap."""
    captcha: Annotated[str, Meta(max_length=8000)] = ""
    """What its widget answered, where one is asked for."""

    def __post_init__(self) -> None:
        if not self.consent:
            raise ValueError("Expected `true` in `consent`")
        if not all(re.fullmatch(_KEY, key) for key in self.fields):
            raise ValueError("Expected keys such as first_name or custom.plan in `fields`")


class SubmitForm(Message, frozen=True, kw_only=True):
    id: UUID
    filled: Filled
    origin: str
    """Of the page, as its browser says; empty where there is none."""
    address: str
    agent: str


class Submitted(Message, frozen=True, kw_only=True):
    """The same whoever is known already."""

    foreign: bool = False
    """It came from a page that may not send it: nothing was done."""
    message: str = ""


class ConfirmForm(Message, frozen=True, kw_only=True):
    token: Token
    address: str
    agent: str


class Confirmed(Message, frozen=True, kw_only=True):
    outcome: Literal["done", "expired", "not_found"]


_NOT_FOUND, _CONFLICT = ErrorCode.NOT_FOUND, ErrorCode.CONFLICT

FORMS = Endpoint("crm", "forms", ListQuery, Rows[Form])
FORM = Endpoint("crm", "form", Of, Form, (_NOT_FOUND,))
CREATE_FORM = Endpoint("crm", "create_form", CreateForm, Form)
CHANGE_FORM = Endpoint("crm", "change_form", ChangeForm, Form, (_NOT_FOUND, _CONFLICT))
DROP_FORM = Endpoint("crm", "drop_form", OfBy, Gone, (_NOT_FOUND,))
SUBMISSIONS = Endpoint("crm", "form_submissions", SubmissionsQuery, Rows[Submission], (_NOT_FOUND,))
PUBLIC_FORM = Endpoint("crm", "public_form", Of, PublicForm, (_NOT_FOUND,))
SUBMIT_FORM = Endpoint("crm", "submit_form", SubmitForm, Submitted, (_NOT_FOUND,))
CONFIRM_FORM = Endpoint("crm", "confirm_form", ConfirmForm, Confirmed)


def _check_fields(fields: tuple[AskedField, ...]) -> None:
    keys = [asked.key for asked in fields]
    if len(set(keys)) < len(keys):
        raise ValueError("Expected each key once in `fields`")
