"""What several parts of the CRM share."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta

from libs.contracts.admin import Limit, Offset, Text
from libs.contracts.codec import Message
from libs.contracts.pattern import END

Email = Annotated[str, Meta(max_length=254, pattern=r"^[^@\s\x00]{1,64}@[^@\s\x00]{1,190}" + END)]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Phone = Annotated[str, Meta(pattern=r"^(\+[1-9][0-9]{6,14})?" + END)]
"""E.164, or empty."""
Tag = Annotated[str, Meta(min_length=1, max_length=50, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
Channel = Literal["email", "sms", "push", "webhook", "notification"]
Topic = Annotated[str, Meta(pattern=r"^(\*|[a-z0-9][a-z0-9_.-]{0,59})" + END)]
"""`*`: all of them."""


class ListQuery(Message, frozen=True, kw_only=True, rename="camel"):
    search: Text = ""
    limit: Limit = 50
    offset: Offset = 0


class Of(Message, frozen=True, kw_only=True):
    """What an id in a path names."""

    id: UUID


class By(Message, frozen=True, kw_only=True):
    by: str
    """The administrator, as the edge has verified."""


class OfBy(By, frozen=True, kw_only=True):
    id: UUID


class Gone(Message, frozen=True, kw_only=True):
    id: UUID


class Activity(Message, frozen=True, kw_only=True):
    """Of a contact's timeline."""

    id: UUID
    contact_id: UUID
    type: str
    at: datetime
    ref_type: str | None
    ref_id: str | None
    data: dict[str, Any]
