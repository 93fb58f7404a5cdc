"""Where things are posted to, signed (Standard Webhooks)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from libs.contracts.admin import Rows
from libs.contracts.codec import Message
from libs.contracts.crm.common import By, Gone, ListQuery, Name, Of, OfBy
from libs.contracts.pattern import END
from libs.contracts.rpc import Endpoint, ErrorCode

Url = Annotated[str, Meta(max_length=2000, pattern=r"^https?://[^\s\x00]+" + END)]
State = Literal["active", "disabled"]


class Webhook(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    url: str
    state: State
    failing_since: datetime | None
    """Since when nothing was taken; after five days it is disabled."""
    created_at: datetime


class WebhookWithSecret(Webhook, frozen=True, kw_only=True):
    secret: str
    """What posts are signed with: told this once. For a day they are signed with the one before as well."""


class NewWebhook(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name
    url: Url


class WebhookChange(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays."""

    name: Name | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    state: State | UnsetType = UNSET


class CreateWebhook(By, frozen=True, kw_only=True):
    webhook: NewWebhook


class ChangeWebhook(OfBy, frozen=True, kw_only=True):
    change: WebhookChange


class PostsQuery(Of, frozen=True, kw_only=True, rename="camel"):
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class Post(Message, frozen=True, kw_only=True):
    """One delivery."""

    id: UUID
    """Its `webhook-id`, also when it is tried again."""
    state: Literal["queued", "sending", "sent", "failed", "skipped"]
    status: int | None
    """Of the last answer."""
    error: str | None
    attempts: int
    due_at: datetime
    sent_at: datetime | None
    created_at: datetime


class OfPost(Of, frozen=True, kw_only=True):
    post: UUID


class Replay(OfBy, frozen=True, kw_only=True):
    post: UUID


class Tried(Message, frozen=True, kw_only=True):
    taken: bool
    message: str


_NOT_FOUND = (ErrorCode.NOT_FOUND,)
_KNOWN = (ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)

WEBHOOKS = Endpoint("crm", "webhooks", ListQuery, Rows[Webhook])
WEBHOOK = Endpoint("crm", "webhook", Of, Webhook, _NOT_FOUND)
CREATE_WEBHOOK = Endpoint("crm", "create_webhook", CreateWebhook, WebhookWithSecret)
CHANGE_WEBHOOK = Endpoint("crm", "change_webhook", ChangeWebhook, Webhook, _NOT_FOUND)
RENEW_SECRET = Endpoint("crm", "renew_webhook_secret", OfBy, WebhookWithSecret, _NOT_FOUND)
DROP_WEBHOOK = Endpoint("crm", "drop_webhook", OfBy, Gone, _KNOWN)
"""CONFLICT: a workflow uses it."""
TRY_WEBHOOK = Endpoint("crm", "try_webhook", OfBy, Tried, _NOT_FOUND, timeout=15.0)
POSTS = Endpoint("crm", "webhook_posts", PostsQuery, Rows[Post], _NOT_FOUND)
REPLAY = Endpoint("crm", "replay_webhook_post", Replay, Gone, _NOT_FOUND)
