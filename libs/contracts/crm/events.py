"""What happens to contacts (stream CRM, subject `crm.event.{type}`): told after the commit that made it so, at least
once, under the id of its activity."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import field

from libs.contracts.codec import Message


class EventType(StrEnum):
    """What `data` says of each is in parentheses."""

    CONTACT_CREATED = "contact_created"
    """(source)"""
    CONTACT_UPDATED = "contact_updated"
    """(fields: names of what changed; `custom.{key}` and `fact.{name}` among them)"""
    CONTACT_MERGED = "contact_merged"
    """(merged: the id that is now an alias)"""
    CONTACT_DELETED = "contact_deleted"
    TAG_ADDED = "tag_added"
    """(tag)"""
    TAG_REMOVED = "tag_removed"
    """(tag)"""
    SCORE_CHANGED = "score_changed"
    """(score, before, and `threshold` if one was crossed)"""
    SEGMENT_ENTERED = "segment_entered"
    """(segment, version: how often the contact has entered or left it)"""
    SEGMENT_LEFT = "segment_left"
    """(segment, version)"""
    FORM_SUBMITTED = "form_submitted"
    """(form)"""
    CONSENT_CHANGED = "consent_changed"
    """(channel, topic, state, how)"""
    MAIL_SENT = "mail_sent"
    """(class, channel: what frequency caps count)"""
    MAIL_OPENED = "mail_opened"
    MAIL_CLICKED = "mail_clicked"
    MAIL_BOUNCED = "mail_bounced"
    MAIL_COMPLAINED = "mail_complained"
    UNSUBSCRIBED = "unsubscribed"
    """(channel, topic, how)"""
    SIGNED_UP = "signed_up"
    """A trading user became a contact."""
    FIRST_DEPOSIT = "first_deposit"
    """A real account has money for the first time."""
    BOT_STARTED = "bot_started"
    """(account_type)"""
    BOT_STOPPED = "bot_stopped"
    """(account_type)"""
    LOSSES_IN_A_ROW = "losses_in_a_row"
    """(losses, account_type)"""
    INACTIVE = "inactive"
    """(days: since the last trade)"""


class CrmEvent(Message, frozen=True, kw_only=True):
    id: UUID
    type: str
    """An `EventType`; a newer sender may know others."""
    contact_id: UUID
    at: datetime
    data: dict[str, Any] = field(default_factory=dict)
