"""Webhooks and what is posted to them."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.contracts.crm.webhooks import Post, PostsQuery, Webhook
from libs.store.database import Database
from libs.store.rows import read_optional, read_rows, read_value

_TABLE = "crm_webhooks"
_SHOWN = "id,name,url,state,failing_since,created_at"


class Sealed(msgspec.Struct, frozen=True):
    url: str
    secret: str


class ClaimedPost(msgspec.Struct, frozen=True):
    id: UUID
    webhook_id: UUID
    url: str
    secret: str
    """Sealed…"""
    previous: str | None
    """…as is the one before, while it is still good."""
    payload: dict[str, Any]
    attempts: int


class PostPage(msgspec.Struct, frozen=True):
    rows: tuple[Post, ...]
    total: int


class WebhookDropped(msgspec.Struct, frozen=True):
    outcome: Literal["done", "not_found", "used"]
    users: tuple[str, ...] = ()


class Webhooks:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Webhook]:
        """The newest thousand."""
        query = self._database.client.table(_TABLE).select(_SHOWN).order("created_at", desc=True).limit(1000)
        return read_rows(await self._database.execute(query, _TABLE), Webhook)

    async def one(self, id: UUID) -> Webhook | None:
        query = self._database.client.table(_TABLE).select(_SHOWN).eq("id", str(id))
        return next(iter(read_rows(await self._database.execute(query, _TABLE), Webhook)), None)

    async def sealed(self, id: UUID) -> Sealed | None:
        query = self._database.client.table(_TABLE).select("url,secret").eq("id", str(id))
        return next(iter(read_rows(await self._database.execute(query, _TABLE), Sealed)), None)

    async def create(self, id: UUID, name: str, url: str, secret: str) -> Webhook:
        row = {"id": str(id), "name": name, "url": url, "secret": secret}
        query = self._database.client.table(_TABLE).insert(row)
        return read_rows(await self._database.execute(query, _TABLE), Webhook)[0]

    async def change(self, id: UUID, changes: Mapping[str, Any]) -> Webhook | None:
        query = self._database.client.table(_TABLE).update(dict(changes)).eq("id", str(id))
        return next(iter(read_rows(await self._database.execute(query, _TABLE), Webhook)), None)

    async def renew(self, id: UUID, sealed: str, kept: float, by: str) -> bool:
        """The secret before is good for `kept` seconds more. False: there is no such webhook."""
        data = await self._database.call("crm_renew_webhook", of_webhook=str(id), sealed=sealed, kept=kept, actor=by)
        return read_value(data, bool)

    async def drop(self, id: UUID, by: str) -> WebhookDropped:
        return read_value(await self._database.call("crm_drop_webhook", of_webhook=str(id), actor=by), WebhookDropped)

    async def posts(self, query: PostsQuery) -> PostPage | None:
        """None: there is no such webhook."""
        data = await self._database.call(
            "crm_posts_of", of_webhook=str(query.id), at_most=query.limit, skipped=query.offset
        )
        return read_optional(data, PostPage)

    async def replay(self, webhook: UUID, post: UUID) -> bool:
        data = await self._database.call("crm_replay_webhook", of_webhook=str(webhook), of_post=str(post))
        return read_value(data, bool)

    async def prune(self, kept: float) -> None:
        """Forget posts that came to their end, after so many seconds."""
        await self._database.call("crm_prune_posts", kept=kept)

    async def claim(self, claim: UUID, most: int, lease: float) -> list[ClaimedPost]:
        """Those that are due; they are this claim's for `lease` seconds."""
        data = await self._database.call("crm_claim_webhooks", claim=str(claim), at_most=most, lease=lease)
        return read_rows(data, ClaimedPost)

    async def finish(
        self, claim: UUID, post: UUID, outcome: str, status: int | None, why: str | None, after: float, *,
        gone: bool = False, patience: float,
    ) -> bool:  # fmt: skip
        """What became of one: sent, retry (`after` seconds from now) or failed. True: its webhook is disabled now,
        because it is gone or has taken nothing for `patience` seconds."""
        data = await self._database.call(
            "crm_finish_webhook", claim=str(claim), of_post=str(post), outcome=outcome, answered=status, why=why,
            after=after, gone=gone, patience=patience,
        )  # fmt: skip
        return read_value(data, bool)
