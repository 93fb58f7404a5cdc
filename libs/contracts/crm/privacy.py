"""What contacts have agreed to, who is never written to; contacts that are merged, told of themselves, or erased."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta

from libs.contracts.admin import Limit, Offset, Rows, Text
from libs.contracts.codec import Message
from libs.contracts.crm.common import By, Channel, Gone, Of, OfBy, Topic
from libs.contracts.crm.contacts import Contact
from libs.contracts.pattern import END
from libs.contracts.rpc import Endpoint, ErrorCode
from libs.contracts.rpc import Nothing as Empty

ConsentState = Literal["subscribed", "pending", "unsubscribed"]
AddressHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + END)]
_OwnWord = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class Consent(Message, frozen=True, kw_only=True):
    id: UUID
    channel: Channel
    topic: str
    state: ConsentState
    at: datetime
    how: str
    text_version: str | None = None
    """Of the words that were agreed to."""
    ip: str | None = None


class Consents(Message, frozen=True, kw_only=True):
    current: tuple[Consent, ...]
    """By channel and topic."""
    history: tuple[Consent, ...]
    """The newest first, at most 200."""


class GivenConsent(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    channel: Channel
    topic: Topic
    state: ConsentState
    how: _OwnWord
    """E.g. on the telephone; it is kept with who wrote it down."""
    text_version: Text | None = None


class GiveConsent(OfBy, frozen=True, kw_only=True):
    consent: GivenConsent
    address: str = ""
    """Where the administrator's request came from."""


class SuppressionsQuery(Message, frozen=True, kw_only=True, rename="camel"):
    channel: Channel | None = None
    address: Text = ""
    """Whether this one is suppressed: the list itself knows only hashes."""
    limit: Limit = 50
    offset: Offset = 0


class Suppression(Message, frozen=True, kw_only=True):
    channel: str
    address_hash: str
    """SHA-256 of the normalised address."""
    reason: str
    at: datetime


class NewSuppression(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    channel: Channel
    address: _OwnWord
    reason: _OwnWord = "manual"


class Suppress(By, frozen=True, kw_only=True):
    suppression: NewSuppression


class OfSuppression(Message, frozen=True, kw_only=True):
    channel: Channel
    hash: AddressHash


class Unsuppress(By, frozen=True, kw_only=True):
    channel: Channel
    hash: AddressHash


class FrequencyCap(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Marketing messages that one contact gets at most."""

    channel: Channel
    per_day: Annotated[int, Meta(ge=0, le=1000)]
    per_week: Annotated[int, Meta(ge=0, le=7000)]


class SetCap(By, frozen=True, kw_only=True):
    cap: FrequencyCap


class DuplicatesQuery(Message, frozen=True, kw_only=True):
    limit: Limit = 50


class Duplicates(Message, frozen=True, kw_only=True):
    """Contacts that may be one person, the oldest first."""

    reason: Literal["address", "name"]
    """One address but for its `+tag`, or one name and one part before the @."""
    ids: tuple[UUID, ...]


class Merge(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    other: UUID
    """Goes into the contact that the path names; its id goes on to mean that one."""


class MergeContacts(OfBy, frozen=True, kw_only=True):
    other: UUID


class PersonalData(Message, frozen=True, kw_only=True):
    tables: dict[str, list[dict[str, Any]]]
    """Rows by table."""


class TellPersonalData(OfBy, frozen=True, kw_only=True):
    after: Annotated[str, Meta(pattern=r"^([0-9]{1,9}\.[a-z_]{1,60})?" + END)] = ""
    """What the page before said is next; empty: the first, with which it is recorded who asked."""


class PersonalPage(PersonalData, frozen=True, kw_only=True):
    next: str
    """Where the next page begins, which may be in the midst of a table; empty: that was all."""


class PersonalLines(Message, frozen=True, kw_only=True):
    text: str
    """CSV: table, row (from 1 on, in each table), column, value; their names on the first page."""
    next: str


_NOT_FOUND = (ErrorCode.NOT_FOUND,)

CONSENTS = Endpoint("crm", "consents", Of, Consents, _NOT_FOUND)
GIVE_CONSENT = Endpoint("crm", "give_consent", GiveConsent, Consents, _NOT_FOUND)
SUPPRESSIONS = Endpoint("crm", "suppressions", SuppressionsQuery, Rows[Suppression])
SUPPRESS = Endpoint("crm", "suppress", Suppress, Suppression)
UNSUPPRESS = Endpoint("crm", "unsuppress", Unsuppress, OfSuppression, _NOT_FOUND)
CAPS = Endpoint("crm", "caps", Empty, Rows[FrequencyCap])
SET_CAP = Endpoint("crm", "set_cap", SetCap, FrequencyCap)
DUPLICATES = Endpoint("crm", "duplicates", DuplicatesQuery, Rows[Duplicates], timeout=15.0)
MERGE_CONTACTS = Endpoint("crm", "merge_contacts", MergeContacts, Contact, _NOT_FOUND)
ERASE_CONTACT = Endpoint("crm", "erase_contact", OfBy, Gone, _NOT_FOUND)
PERSONAL_DATA = Endpoint("crm", "personal_data", TellPersonalData, PersonalPage, _NOT_FOUND, timeout=15.0)
PERSONAL_FILE = Endpoint("crm", "personal_file", TellPersonalData, PersonalLines, _NOT_FOUND, timeout=15.0)
