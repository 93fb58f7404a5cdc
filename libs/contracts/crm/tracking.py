"""What recipients do with mails, and what becomes of mails on their way. Tokens are read by the CRM alone."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from libs.contracts.codec import Message
from libs.contracts.crm.common import Topic
from libs.contracts.rpc import Endpoint, ErrorCode, Nothing

Token = Annotated[str, Meta(max_length=200)]
Agent = Annotated[str, Meta(max_length=500)]


class Looked(Message, frozen=True, kw_only=True):
    """At an image, or through a link."""

    token: Token
    agent: Agent = ""
    """`User-Agent`."""
    whole: bool = True
    """False: only the head was asked for, as programs do."""


class Target(Message, frozen=True, kw_only=True):
    url: str


class Seen(Message, frozen=True, kw_only=True):
    """Stream CRM_SEEN."""

    id: UUID
    mail: UUID
    kind: Literal["open", "click"]
    number: int
    """Of the link."""
    machine: bool
    """Whether a program looked, as far as can be told."""
    at: datetime


class OfMail(Message, frozen=True, kw_only=True):
    token: Token


class Choose(Message, frozen=True, kw_only=True):
    token: Token
    one_click: bool
    """The token is that of one-click unsubscribing; otherwise of the page."""
    topic: Topic | None = None
    """None: that of the mail."""
    subscribed: bool = False
    address: str = ""
    """Whence."""


class TopicChoice(Message, frozen=True, kw_only=True):
    topic: str
    subscribed: bool


class Preferences(Message, frozen=True, kw_only=True):
    address: str
    """Of the recipient, only hinted at."""
    topic: str
    """Of the mail."""
    topics: tuple[TopicChoice, ...]


class MailEvents(Message, frozen=True, kw_only=True):
    """As who delivers has posted it (Standard Webhooks)."""

    id: str
    timestamp: str
    signature: str
    body: str


class Noted(Message, frozen=True, kw_only=True):
    events: int


_REFUSED = (ErrorCode.NOT_FOUND,)

OPENED = Endpoint("crm", "opened", Looked, Nothing, _REFUSED, timeout=1.0)
CLICKED = Endpoint("crm", "clicked", Looked, Target, _REFUSED, timeout=2.0)
PREFERENCES = Endpoint("crm", "preferences", OfMail, Preferences, _REFUSED)
CHOOSE = Endpoint("crm", "choose", Choose, Nothing, _REFUSED)
MAIL_EVENTS = Endpoint("crm", "mail_events", MailEvents, Noted, _REFUSED, timeout=15.0)
"""NOT_FOUND: the signature is not good, or nobody has agreed on one."""
